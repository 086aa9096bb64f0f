//! A process that dies while the load runs, killed by somebody else than rig: a result, and nothing is left behind.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Running, alive, beside_others, cell, eventually, launched, scenario};

/// Runs a drained deploy, kills `component` at its first deregistration, and returns the run's summary.
fn killed(balancer: &str, component: &str) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let scenario = scenario("short-drain");
    let arguments =
        ["run", "--runtime", "process", &scenario, "--balancer", balancer, "--variant", "with-drain"];
    let mut running = Running::start(dir.path(), &arguments);
    let history = running.until("deregistered");
    let groups = launched(&history);
    let victim = history.iter().find(|event| event["event"] == "launched" && event["component"] == component);
    let pid = victim.and_then(|event| event["pid"].as_i64()).unwrap();
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
    let ended = eventually("the run to end", || running.child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(1), "{balancer} without {component}");
    assert_eq!(alive(&groups), Vec::<String>::new());
    let kept = dir.path().join("results/short-drain/latest/summary.json");
    serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap()
}

/// The drained cell of a run in which `who` died: its counts are whole, and it is no pass.
fn measured<'a>(run: &'a Value, balancer: &str, who: &str) -> &'a Value {
    assert_eq!(run["verdict"], "failed");
    let cell = cell(run, balancer, "with-drain");
    assert_eq!(cell["counts"]["scheduled"], 2000, "the load went on to its end");
    assert_ne!(cell["validity"]["counts"]["verdict"], "INVALID", "{}", cell["validity"]);
    assert_eq!(cell["books"]["unmatched"], Value::Array(vec![]));
    assert_eq!(cell["deaths"][0]["who"], who);
    assert_eq!(cell["deaths"].as_array().unwrap().len(), 1);
    cell
}

#[test]
fn a_balancer_that_is_killed_in_mid_deploy_is_a_result() {
    let _share = beside_others();
    let run = killed("haproxy", "balancer");
    let cell = measured(&run, "haproxy", "haproxy");
    assert!(cell["counts"]["refused"].as_u64().unwrap() > 0, "{}", cell["counts"]);
    assert_eq!(cell["deaths"][0]["dropped"], cell["counts"]["dropped"]);
    assert_eq!(cell["books"]["access_log"], "lost");
}

#[test]
fn a_master_that_leaves_its_workers_behind_has_died_all_the_same() {
    let _share = beside_others();
    let run = killed("nginx", "balancer");
    measured(&run, "nginx", "nginx");
}

#[test]
fn a_backend_that_is_killed_from_outside_in_mid_deploy_is_a_result() {
    let _share = beside_others();
    let run = killed("envoy", "web-3/1");
    let cell = measured(&run, "envoy", "web-3/1");
    assert!(cell["deaths"][0]["dropped"].as_u64().unwrap() > 0);
    assert_eq!(cell["faults"][0]["fault"], "died by itself");
    assert_eq!(cell["deploy"]["replaced"], 3);
}
