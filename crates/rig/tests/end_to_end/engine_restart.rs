//! A Docker engine that is restarted, or crashes and comes back, in the middle of a run. It is an engine of the test's own, in
//! namespaces of its own: those beside it keep theirs.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use testing::{Nginx, Pid, Signal, docker, eventually, kill_process};

use crate::RIG;

/// What holds the namespaces, for as long as its standard input is open.
struct Namespaces(Child);

impl Namespaces {
    /// `None`: this user, or this machine, can have none.
    fn make() -> Option<Namespaces> {
        let script = "ip link set lo up && mount --make-rprivate / && echo made && exec cat";
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "sh", "-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut made = Namespaces(command.spawn().ok()?);
        let mut said = [0; 5];
        made.0.stdout.as_mut()?.read_exact(&mut said).ok()?;
        Some(made)
    }

    fn of(&self, kind: &str) -> String {
        format!("--{kind}=/proc/{}/ns/{}", self.0.id(), if kind == "mount" { "mnt" } else { kind })
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A Docker engine with its data in `directory`. What it has not ended by itself ends with it.
struct Engine<'a> {
    daemon: Child,
    directory: &'a Path,
}

impl Engine<'_> {
    fn start<'a>(namespaces: &Namespaces, directory: &'a Path, driver: &str) -> Engine<'a> {
        let at = |name: &str| directory.join(name).display().to_string();
        // This machine's own configuration names its own directories.
        std::fs::write(at("daemon.json"), "{}").unwrap();
        let mut command = Command::new("nsenter");
        command.args([&namespaces.of("net"), &namespaces.of("mount"), "dockerd", "--storage-driver", driver]);
        for (option, name) in [
            ("--config-file", "daemon.json"),
            ("--data-root", "data"),
            ("--exec-root", "exec"),
            ("--pidfile", "pid"),
        ] {
            command.args([option, &at(name)]);
        }
        command.args(["--host", &format!("unix://{}", at("socket"))]);
        let log = std::fs::File::create(at("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut engine = Engine { daemon: command.spawn().unwrap(), directory };
        eventually("the engine's answer", || {
            let ended = engine.daemon.try_wait().unwrap();
            let log = || std::fs::read_to_string(directory.join("log"));
            assert!(ended.is_none(), "the engine does not start: {}", log().unwrap());
            engine.answer("/_ping").filter(|answer| answer.ends_with("OK"))
        });
        engine
    }

    /// What it answers a GET.
    fn answer(&self, path: &str) -> Option<String> {
        let mut stream = UnixStream::connect(self.directory.join("socket")).ok()?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    fn end(&mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.daemon), signal).unwrap();
        eventually("the engine's end", || self.daemon.try_wait().unwrap());
        // The containerd of one that was killed dies with it, though not at once, and the next would wait for it in vain.
        let containerd = self.directory.join("exec/containerd/containerd.pid");
        if let Some(pid) = std::fs::read_to_string(&containerd).ok().and_then(|text| text.trim().parse().ok())
        {
            let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
            eventually("containerd's end", || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
        }
        for file in [containerd, self.directory.join("pid")] {
            let _ = std::fs::remove_file(file);
        }
    }

    /// What is left of rig's on it.
    fn left(&self) -> Vec<String> {
        let asked = ["/containers/json?all=1", "/networks"].map(|path| self.answer(path).unwrap());
        let named = |answer: &String| answer.contains("\"rig.run\"").then(|| answer.clone());
        asked.iter().filter_map(named).collect()
    }
}

impl Drop for Engine<'_> {
    fn drop(&mut self) {
        if matches!(self.daemon.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.daemon), Signal::TERM);
            let _ = self.daemon.wait();
        }
        // After a failure containers may still run, each below a process that names the directory.
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        for pid in all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
            let read =
                |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let command = read("cmdline");
            if command.contains("containerd-shim") && command.contains(self.directory.to_str().unwrap()) {
                let children = read(&format!("task/{pid}/children"));
                for one in children.split(' ').filter_map(|child| child.parse().ok()).chain([pid]) {
                    let _ = kill_process(Pid::from_raw(one).unwrap(), Signal::KILL);
                }
            }
        }
    }
}

#[test]
#[ignore = "takes long: make test-rest"]
fn an_engine_that_is_restarted_in_mid_run_is_named_and_nothing_is_left_on_it() {
    let Some(machine) = RIG.beside_others().with_docker() else { return };
    let driver = docker::ask(async |_, docker| docker.info().await.unwrap().driver).flatten();
    let Some(namespaces) = Namespaces::make() else {
        eprintln!("skipped: only root can start an engine in namespaces of its own");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let driver = driver.unwrap_or_else(|| "vfs".to_owned());
    let mut engine = Engine::start(&namespaces, directory.path(), &driver);
    let host = format!("unix://{}/socket", directory.path().display());
    let network = namespaces.of("net");
    let within = ["nsenter", network.as_str()];
    // The first is a service's restart, which ends all containers; the second a crash, which leaves them running.
    for signal in [Signal::TERM, Signal::KILL] {
        let rig = machine.fresh();
        let run = rig.run("docker-drain").on([Nginx]).docker().loud().within(within);
        let mut running = run.env("DOCKER_HOST", &host).begin();
        running.until("scheduled");
        engine.end(signal);
        engine = Engine::start(&namespaces, directory.path(), &driver);
        let ended = running.ends();
        let said = running.said();
        assert!(matches!(ended.code(), Some(3 | 4)), "{signal:?}: {ended:?}: {said}");
        assert!(said.contains("engine") && said.contains("help: "), "{signal:?}: {said}");
        let cleaned = rig.command(["clean"]).within(within).env("DOCKER_HOST", &host).exits(0);
        cleaned.says("containers and networks of dead runs");
        assert_eq!(engine.left(), Vec::<String>::new(), "{signal:?}: {said}");
        assert_eq!(rig.processes(), Vec::<String>::new(), "{signal:?}");
    }
}
