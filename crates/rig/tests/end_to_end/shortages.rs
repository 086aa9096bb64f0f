//! What a run does where the machine has not enough of something, or its Docker engine goes away: it says so, charges
//! nobody with it, and leaves nothing.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::{Running, Said, has_docker, machine, made_by, said, scenario, within};
use crate::shared::{docker, processes_below};

/// Runs rig in `dir`, in namespaces of its own, after `setup`; `None`: this user can't make any, or there is no `ip`.
fn apart(dir: &Path, namespaces: &str, setup: &str, arguments: &[&str]) -> Option<Said> {
    let script = format!("{{ {setup}; }} || exit 77; exec \"$@\"");
    let mut command = Command::new("unshare");
    command.args([namespaces, "sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_rig")]).args(arguments);
    let ended = said(command.current_dir(dir).stdin(Stdio::null()));
    // 1 is unshare's own, and says why; rig begins with another word.
    if ended.code == 77 || ended.err.starts_with("unshare:") {
        eprintln!("not tested: {}", ended.err);
        return None;
    }
    Some(ended)
}

fn run_of<'a>(scenario: &'a str, balancer: &'a str) -> [&'a str; 8] {
    ["run", scenario, "--runtime", "process", "--balancer", balancer, "--quiet", "--out=results"]
}

#[test]
fn a_full_disk_is_named_whenever_it_fills_up() {
    let _machine = machine();
    // Full before the first cell, in mid-load, and at the end.
    for (size, balancer) in [("16k", "nginx"), ("200k", "haproxy"), ("600k", "nginx"), ("1200k", "envoy")] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("results")).unwrap();
        let setup = format!("mount -t tmpfs -o size={size} tmpfs results");
        let Some(ended) = apart(dir.path(), "-m", &setup, &run_of(&scenario("short-drain"), balancer)) else {
            return;
        };
        assert_eq!(ended.code, 3, "{size} {balancer}: {}{}", ended.out, ended.err);
        assert!(ended.err.contains("No space left on device"), "{size} {balancer}: {}", ended.err);
        assert_eq!(processes_below(dir.path()), Vec::<String>::new(), "{size} {balancer}");
    }
}

#[test]
fn too_few_ports_are_the_machines_fault() {
    let _machine = machine();
    let dir = tempfile::tempdir().unwrap();
    let setup = "ip link set lo up && echo 40000 40031 >/proc/sys/net/ipv4/ip_local_port_range";
    if let Some(ended) = apart(dir.path(), "-n", setup, &run_of(&scenario("short-drain"), "haproxy")) {
        let said = format!("{}{}", ended.out, ended.err);
        assert!(matches!(ended.code, 3 | 4), "{}: {said}", ended.code);
        assert!(said.contains(" port"), "{said}");
        assert_eq!(processes_below(dir.path()), Vec::<String>::new());
    }
}

/// The engine's socket as rig sees it, which can go away as an engine does that is restarted.
struct Door {
    cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<UnixStream>>>,
}

impl Door {
    fn before(engine: &Path, at: &Path) -> Door {
        let door = Door { cut: Arc::default(), open: Arc::default() };
        let (engine, listener) = (engine.to_owned(), UnixListener::bind(at).unwrap());
        let (cut, open) = (door.cut.clone(), door.open.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = UnixStream::connect(&engine) else { continue };
                let mut known = open.lock().unwrap();
                if cut.load(Ordering::SeqCst) {
                    continue;
                }
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    known.push(from.try_clone().unwrap());
                    std::thread::spawn(move || pass(from, to));
                }
            }
        });
        door
    }

    /// Ends every connection, and all that come until [`Door::heal`].
    fn cut(&self) {
        let mut open = self.open.lock().unwrap();
        self.cut.store(true, Ordering::SeqCst);
        for connection in open.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    fn heal(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[test]
fn an_engine_that_goes_away_in_mid_run_is_named_and_nothing_is_left_when_it_is_back() {
    let _machine = machine();
    if !has_docker() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (endpoint, _) = runtime.block_on(docker()).unwrap();
    let Some(engine) = endpoint.socket() else {
        eprintln!("not tested: {} is no socket", endpoint.url);
        return;
    };
    for event in ["cell_started", "scheduled", "replacing"] {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("engine.sock");
        let door = Door::before(engine, &at);
        let arguments = ["run", &scenario("docker-drain"), "--balancer", "haproxy", "--runtime", "docker"];
        let mut command = crate::harness::rig(dir.path(), &arguments);
        command.env("DOCKER_HOST", format!("unix://{}", at.display()));
        let mut running = Running::of(dir.path(), &mut command);
        let pid = running.child.id();
        running.until(event);
        door.cut();
        std::thread::sleep(Duration::from_secs(1));
        door.heal();
        let ended = within(Duration::from_secs(90), &format!("rig's end after {event}"), || {
            running.child.try_wait().unwrap()
        });
        let said = running.said();
        assert!(matches!(ended.code(), Some(3 | 4)), "{event}: {ended:?}: {said}");
        assert!(said.contains("engine"), "{event}: {said}");
        within(Duration::from_secs(30), &format!("all to be gone after {event}: {said}"), || {
            (made_by(pid).is_empty() && processes_below(dir.path()).is_empty()).then_some(())
        });
    }
}
