//! `rig doctor`: valid JSON, the checks that it promises, the exit code that follows from them, and nothing left.

use serde_json::Value;

use crate::harness::{files, machine, rig, said};

/// The names of a section's checks, and the section.
fn section<'a>(checkup: &'a Value, name: &str) -> (Vec<&'a str>, &'a Value) {
    let sections = checkup["sections"].as_array().unwrap();
    let section = sections.iter().find(|section| section["name"] == name).unwrap();
    let names = section["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap());
    (names.collect(), section)
}

fn check<'a>(section: &'a Value, name: &str) -> &'a Value {
    section["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()
}

/// Whether some runtime has a balancer to run.
fn some_runtime_runs(checkup: &Value) -> bool {
    let runs = |section: &Value| section["runs"].as_array().is_some_and(|runs| !runs.is_empty());
    checkup["sections"].as_array().unwrap().iter().any(runs)
}

#[test]
fn without_an_engine_everything_else_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = rig(dir.path(), &["doctor", "--format", "json"]);
    let ended = said(command.env("DOCKER_HOST", "unix:///nowhere"));
    let checkup: Value = serde_json::from_str(&ended.out).unwrap();

    let (names, docker) = section(&checkup, "docker");
    assert_eq!(names, ["engine"]);
    let engine = check(docker, "engine");
    assert_eq!(engine["state"], "failed");
    assert!(engine["found"].as_str().unwrap().contains("unix:///nowhere (from DOCKER_HOST)"), "{engine}");
    assert!(engine["fix"].as_str().unwrap().contains("DOCKER_HOST"), "{engine}");

    let (names, process) = section(&checkup, "process");
    assert_eq!(names, ["nginx", "haproxy", "envoy", "redis", "loopback"]);
    let (names, _) = section(&checkup, "machine");
    let expected = ["CPUs", "load", "open files", "ephemeral ports", "tcp_tw_reuse", "clock source"];
    assert_eq!(names, expected);
    assert_eq!(section(&checkup, "results").0, ["directory", "killed runs"]);

    for name in ["nginx", "haproxy"] {
        let found = check(process, name)["found"].as_str().unwrap();
        assert!(["(on PATH)", "(in a system directory)"].iter().any(|by| found.contains(by)), "{found}");
    }

    let runs = !process["runs"].as_array().unwrap().is_empty();
    assert_eq!((ended.code == 0, &checkup["can_run"]), (runs, &Value::Bool(runs)), "{}", ended.err);
}

#[test]
fn a_machine_on_which_nothing_can_run_is_told_with_exit_3_and_a_fix_for_each_balancer() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = rig(dir.path(), &["doctor"]);
    command.env("DOCKER_HOST", "unix:///nowhere");
    for kind in ["NGINX", "HAPROXY", "ENVOY"] {
        command.env(format!("RIG_{kind}"), "/nonexistent");
    }
    let ended = said(&mut command);
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.out.contains("✗ nginx"), "{}", ended.out);
    assert_eq!(ended.out.matches("→ make setup").count(), 3, "{}", ended.out);
    assert!(ended.out.contains("Process runtime: can run no balancer"), "{}", ended.out);
    assert!(ended.out.contains("rig can't run here"), "{}", ended.out);
}

#[test]
fn what_a_killed_run_left_is_named_with_the_command_that_deletes_it() {
    let dir = tempfile::tempdir().unwrap();
    let left = "results/drain/20261122T135148Z/cells/nginx.with-drain.1/run";
    std::fs::create_dir_all(dir.path().join(left)).unwrap();
    std::fs::write(dir.path().join(left).join("stderr.log"), vec![b'x'; 2048]).unwrap();
    let mut command = rig(dir.path(), &["doctor", "--format", "json"]);
    let ended = said(command.env("DOCKER_HOST", "unix:///nowhere"));
    let checkup: Value = serde_json::from_str(&ended.out).unwrap();
    let killed = check(section(&checkup, "results").1, "killed runs");
    assert_eq!(killed["state"], "limits");
    assert_eq!(killed["found"], format!("{left}: 2.0 KiB"));
    assert_eq!(killed["fix"], "rig clean --out 'results'");
}

/// Where an engine answers; elsewhere the section has one line, as above.
#[test]
fn an_engine_is_tried_and_nothing_is_left_in_the_directory() {
    let _machine = machine();
    let dir = tempfile::tempdir().unwrap();
    let ended = said(&mut rig(dir.path(), &["doctor", "--format", "json"]));
    let checkup: Value = serde_json::from_str(&ended.out).unwrap();
    let runs = some_runtime_runs(&checkup);
    assert_eq!((ended.code, &checkup["can_run"]), (if runs { 0 } else { 3 }, &Value::Bool(runs)));
    let (names, docker) = section(&checkup, "docker");
    if check(docker, "engine")["state"] == "ok" {
        let expected = [
            "rootless",
            "kernel",
            "image for nginx",
            "components",
            "addresses",
            "CPU time",
            "conntrack",
            "leftovers",
        ];
        expected.iter().for_each(|name| assert!(names.contains(name), "{name}: {names:?}"));
        assert!(!names.contains(&"ending"), "{docker}");
    }
    assert_eq!(files(dir.path()).len(), 0);
}
