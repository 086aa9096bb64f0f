//! rig stopped in mid-run, politely or not: nothing that it launched survives.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use testing::{
    BALANCERS, BalancerKind, Haproxy, History, Nginx, Pid, Sandbox, Signal, Verdict, docker, eventually,
    kill_process, left, within,
};

use crate::RIG;

#[test]
fn kill_9_in_mid_run_leaves_no_process_of_any_balancer() {
    let machine = RIG.beside_others();
    for balancer in BALANCERS {
        let rig = machine.fresh();
        let mut running = rig.run("short-drain").on([balancer]).variants(["with-drain"]).loud().begin();
        let groups = running.until("deregistering").launched();
        assert!(groups.len() >= 5, "{balancer}: {groups:?}");
        assert!(!left::alive(&groups).is_empty(), "{balancer}");
        running.signal(Signal::KILL);
        assert_eq!(running.ends().signal(), Some(9));
        eventually(&format!("{balancer} and all agents to be gone"), || {
            left::alive(&groups).is_empty().then_some(())
        });
        what_is_left_on_disk_is_told_salvaged_and_removed(&rig, balancer);
    }
}

fn what_is_left_on_disk_is_told_salvaged_and_removed(rig: &Sandbox, balancer: BalancerKind) {
    let left = || rig.files().into_iter().filter(|file| file.to_string_lossy().contains("/run/")).count();
    assert!(left() > 0, "{balancer}");
    let report = || rig.command(["report", "results/short-drain/latest", "--format", "json"]).exits(4);
    report().says("rig was killed in this cell, or still runs");
    let executions = || report().summary().cells[0].books.executions;
    let before = executions();
    assert!(before > 0, "{balancer}");
    let cleaned = rig.command(["clean"]).env("DOCKER_HOST", "unix:///nowhere").exits(0);
    assert_eq!(left(), 0, "{balancer}: {cleaned}");
    assert_eq!(executions(), before, "{balancer}");
}

#[test]
fn kill_9_leaves_no_balancer_that_stands_still() {
    let machine = RIG.beside_others();
    for balancer in BALANCERS {
        let rig = machine.fresh();
        let mut running = rig.run("short-drain").on([balancer]).loud().begin();
        let history = running.until("scheduled");
        kill_process(history.pid_of("balancer"), Signal::STOP).unwrap();
        running.signal(Signal::KILL);
        running.ends();
        within(Duration::from_secs(10), &format!("{balancer} to be gone"), || {
            rig.processes().is_empty().then_some(())
        });
    }
}

#[test]
fn ctrl_c_ends_everything_in_order_and_exits_130() {
    let machine = RIG.beside_others();
    for signal in [Signal::INT, Signal::TERM] {
        let rig = machine.fresh();
        let mut running = rig.run("short-drain").on([Nginx]).loud().begin();
        let groups = running.until("scheduled").launched();
        running.signal(signal);
        running.exits(130);
        // Awaited, not merely told: at rig's own exit they are gone already.
        assert_eq!(left::alive(&groups), Vec::<String>::new(), "{signal:?}");
        assert_eq!(rig.saved().verdict, Verdict::Interrupted, "{signal:?}");
    }
}

#[test]
fn ctrl_c_leaves_no_container_and_exits_130() {
    let Some(machine) = RIG.beside_others().with_docker() else { return };
    // While things come up, and under load.
    for event in ["cell_started", "scheduled"] {
        let rig = machine.fresh();
        let mut running = rig.run("short-drain").on([Nginx]).docker().loud().begin();
        running.until(event);
        assert!(!docker::made_by(running.pid()).is_empty(), "{event}");
        running.signal(Signal::INT);
        running.exits(130);
        assert_eq!(docker::made_by(running.pid()), Vec::<String>::new(), "{event}");
        assert_eq!(rig.processes(), Vec::<String>::new(), "{event}");
    }
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_balancer_that_dies_under_load_is_a_result_and_its_workers_are_ended() {
    let machine = RIG.beside_others();
    // nginx's workers outlive a master that had no time to end them.
    for (balancer, signal) in [(Haproxy, Signal::TERM), (Nginx, Signal::KILL)] {
        let run = machine.fresh().run("short-drain").on([balancer]).variants(["without-drain"]);
        let mut running = run.loud().begin();
        let history = running.until("replacing");
        kill_process(history.pid_of("balancer"), signal).unwrap();
        running.exits(1);
        assert_eq!(left::alive(&history.launched()), Vec::<String>::new(), "{balancer}");
    }
}

#[test]
fn a_backend_that_dies_by_itself_is_a_result() {
    let rig = RIG.beside_others();
    let mut running = rig.run("short-drain").on([Nginx]).variants(["without-drain"]).loud().begin();
    let history = running.until("scheduled");
    kill_process(history.pid_of("web-2/1"), Signal::KILL).unwrap();
    running.exits(1);
    let told: Vec<History> =
        rig.histories().into_iter().filter(|history| history.text.contains("web-2/1")).collect();
    assert_eq!(told.len(), 1);
}

/// A command whose standard error is read.
fn overheard(mut command: Command) -> Child {
    command.stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until some cell's load has begun.
fn under_load(rig: &Sandbox) -> History {
    eventually("the load", || rig.histories().into_iter().find(|history| history.has("scheduled")))
}

#[test]
fn ctrl_c_ends_rig_while_an_engine_never_answers() {
    let rig = RIG.idle();
    let socket = rig.path().join("docker.sock");
    // Connections are accepted by the kernel, and no process reads them.
    let engine = UnixListener::bind(&socket).unwrap();
    let run =
        rig.run("short-drain").docker().loud().env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let mut child = overheard(run.as_command());
    let _connection = engine.accept().unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(rig.files(), Vec::<PathBuf>::new());
}

#[test]
fn a_second_ctrl_c_ends_rig_while_a_balancer_does_not_follow_the_first() {
    let rig = RIG.beside_others();
    let mut child = overheard(rig.run("short-drain").on([Haproxy]).loud().as_command());
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let history = under_load(&rig);
    kill_process(history.pid_of("balancer"), Signal::STOP).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    told.find(|line| line.starts_with("stopping")).expect("it says that it stops");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    told.find(|line| line.starts_with("stopped at once")).expect("it says that it did not wait");
    eventually("the end of everything", || left::alive(&history.launched()).is_empty().then_some(()));
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    let rig = RIG.beside_others();
    let mut running = rig.run("standing").on([Nginx]).variants(["plain"]).after("trap '' HUP").begin();
    under_load(&rig);
    running.signal(Signal::HUP);
    running.exits(0);
}
