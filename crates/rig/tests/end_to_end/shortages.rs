//! What a run does where the machine has not enough of something, or its Docker engine goes away: it says so, blames
//! no component for it, and leaves nothing.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use testing::{Ended, Envoy, Haproxy, Invocation, Nginx, docker, within};

use crate::RIG;

/// Executes it in namespaces of its own, after `setup`; `None`: this user can't make any, or there is no `ip`.
fn apart(run: Invocation, namespaces: &str, setup: &str) -> Option<Ended> {
    let ended = run.within(["unshare", namespaces]).after(&format!("{{ {setup}; }} || exit 77")).ends();
    // 1 is unshare's own, and says why; rig begins with another word.
    if ended.code == 77 || ended.err.starts_with("unshare:") {
        eprintln!("not tested: {}", ended.err);
        return None;
    }
    Some(ended)
}

#[test]
fn a_full_disk_is_named_whenever_it_fills_up() {
    let machine = RIG.beside_others();
    // Once a cell has begun, something else takes what is left: at once, in mid-load, or at the end.
    let filled = |after: &str| {
        format!(
            "mount -t tmpfs -o size=16m tmpfs results && {{ n=0; until ls -d results/*/*/cells/*/run; do \
             n=$((n + 1)); [ $n -lt 400 ] || exit; sleep 0.05; done; sleep {after}; cat /dev/zero >results/filler; }} \
             >/dev/null 2>&1 & true"
        )
    };
    for (after, balancer) in [("0", Nginx), ("2", Haproxy), ("5", Envoy)] {
        let rig = machine.fresh();
        std::fs::create_dir(rig.path().join("results")).unwrap();
        let run = rig.run("short-drain").on([balancer]).args(["--out=results"]);
        let Some(ended) = apart(run, "-m", &filled(after)) else { return };
        ended.exits(3).complains("No space left on device");
        assert_eq!(rig.processes(), Vec::<String>::new(), "{after} s, {balancer}");
    }
}

#[test]
fn a_disk_that_is_too_small_is_named_before_the_load() {
    let rig = RIG.beside_others();
    std::fs::create_dir(rig.path().join("results")).unwrap();
    let run = rig.run("short-drain").on([Nginx]).args(["--out=results"]);
    if let Some(ended) = apart(run, "-m", "mount -t tmpfs -o size=16k tmpfs results") {
        ended.exits(3).complains("MiB of disk space, and 16.0 KiB are free").complains("--out DIR");
    }
}

#[test]
fn too_few_ports_are_the_machines_fault() {
    let rig = RIG.beside_others();
    let setup = "ip link set lo up && echo 40000 40031 >/proc/sys/net/ipv4/ip_local_port_range";
    let run = rig.run("short-drain").on([Haproxy]).args(["--out=results"]);
    if let Some(ended) = apart(run, "-n", setup) {
        assert!(matches!(ended.code, 3 | 4), "{ended}");
        assert!(ended.to_string().contains(" port"), "{ended}");
        assert_eq!(rig.processes(), Vec::<String>::new());
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
#[ignore = "takes long: make test-rest"]
fn an_engine_that_goes_away_in_mid_run_is_named_and_nothing_is_left_when_it_is_back() {
    let Some(machine) = RIG.beside_others().with_docker() else { return };
    let endpoint = docker::ask(async |endpoint, _| endpoint.clone()).unwrap();
    let Some(engine) = endpoint.socket() else {
        eprintln!("not tested: {} is no socket", endpoint.url);
        return;
    };
    for event in ["cell_started", "scheduled", "replacing"] {
        let rig = machine.fresh();
        let at = rig.path().join("engine.sock");
        let door = Door::before(engine, &at);
        let run = rig.run("docker-drain").on([Haproxy]).docker().loud();
        let mut running = run.env("DOCKER_HOST", format!("unix://{}", at.display())).begin();
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
            (docker::made_by(running.pid()).is_empty() && rig.processes().is_empty()).then_some(())
        });
    }
}
