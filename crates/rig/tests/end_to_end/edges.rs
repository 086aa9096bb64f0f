//! The edges of draining, and reloads, in short forms.

use serde_json::Value;

use crate::harness::{Said, beside_others, cell, rig, said};

/// A scenario that rig is delivered with, run in short.
fn run(dir: &std::path::Path, name: &str, arguments: &[&str]) -> Said {
    let file = format!("{}/../../scenarios/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    said(rig(dir, &["run", &file, "--runtime", "process", "--format", "json", "--quiet"]).args(arguments))
}

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap()
}

fn count(cell: &Value, name: &str) -> u64 {
    cell["counts"][name].as_u64().unwrap()
}

#[test]
fn what_a_reload_cuts_off_is_counted_and_a_graceful_one_loses_no_fresh_connection() {
    let _share = beside_others();
    let dir = tempfile::tempdir().unwrap();
    let short = ["--variant", "fresh", "--set", "load.for=2s", "--set", "timeline.reloads.reload.times=3"];
    let ended = run(dir.path(), "reload", &short);
    let run = json(&ended);
    for balancer in ["nginx", "haproxy", "envoy"] {
        let [cut, fresh] = ["cut-off", "fresh"].map(|variant| cell(&run, balancer, variant));
        for cell in [cut, fresh] {
            assert_eq!(cell["reloads"]["count"], 3, "{balancer}");
            assert_ne!(cell["validity"]["counts"]["verdict"], "INVALID", "{balancer} {}", cell["validity"]);
        }
        assert!(count(cut, "dropped") > 0, "{balancer}");
        assert_eq!(cut["reloads"]["dropped"], count(cut, "dropped"), "{balancer}: {}", cut["dropped"]);
        assert_eq!(count(fresh, "dropped"), 0, "{balancer}: {}", fresh["dropped"]);
    }
}

#[test]
fn a_window_that_is_long_enough_turns_the_claim_about_a_short_one_red() {
    let _share = beside_others();
    let dir = tempfile::tempdir().unwrap();
    let long = "variants.too-short.timeline.rollout.deploy.drain=1s";
    let ended =
        run(dir.path(), "drain-edges", &["--balancer", "haproxy", "--variant", "too-short", "--set", long]);
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    let run = json(&ended);
    assert_eq!(count(cell(&run, "haproxy", "too-short"), "dropped"), 0);
    let claims = run["claims"].as_array().unwrap();
    let claim = claims.iter().find(|claim| claim["text"] == "too-short.dropped > 0").unwrap();
    assert_eq!(claim["holding"]["is"], "failed");
}

#[test]
fn slow_uploads_are_cut_without_draining_and_survive_a_window_that_covers_them() {
    let _share = beside_others();
    let dir = tempfile::tempdir().unwrap();
    let chosen = ["--balancer", "haproxy", "--variant", "upload,upload-untold"];
    let short = [
        "--set",
        "variants.upload.load.for=8s",
        "--set",
        "variants.upload.topology.pools.web.backends=2",
        "--set",
        "variants.upload-untold.topology.pools.web.backends=2",
    ];
    let ended = run(dir.path(), "drain-edges", &[&chosen[..], &short[..]].concat());
    let run = json(&ended);
    let [untold, drained] = ["upload-untold", "upload"].map(|variant| cell(&run, "haproxy", variant));
    assert!(count(untold, "dropped") > 0);
    assert_eq!((count(drained, "dropped"), &drained["deploy"]["replaced"]), (0, &2.into()));
    for cell in [untold, drained] {
        assert_eq!(cell["books"]["unmatched"], Value::Array(vec![]), "{}", cell["books"]);
    }
}
