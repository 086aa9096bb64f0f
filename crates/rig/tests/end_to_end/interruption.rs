//! rig stopped in mid-run, politely or not: nothing that it launched survives.

use std::os::unix::process::ExitStatusExt;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Running, alive, eventually, histories, launched, machine, scenario};

fn send(running: &Running, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(running.child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[test]
fn kill_9_in_mid_run_leaves_no_process_of_any_balancer() {
    let _machine = machine();
    for balancer in ["nginx", "haproxy", "envoy"] {
        let dir = tempfile::tempdir().unwrap();
        let arguments = ["run", &scenario("short-drain"), "--balancer", balancer, "--variant", "with-drain"];
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
    }
}

#[test]
fn ctrl_c_ends_everything_in_order_and_exits_130() {
    let _machine = machine();
    for signal in [Signal::INT, Signal::TERM] {
        let dir = tempfile::tempdir().unwrap();
        let mut running =
            Running::start(dir.path(), &["run", &scenario("short-drain"), "--balancer", "nginx"]);
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
fn a_balancer_that_dies_under_load_makes_the_measurement_invalid_and_its_workers_are_ended() {
    let _machine = machine();
    // nginx's workers outlive a master that had no time to end them.
    for (balancer, signal) in [("haproxy", Signal::TERM), ("nginx", Signal::KILL)] {
        let dir = tempfile::tempdir().unwrap();
        let arguments =
            ["run", &scenario("short-drain"), "--balancer", balancer, "--variant", "without-drain"];
        let mut running = Running::start(dir.path(), &arguments);
        let history = running.until("replacing");
        kill_process(pid_of(&history, balancer), signal).unwrap();
        assert_eq!(running.child.wait().unwrap().code(), Some(4), "{balancer}");
        assert_eq!(alive(&launched(&history)), Vec::<String>::new(), "{balancer}");
    }
}

#[test]
fn a_backend_that_dies_by_itself_makes_the_measurement_invalid_and_is_not_the_balancers_fault() {
    let _machine = machine();
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["run", &scenario("short-drain"), "--balancer", "nginx", "--variant", "without-drain"];
    let mut running = Running::start(dir.path(), &arguments);
    let history = running.until("scheduled");
    kill_process(pid_of(&history, "web-2/1"), Signal::KILL).unwrap();
    assert_eq!(running.child.wait().unwrap().code(), Some(4));
    let failed: Vec<String> =
        histories(dir.path()).into_iter().filter(|text| text.contains("web-2/1 failed")).collect();
    assert_eq!(failed.len(), 1);
}

fn pid_of(history: &[serde_json::Value], component: &str) -> Pid {
    let launch = history.iter().find(|event| event["event"] == "launched" && event["component"] == component);
    let pid = launch.and_then(|launch| launch["pid"].as_i64()).unwrap();
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}
