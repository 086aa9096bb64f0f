//! `rig doctor`: valid JSON, the checks that it promises, the exit code that follows from them, and nothing left.

use engine::components::programs;
use serde::Deserialize;
use testing::{BalancerKind, Ended, Sandbox};

use crate::RIG;

const ALL: [BalancerKind; BalancerKind::ALL.len()] = BalancerKind::ALL;

#[derive(Debug, Deserialize)]
struct Checkup {
    sections: Vec<Section>,
    can_run: bool,
}

#[derive(Debug, Deserialize)]
struct Section {
    name: String,
    /// The balancers that a runtime can run.
    runs: Option<Vec<String>>,
    checks: Vec<Check>,
}

#[derive(Debug, Deserialize)]
struct Check {
    name: String,
    state: String,
    found: String,
    fix: Option<String>,
}

impl Checkup {
    fn section(&self, name: &str) -> &Section {
        self.sections.iter().find(|section| section.name == name).unwrap()
    }

    /// Whether some runtime has a balancer to run.
    fn some_runtime_runs(&self) -> bool {
        self.sections.iter().any(Section::runs_something)
    }
}

impl Section {
    fn names(&self) -> Vec<&str> {
        self.checks.iter().map(|check| check.name.as_str()).collect()
    }

    fn check(&self, name: &str) -> &Check {
        self.checks.iter().find(|check| check.name == name).unwrap()
    }

    fn runs_something(&self) -> bool {
        self.runs.as_ref().is_some_and(|runs| !runs.is_empty())
    }
}

const NOWHERE: &str = "unix:///nowhere";

/// A checkup where there is no engine.
fn without_an_engine(rig: &Sandbox) -> (Ended, Checkup) {
    let ended = rig.command(["doctor", "--format", "json"]).env("DOCKER_HOST", NOWHERE).ends();
    let checkup = ended.read();
    (ended, checkup)
}

#[test]
fn without_an_engine_everything_else_is_checked() {
    let (ended, checkup) = without_an_engine(&RIG.idle());

    let docker = checkup.section("docker");
    assert_eq!(docker.names(), ["engine"]);
    let engine = docker.check("engine");
    assert_eq!(engine.state, "failed");
    assert!(engine.found.contains("unix:///nowhere (from DOCKER_HOST)"), "{engine:?}");
    assert!(engine.fix.as_ref().unwrap().contains("DOCKER_HOST"), "{engine:?}");

    let process = checkup.section("process");
    let names: Vec<&str> = programs().map(|program| program.name).chain(["loopback"]).collect();
    assert_eq!(process.names(), names);
    let expected = ["CPUs", "load", "open files", "ephemeral ports", "tcp_tw_reuse", "clock source"];
    assert_eq!(checkup.section("machine").names(), expected);
    assert_eq!(checkup.section("results").names(), ["directory", "killed runs"]);

    for name in ["nginx", "haproxy"] {
        let found = &process.check(name).found;
        assert!(["(on PATH)", "(in a system directory)"].iter().any(|by| found.contains(by)), "{found}");
    }

    let runs = process.runs.as_ref().is_some_and(|runs| !runs.is_empty());
    assert_eq!((ended.code == 0, checkup.can_run), (runs, runs), "{ended}");
}

#[test]
fn a_machine_on_which_nothing_can_run_is_told_with_exit_3_and_a_fix_for_each_balancer() {
    let doctor = RIG.idle().command(["doctor"]).env("DOCKER_HOST", NOWHERE);
    let variable = |kind: BalancerKind| format!("RIG_{}", kind.name().to_uppercase());
    let doctor = ALL.into_iter().fold(doctor, |it, kind| it.env(&variable(kind), "/nonexistent"));
    let ended = doctor.exits(3).says("✗ nginx");
    assert_eq!(ended.out.matches("→ make setup").count(), ALL.len(), "{ended}");
    ended.says("Process runtime: can run no balancer").says("rig can't run here");
}

#[test]
fn what_a_killed_run_left_is_named_with_the_command_that_deletes_it() {
    let rig = RIG.idle();
    let left = "results/drain/20261122T135148Z/cells/nginx.with-drain.1/run";
    rig.write(format!("{left}/stderr.log"), vec![b'x'; 2048]);
    let (_, checkup) = without_an_engine(&rig);
    let killed = checkup.section("results").check("killed runs");
    assert_eq!(killed.state, "limits");
    assert_eq!(killed.found, format!("{left}: 2.0 KiB"));
    assert_eq!(killed.fix.as_deref(), Some("rig clean --out 'results'"));
}

/// Where an engine answers; elsewhere the section has one line, as above.
#[test]
fn an_engine_is_tried_and_nothing_is_left_in_the_directory() {
    let ended = RIG.beside_others().command(["doctor", "--format", "json"]).ends().leaves_nothing();
    let checkup: Checkup = ended.read();
    let runs = checkup.some_runtime_runs();
    assert_eq!((ended.code, checkup.can_run), (if runs { 0 } else { 3 }, runs));
    let docker = checkup.section("docker");
    if docker.check("engine").state == "ok" {
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
        let names = docker.names();
        expected.iter().for_each(|name| assert!(names.contains(name), "{name}: {names:?}"));
        assert!(!names.contains(&"ending"), "{docker:?}");
    }
}
