//! Skew by backend and by request, in a short form. A loaded machine can spoil latency: judged are counts.

use std::path::Path;

use serde_json::Value;

use crate::harness::{cell, machine, rig, said};

const SCENARIO: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/round-robin-vs-least-connections.yaml");

/// Runs some variants of the scenario for a second.
fn run(dir: &Path, variants: &[&str], more: &[&str]) -> (i32, Value) {
    let mut command = rig(dir, &["run", SCENARIO, "--quiet", "--format", "json", "--runtime", "process"]);
    command.args(["--set", "load.for=1s", "--set", "load.warmup=300ms"]).args(more);
    for variant in variants {
        command.args(["--variant", variant]);
    }
    let ended = said(&mut command);
    let run = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{}{}", ended.out, ended.err));
    (ended.code, run)
}

fn holding<'a>(run: &'a Value, balancer: &str, text: &str) -> &'a Value {
    let claims = run["claims"].as_array().unwrap();
    let claim = claims.iter().find(|claim| claim["balancer"] == balancer && claim["text"] == text);
    &claim.unwrap_or_else(|| panic!("no claim `{text}`"))["holding"]["is"]
}

const QUEUED: &str = "rr.queue_growth[web-1] > 5";
const SPARED: &str = "lc.share[web-1] < 0.5 × rr.share[web-1]";

#[test]
fn round_robin_lets_a_slow_backend_queue_and_least_connections_spares_it() {
    let _machine = machine();
    let dir = tempfile::tempdir().unwrap();
    let (_, run) = run(dir.path(), &["rr", "lc", "mix-lc"], &[]);
    for balancer in ["nginx", "haproxy", "envoy"] {
        for claim in [QUEUED, "rr.imbalance < 1.1", SPARED] {
            assert_eq!(holding(&run, balancer, claim), "held", "{balancer} {claim}: {}", run["claims"]);
        }
        let [rr, lc, mix] = ["rr", "lc", "mix-lc"].map(|variant| cell(&run, balancer, variant));
        for cell in [rr, lc, mix] {
            assert_eq!((&cell["counts"]["scheduled"], &cell["counts"]["dropped"]), (&300.into(), &0.into()));
            assert_eq!(cell["books"]["unmatched"], Value::Array(vec![]), "{balancer}");
        }
        assert_eq!(rr["load"]["web-1"]["received"], 100, "{balancer}");
        // Whoever has a view says what it has in flight; nginx has none.
        let viewed = &rr["load"]["web-1"]["in_hand"]["balancer_in_flight_mean"];
        assert_eq!(viewed.is_null(), balancer == "nginx", "{balancer}: {viewed}");
        // At 1–3 ms each, only what the class costs takes anyone 20 ms and more: it came through the balancer.
        assert!(mix["latency_ms"]["max"].as_f64().unwrap() >= 20.0, "{balancer}");
    }
}

#[test]
fn a_round_robin_that_passes_for_least_connections_is_found_out() {
    let _machine = machine();
    let dir = tempfile::tempdir().unwrap();
    let swapped = ["--set", "variants.lc.topology.balance=round_robin", "--balancer", "haproxy"];
    let (code, run) = run(dir.path(), &["rr", "lc"], &swapped);
    assert_eq!(code, 1, "{}", run["claims"]);
    assert_eq!(holding(&run, "haproxy", QUEUED), "held");
    assert_eq!(holding(&run, "haproxy", SPARED), "failed");
}
