//! A service of somebody else: a small server whose behaviour is in files, which any command can replace (`mv`: half a file is read as well); and a topology of
//! `rig up`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use testing::{BalancerKind, Pid, Sandbox, Signal, kill_process};

/// It answers with what the file `version` says, closes connections without an answer while there is a file `down`, answers
/// every n-th request with 503 while `noise` says n, and all with a redirect while there is a file `redirect`.
pub(crate) struct Service {
    address: SocketAddr,
    directory: PathBuf,
}

impl Service {
    pub(crate) fn begin(rig: &Sandbox) -> Service {
        Service::begin_at(rig, "127.0.0.1:0".parse().unwrap(), rig.path())
    }

    /// At an address, with its files in a directory of its own.
    pub(crate) fn begin_at(rig: &Sandbox, address: SocketAddr, directory: &Path) -> Service {
        let listener = TcpListener::bind(address).unwrap();
        let directory = rig.path().join(directory);
        fs::create_dir_all(&directory).unwrap();
        let service = Service { address: listener.local_addr().unwrap(), directory };
        service.set("version", "v1");
        let (directory, asked) = (service.directory.clone(), Arc::new(AtomicU64::new(0)));
        // It ends with the test's process; its connections end with their clients.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (directory, asked) = (directory.clone(), Arc::clone(&asked));
                std::thread::spawn(move || serve(stream, &directory, &asked));
            }
        });
        service
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn set(&self, name: &str, text: &str) {
        fs::write(self.directory.join(name), text).unwrap();
    }

    pub(crate) fn unset(&self, name: &str) {
        fs::remove_file(self.directory.join(name)).unwrap();
    }
}

fn serve(stream: TcpStream, directory: &Path, asked: &AtomicU64) {
    let mut output = stream.try_clone().unwrap();
    let mut input = BufReader::new(stream);
    let read = |name: &str| fs::read_to_string(directory.join(name)).ok();
    loop {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if !matches!(input.read_line(&mut line), Ok(1..)) {
                return;
            }
        }
        if directory.join("down").exists() {
            return;
        }
        let number = asked.fetch_add(1, Ordering::Relaxed);
        let noise = read("noise").and_then(|text| text.trim().parse::<u64>().ok());
        let (status, more) = match noise {
            _ if directory.join("redirect").exists() => ("301 Moved", "Location: http://elsewhere.test/\r\n"),
            Some(each) if number % each == each - 1 => ("503 Busy", ""),
            _ => ("200 OK", ""),
        };
        let version = read("version").unwrap_or_default();
        let answer = format!(
            "HTTP/1.1 {status}\r\nX-Version: {}\r\n{more}Content-Length: 2\r\n\r\nok",
            version.trim()
        );
        if output.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// A topology of `rig up`, which any shell can deploy.
pub(crate) struct Standing {
    child: Child,
    pub(crate) name: String,
    pub(crate) url: String,
    /// The curl command that it names.
    pub(crate) curl: String,
}

impl Standing {
    pub(crate) fn begin(rig: &Sandbox, balancer: BalancerKind) -> Standing {
        Standing::begin_with(rig, balancer, "{}")
    }

    /// With keys of the listener.
    pub(crate) fn begin_with(rig: &Sandbox, balancer: BalancerKind, listener: &str) -> Standing {
        let name = format!("standing-{}-{balancer}", std::process::id());
        rig.write(
            "standing.yaml",
            format!(
                "name: {name}\nquestion: Who deploys it?\ntopology:\n  pools: {{ web: {{ backends: 3, boot: 50ms, latency: \
                 {{ uniform: [20ms, 150ms] }} }} }}\n  routes: {{ all: {{ path: /, to: web }} }}\n  listener: {listener}\n\
                 load: {{ rate: 10/s, for: 5s }}\n"
            ),
        );
        let up = rig.command(["up", "standing.yaml", "--runtime", "process"]).on([balancer]);
        let mut child = up.as_command().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut sheet = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let line = sheet.find(|line| line.contains("curl") && line.contains("://")).expect("a curl line");
        let url = line.split(['\'', ' ']).find(|word| word.starts_with("http")).unwrap().to_owned();
        // Who stops reading would end what writes.
        std::thread::spawn(move || sheet.for_each(drop));
        Standing { child, name, url, curl: line }
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        kill(self.child.id() as i32);
        let _ = self.child.wait();
    }
}

pub(crate) fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next().map(str::to_owned));
    state.is_some_and(|state| state != "Z")
}

/// proc(5): state, parent, process group and session come after the name.
pub(crate) fn leads_a_session(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let session = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(3)?.parse().ok());
    session == Some(pid)
}

pub(crate) fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
}
