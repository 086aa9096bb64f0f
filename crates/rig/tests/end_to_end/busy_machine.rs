//! A machine that is short of something, or busy with something else: never a balancer's fault, and never a figure of
//! the machine that passes for one of the balancer.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Running, Said, bundled, files, machine, said, scenario};

/// `rig run` of `file` within `sh -c "WITHIN; exec …"`, behind `wrapper`.
fn run_within(out: &Path, wrapper: &[&str], within: &str, file: &str) -> Said {
    let shell = ["sh", "-c", within, env!("CARGO_BIN_EXE_rig"), "run", file];
    let words: Vec<&str> = wrapper.iter().copied().chain(shell).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["--runtime", "process", "--balancer", "nginx", "--quiet"]);
    said(command.current_dir(out))
}

#[test]
fn too_few_descriptors_are_told_before_anything_is_launched() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run_within(dir.path(), &[], "ulimit -n 128; exec \"$0\" \"$@\"", &bundled("drain"));
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("open files in a process, and this machine allows 128"), "{}", ended.err);
    assert!(ended.err.contains("help: sudo prlimit --pid $$ --nofile="), "{}", ended.err);
    assert_eq!(files(dir.path()).len(), 0);
}

#[test]
fn too_few_ports_are_told_before_anything_is_launched() {
    let namespace = ["unshare", "--map-root-user", "--net"];
    if !Command::new(namespace[0]).args(&namespace[1..]).arg("true").status().is_ok_and(|s| s.success()) {
        eprintln!("skipped: no network namespace can be made here");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let few = "echo '40000 40040' >/proc/sys/net/ipv4/ip_local_port_range; exec \"$0\" \"$@\"";
    let ended = run_within(dir.path(), &namespace, few, &bundled("drain"));
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(
        ended.err.contains("(net.ipv4.ip_local_port_range), and this machine allows 41"),
        "{}",
        ended.err
    );
    assert_eq!(files(dir.path()).len(), 0);
}

/// Runs a second of load, stops `component` for so long, and says how `rig` ended, with its summary.
fn stopped(component: &str, length: Duration) -> (i32, Value) {
    let _machine = machine();
    let out = tempfile::tempdir().unwrap();
    let mut run =
        Running::start(out.path(), &["run", "--runtime", "process", &scenario("steady"), "--quiet"]);
    let history = run.until("machine_read");
    let of = |event: &&Value| event["event"] == "launched" && event["component"] == component;
    let pid = history.iter().find(of).unwrap()["pid"].as_u64().unwrap();
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    kill_process(pid, Signal::STOP).unwrap();
    std::thread::sleep(length);
    kill_process(pid, Signal::CONT).unwrap();
    let code = run.child.wait().unwrap().code().unwrap();
    let summary = files(out.path())
        .into_iter()
        .find(|path| path.ends_with("summary.json") && !path.to_string_lossy().contains("cells"));
    let text = std::fs::read_to_string(summary.unwrap()).unwrap();
    (code, serde_json::from_str(&text).unwrap())
}

#[test]
fn a_generator_that_was_stopped_is_nobodys_fault_and_leaves_no_trusted_p90() {
    for ms in [100, 500] {
        let (code, run) = stopped("generator", Duration::from_millis(ms));
        let cell = &run["cells"][0];
        assert_eq!(code, 4, "{ms} ms: {:#} {:#}", run["claims"], cell["validity"]);
        assert_eq!(cell["counts"]["timeout"], 0, "{ms} ms: {:#}", cell["counts"]);
        let faults = cell["counts"]["generator_fault"].as_u64().unwrap();
        assert!(ms < 500 || faults > 0, "{ms} ms: {:#}", cell["counts"]);
    }
}

#[test]
fn a_backend_that_was_stopped_from_outside_is_named() {
    let (code, run) = stopped("web-1/1", Duration::from_millis(400));
    assert_eq!(code, 4, "{:#}", run["claims"]);
    let cell = &run["cells"][0];
    assert_eq!(cell["lateness"]["standstill"]["component"], "web-1/1", "{:#}", cell["lateness"]);
    let reasons = cell["validity"]["counts"]["reasons"].to_string();
    assert!(reasons.contains("charged to nobody"), "{reasons}");
}

#[test]
fn a_machine_that_works_for_others_never_fails_a_claim() {
    let _machine = machine();
    let done = AtomicBool::new(false);
    let out = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let arguments =
            ["run", "--runtime", "process", &scenario("steady"), "--quiet", "--set", "load.for=6s"];
        let ended = said(crate::harness::rig(out.path(), &arguments).args(["--format", "json"]));
        done.store(true, Ordering::Relaxed);
        let run: Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(ended.code, 4, "{:#}", run["claims"]);
        let cell = &run["cells"][0];
        let foreign = cell["cpu"]["foreign"].as_f64().unwrap();
        assert!(foreign > 0.6, "{:#}", cell["cpu"]);
        assert_eq!(cell["validity"]["percentiles"]["p50"]["verdict"], "INVALID", "{:#}", cell["validity"]);
    });
}
