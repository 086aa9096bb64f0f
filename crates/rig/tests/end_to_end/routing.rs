//! Routing by path, header and share, in a short form, and what must turn it red.

use std::path::Path;

use serde_json::Value;

use crate::harness::{beside_others, bundled, cell, rig, said};

const BALANCERS: [&str; 3] = ["nginx", "haproxy", "envoy"];

/// Runs a bundled scenario, shortened by `sets`, and returns its exit code and its JSON.
fn run(dir: &Path, scenario: &str, arguments: &[&str], sets: &[&str]) -> (i32, Value) {
    let mut command =
        rig(dir, &["run", &bundled(scenario), "--runtime", "process", "--format", "json", "--quiet"]);
    command.args(arguments);
    for set in sets {
        command.args(["--set", set]);
    }
    let ended = said(&mut command);
    let run = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{}{}", ended.out, ended.err));
    (ended.code, run)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

#[test]
fn paths_lead_to_their_pools_at_layer_7_and_nowhere_in_particular_at_layer_4() {
    let _share = beside_others();
    let dir = tempfile::tempdir().unwrap();
    let short =
        ["load.for=1500ms", "load.warmup=200ms", "timeline.ask-api.at=500ms", "timeline.ask-site.at=700ms"];
    let (code, run) = run(dir.path(), "path-routing", &[], &short);
    assert_eq!(code, 0, "{}", run["claims"]);
    for balancer in BALANCERS {
        let [seven, four] = ["layer7", "layer4"].map(|variant| cell(&run, balancer, variant));
        assert_eq!(seven["routing"]["expected"], 600, "{balancer}");
        assert_eq!(seven["routing"]["misrouted"], 0, "{balancer}");
        assert_eq!(
            (&seven["routing"]["compared"], &seven["routing"]["disagreements"]),
            (&600.into(), &0.into())
        );
        assert!(number(&four["routing"]["misrouted"]) > 100, "{balancer}: {}", four["routing"]);
        // Nobody compares what can't be: a line per connection says nothing about requests.
        assert_eq!(four["books"]["access_log"], "per_connection", "{balancer}");
        assert_eq!(
            (&four["routing"]["compared"], &four["books"]["unmatched"]),
            (&Value::Null, &Value::Array(vec![]))
        );
        for cell in [seven, four] {
            // A response from the wrong pool is delivered all the same.
            assert_eq!(
                (&cell["counts"]["ok"], &cell["counts"]["dropped"]),
                (&600.into(), &0.into()),
                "{balancer}"
            );
            let curl = &cell["curls"][0];
            assert_eq!(curl["status"], "exit status: 0", "{balancer}: {curl}");
            assert!(curl["transcript"].as_str().unwrap().contains("< x-rig-backend: "), "{balancer}: {curl}");
        }
        assert!(
            seven["curls"][0]["transcript"].as_str().unwrap().contains("x-rig-backend: api-"),
            "{balancer}"
        );
    }
}

#[test]
fn a_canary_gets_those_who_ask_for_it_and_a_ramp_more_of_the_others() {
    let _share = beside_others();
    let dir = tempfile::tempdir().unwrap();
    let short = [
        "load.warmup=200ms",
        "load.timeout=500ms",
        "variants.no-route.load.for=700ms",
        "variants.header.load.for=1200ms",
        "variants.header.timeline=null",
        "variants.ramp.load.for=2s",
        "variants.ramp.timeline.to-10.at=400ms",
        "variants.ramp.timeline.to-50.at=800ms",
    ];
    let (code, run) = run(dir.path(), "canary", &[], &short);
    assert_eq!(code, 0, "{}", run["claims"]);
    for balancer in BALANCERS {
        let ramp = &cell(&run, balancer, "ramp")["routing"];
        let phases = ramp["splits"][0]["phases"].as_array().unwrap();
        let asked: Vec<&str> = phases.iter().filter_map(|phase| phase["to"][1]["share"].as_str()).collect();
        assert_eq!(asked, ["1%", "10%", "50%"], "{balancer}");
        // Half of some hundred requests: seven standard deviations away from 10 %.
        let [web, canary] = ["web", "canary"].map(|pool| number(&phases[2]["client"][pool]));
        assert!(canary * 4 > web, "{balancer}: {phases:?}");
        for phase in phases {
            assert_eq!(phase["client"], phase["logged"], "{balancer}");
        }
        let control = &cell(&run, balancer, "no-route")["routing"];
        assert!(number(&control["misrouted"]) > 0, "{balancer}: {control}");
    }
}

#[test]
fn a_misspelt_header_and_swapped_routes_turn_the_verdict() {
    let _share = beside_others();
    let dir = tempfile::tempdir().unwrap();
    let misspelt = [
        "load.for=600ms",
        "load.warmup=200ms",
        "load.mix.canary.headers={ X-Canary: null, X-Canry: \"true\" }",
        "variants.header.timeline=null",
        "variants.ramp.timeline=null",
    ];
    let only = ["--balancer", "haproxy", "--variant", "header"];
    let (code, canary) = run(dir.path(), "canary", &only, &misspelt);
    assert_eq!(code, 1, "{}", canary["claims"]);
    let classes = &cell(&canary, "haproxy", "header")["routing"]["classes"];
    assert!(number(&classes["canary"]["misrouted"]) > 0, "{classes}");
    assert_eq!(classes["lower-case"]["misrouted"], 0, "{classes}");

    let swapped = [
        "load.for=600ms",
        "load.warmup=200ms",
        "timeline=null",
        "topology.routes.api.to=web",
        "topology.routes.site.to=api",
    ];
    let only = ["--balancer", "haproxy", "--variant", "layer7"];
    let (code, paths) = run(dir.path(), "path-routing", &only, &swapped);
    assert_eq!(code, 1, "{}", paths["claims"]);
    let routing = &cell(&paths, "haproxy", "layer7")["routing"];
    assert_eq!(routing["misrouted"], routing["expected"]);
}

#[test]
fn a_timeline_that_asks_for_a_curl_that_is_not_there_is_refused_before_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = rig(dir.path(), &["run", &bundled("path-routing"), "--runtime", "process", "--quiet"]);
    let ended = said(command.env("RIG_CURL", dir.path().join("curl")));
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("curl is not installed"), "{}", ended.err);
    assert_eq!(crate::harness::files(dir.path()).len(), 0);
}
