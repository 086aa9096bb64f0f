//! rig stopped in mid-run, politely or not: nothing that it launched survives.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{
    Running, alive, eventually, files, has_docker, histories, launched, machine, made_by, rig, said,
    scenario, within,
};
use crate::nemesis::{draw, fresh_seed};
use crate::shared::processes_below;

fn send(running: &Running, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(running.child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[test]
fn kill_9_in_mid_run_leaves_no_process_of_any_balancer() {
    let _machine = machine();
    for balancer in ["nginx", "haproxy", "envoy"] {
        let dir = tempfile::tempdir().unwrap();
        let arguments = [
            "run",
            "--runtime",
            "process",
            &scenario("short-drain"),
            "--balancer",
            balancer,
            "--variant",
            "with-drain",
        ];
        let mut running = Running::start(dir.path(), &arguments);
        let history = running.until("deregistering");
        let groups = launched(&history);
        assert!(groups.len() >= 5, "{balancer}: {groups:?}");
        assert!(!alive(&groups).is_empty(), "{balancer}");
        send(&running, Signal::KILL);
        assert_eq!(running.child.wait().unwrap().signal(), Some(9));
        eventually(&format!("{balancer} and all agents to be gone"), || {
            alive(&groups).is_empty().then_some(())
        });
        what_is_left_on_disk_is_told_salvaged_and_removed(dir.path(), balancer);
    }
}

fn what_is_left_on_disk_is_told_salvaged_and_removed(dir: &Path, balancer: &str) {
    let left = || files(dir).into_iter().filter(|file| file.to_string_lossy().contains("/run/")).count();
    assert!(left() > 0, "{balancer}");
    let report = || {
        let ended = said(&mut rig(dir, &["report", "results/short-drain/latest", "--format", "json"]));
        assert_eq!(ended.code, 4, "{balancer}: {}", ended.err);
        serde_json::from_str::<serde_json::Value>(&ended.out).unwrap()
    };
    let told = report().to_string();
    assert!(told.contains("rig was killed in this cell, or still runs"), "{balancer}: {told}");
    let executions = |run: &serde_json::Value| run["cells"][0]["books"]["executions"].as_u64();
    let before = executions(&report());
    assert!(before.is_some_and(|known| known > 0), "{balancer}: {told}");
    let cleaned = said(rig(dir, &["clean"]).env("DOCKER_HOST", "unix:///nowhere"));
    assert_eq!(cleaned.code, 0, "{balancer}: {}", cleaned.err);
    assert_eq!(left(), 0, "{balancer}: {}", cleaned.out);
    assert_eq!(executions(&report()), before, "{balancer}");
}

#[test]
fn kill_9_leaves_no_balancer_that_stands_still() {
    let _machine = machine();
    for balancer in ["nginx", "haproxy", "envoy"] {
        let dir = tempfile::tempdir().unwrap();
        let arguments = ["run", "--runtime", "process", &scenario("short-drain"), "--balancer", balancer];
        let mut running = Running::start(dir.path(), &arguments);
        let history = running.until("scheduled");
        kill_process(pid_of(&history, "balancer"), Signal::STOP).unwrap();
        send(&running, Signal::KILL);
        running.child.wait().unwrap();
        within(Duration::from_secs(10), &format!("{balancer} to be gone"), || {
            processes_below(dir.path()).is_empty().then_some(())
        });
    }
}

#[test]
fn ctrl_c_ends_everything_in_order_and_exits_130() {
    let _machine = machine();
    for signal in [Signal::INT, Signal::TERM] {
        let dir = tempfile::tempdir().unwrap();
        let mut running = Running::start(
            dir.path(),
            &["run", "--runtime", "process", &scenario("short-drain"), "--balancer", "nginx"],
        );
        let groups = launched(&running.until("scheduled"));
        send(&running, signal);
        assert_eq!(running.child.wait().unwrap().code(), Some(130), "{signal:?}");
        // Awaited, not merely told: at rig's own exit they are gone already.
        assert_eq!(alive(&groups), Vec::<String>::new(), "{signal:?}");
        let kept = dir.path().join("results/short-drain/latest/summary.json");
        let summary: serde_json::Value = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
        assert_eq!(summary["verdict"], "interrupted", "{signal:?}");
    }
}

#[test]
fn ctrl_c_leaves_no_container_and_exits_130() {
    let _machine = machine();
    if !has_docker() {
        return;
    }
    // While things come up, and under load.
    for event in ["cell_started", "scheduled"] {
        let dir = tempfile::tempdir().unwrap();
        let arguments = ["run", &scenario("short-drain"), "--balancer", "nginx", "--runtime", "docker"];
        let mut running = Running::start(dir.path(), &arguments);
        running.until(event);
        assert!(!made_by(running.child.id()).is_empty(), "{event}");
        send(&running, Signal::INT);
        assert_eq!(running.child.wait().unwrap().code(), Some(130), "{event}");
        assert_eq!(made_by(running.child.id()), Vec::<String>::new(), "{event}");
        assert_eq!(processes_below(dir.path()), Vec::<String>::new(), "{event}");
    }
}

#[test]
fn kill_9_at_any_moment_leaves_no_container_and_no_network() {
    const MOMENTS: u64 = 5;
    const LATEST: Duration = Duration::from_secs(3);
    let _machine = machine();
    if !has_docker() {
        return;
    }
    let seed = fresh_seed();
    let mut ran = 0;
    for n in 0..MOMENTS {
        // Drawn once in each stretch: at any moment, and not always at the same.
        let moment = LATEST.mul_f64((n as f64 + draw(seed, n)) / MOMENTS as f64);
        let balancer = ["nginx", "haproxy", "envoy"][((seed + n) % 3) as usize];
        let round = format!("RIG_NEMESIS_SEED={seed} ({balancer}, {moment:?})");
        let dir = tempfile::tempdir().unwrap();
        let arguments = ["run", &scenario("short-drain"), "--balancer", balancer, "--runtime", "docker"];
        let mut running = Running::start(dir.path(), &arguments);
        let pid = running.child.id();
        std::thread::sleep(moment);
        let left = || [processes_below(dir.path()), made_by(pid)].concat();
        ran += left().len();
        send(&running, Signal::KILL);
        assert_eq!(running.child.wait().unwrap().signal(), Some(9), "{round}");
        within(Duration::from_secs(10), &format!("all to be gone: {round}"), || {
            left().is_empty().then_some(())
        });
    }
    // rig itself is one at each; the rest is what had to go, more of it on a faster machine.
    assert!(
        ran > MOMENTS as usize,
        "RIG_NEMESIS_SEED={seed}: only {ran} processes, containers and networks were seen"
    );
}

#[test]
fn a_balancer_that_dies_under_load_is_a_result_and_its_workers_are_ended() {
    let _machine = machine();
    // nginx's workers outlive a master that had no time to end them.
    for (balancer, signal) in [("haproxy", Signal::TERM), ("nginx", Signal::KILL)] {
        let dir = tempfile::tempdir().unwrap();
        let arguments = [
            "run",
            "--runtime",
            "process",
            &scenario("short-drain"),
            "--balancer",
            balancer,
            "--variant",
            "without-drain",
        ];
        let mut running = Running::start(dir.path(), &arguments);
        let history = running.until("replacing");
        kill_process(pid_of(&history, "balancer"), signal).unwrap();
        assert_eq!(running.child.wait().unwrap().code(), Some(1), "{balancer}");
        assert_eq!(alive(&launched(&history)), Vec::<String>::new(), "{balancer}");
    }
}

#[test]
fn a_backend_that_dies_by_itself_is_a_result() {
    let _machine = machine();
    let dir = tempfile::tempdir().unwrap();
    let arguments = [
        "run",
        "--runtime",
        "process",
        &scenario("short-drain"),
        "--balancer",
        "nginx",
        "--variant",
        "without-drain",
    ];
    let mut running = Running::start(dir.path(), &arguments);
    let history = running.until("scheduled");
    kill_process(pid_of(&history, "web-2/1"), Signal::KILL).unwrap();
    assert_eq!(running.child.wait().unwrap().code(), Some(1));
    let told: Vec<String> =
        histories(dir.path()).into_iter().filter(|text| text.contains("web-2/1")).collect();
    assert_eq!(told.len(), 1);
}

fn pid_of(history: &[serde_json::Value], component: &str) -> Pid {
    let launch = history.iter().find(|event| event["event"] == "launched" && event["component"] == component);
    let pid = launch.and_then(|launch| launch["pid"].as_i64()).unwrap();
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

#[test]
fn ctrl_c_ends_rig_while_an_engine_never_answers() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    // Connections are accepted by the kernel, and nobody reads them.
    let engine = UnixListener::bind(&socket).unwrap();
    let mut command = rig(dir.path(), &["run", &scenario("short-drain"), "--runtime", "docker"]);
    let mut child = command
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _connection = engine.accept().unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(files(dir.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_second_ctrl_c_ends_rig_while_a_balancer_does_not_follow_the_first() {
    let _machine = machine();
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["run", "--runtime", "process", &scenario("short-drain"), "--balancer", "haproxy"];
    let mut child = rig(dir.path(), &arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let history = eventually("the load", || {
        let text = histories(dir.path()).into_iter().find(|text| text.contains("\"event\":\"scheduled\""))?;
        Some(
            text.lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect::<Vec<serde_json::Value>>(),
        )
    });
    kill_process(pid_of(&history, "balancer"), Signal::STOP).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    told.find(|line| line.starts_with("stopping")).expect("it says that it stops");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    told.find(|line| line.starts_with("stopped at once")).expect("it says that it did not wait");
    eventually("the end of everything", || alive(&launched(&history)).is_empty().then_some(()));
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    let _machine = machine();
    let dir = tempfile::tempdir().unwrap();
    let mut running = Command::new("sh");
    running.args(["-c", "trap '' HUP; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_rig"), "run", "--quiet"]);
    running.args([
        "--runtime",
        "process",
        &scenario("standing"),
        "--balancer",
        "nginx",
        "--variant",
        "plain",
    ]);
    let mut child = running.current_dir(dir.path()).stdout(Stdio::null()).spawn().unwrap();
    eventually("the load", || {
        histories(dir.path()).into_iter().find(|text| text.contains("\"event\":\"scheduled\""))
    });
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
