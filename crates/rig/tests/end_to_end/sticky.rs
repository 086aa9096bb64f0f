//! Sessions across a deploy, with a real Redis: lost from memory, kept in the store, and told by who was asked.

use std::path::Path;

use serde_json::Value;

use crate::harness::{bundled, cell, machine, rig, said};

/// Runs the control and two deploys of the scenario, on one balancer and in a short form.
fn run(dir: &Path, more: &[&str]) -> (i32, Value) {
    let scenario = bundled("sticky-sessions");
    let mut command = rig(dir, &["run", &scenario, "--quiet", "--format", "json", "--runtime", "process"]);
    command.args(["--balancer", "envoy", "--variant", "redis-deploy"]).args(more);
    command.args(["--set", "variants.even.load.for=500ms", "--set", "variants.redis-deploy.load.for=4s"]);
    command.args(["--set", "variants.undrained-deploy.load.for=3500ms"]);
    command.args([
        "--set",
        "variants.jwt-deploy.load.for=4s",
        "--set",
        "variants.jwt-key-replaced.load.for=4s",
    ]);
    let ended = said(&mut command);
    let run = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{}{}", ended.out, ended.err));
    (ended.code, run)
}

fn holding<'a>(run: &'a Value, text: &str) -> &'a Value {
    let claims = run["claims"].as_array().unwrap();
    let claim = claims.iter().find(|claim| claim["text"] == text);
    &claim.unwrap_or_else(|| panic!("no claim `{text}`"))["holding"]["is"]
}

#[test]
fn a_deploy_loses_sessions_from_memory_and_none_from_redis() {
    let _machine = machine();
    let dir = tempfile::tempdir().unwrap();
    let (code, ran) =
        run(dir.path(), &["--variant", "cookie-deploy", "--set", "variants.cookie-deploy.load.for=4s"]);
    assert_eq!(code, 0, "{}", ran["claims"]);
    let [even, memory, redis] =
        ["even", "cookie-deploy", "redis-deploy"].map(|variant| cell(&ran, "envoy", variant));
    for cell in [even, memory, redis] {
        assert_eq!(cell["books"]["unmatched"], Value::Array(vec![]));
    }
    assert!(even["users"]["sessions"]["lost"].as_u64().unwrap() > 0);
    assert!(memory["users"]["sessions"]["lost"].as_u64().unwrap() > 0);
    assert_eq!((&redis["deploy"]["replaced"], &redis["users"]["sessions"]["lost"]), (&3.into(), &0.into()));
    // The store ended with its cell, gracefully, and what backends signed with is nowhere.
    let history = crate::harness::histories(dir.path()).concat();
    assert!(history.contains(r#""component":"redis/1","status":"exit status: 0""#), "{history}");
}

#[test]
fn a_store_that_keeps_nothing_turns_the_claim_red() {
    let _machine = machine();
    let dir = tempfile::tempdir().unwrap();
    let memory = ["--set", "variants.redis-deploy.topology.pools.web.sessions=memory"];
    let (code, run) = run(dir.path(), &memory);
    assert_eq!(code, 1, "{}", run["claims"]);
    assert_eq!(holding(&run, "even.sessions_lost > 0"), "held");
    assert_eq!(holding(&run, "redis-deploy.sessions_lost == 0"), "failed");
}

#[test]
fn a_missing_redis_stops_only_what_needs_it() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = bundled("sticky-sessions");
    let arguments =
        ["run", &scenario, "--runtime", "process", "--balancer", "haproxy", "--variant", "redis-deploy"];
    let ended = said(rig(dir.path(), &arguments).env("RIG_REDIS", "/nonexistent"));
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("RIG_REDIS names it"), "{}", ended.err);
}
