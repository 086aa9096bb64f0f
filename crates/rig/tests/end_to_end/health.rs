//! Short forms of the scenarios about sick backends: who notices, and what turns them red.

use serde_json::Value;

use crate::harness::{beside_others, cell, rig, said};

fn bundled(name: &str) -> String {
    format!("{}/../../scenarios/{name}.yaml", env!("CARGO_MANIFEST_DIR"))
}

fn fault<'a>(run: &'a Value, balancer: &str, variant: &str, backend: &str) -> &'a Value {
    let faults = cell(run, balancer, variant)["faults"].as_array().unwrap();
    faults.iter().find(|fault| fault["backend"] == backend).unwrap()
}

fn harmed(fault: &Value) -> u64 {
    fault["harmed_in_flight"].as_u64().unwrap() + fault["harmed_after"].as_u64().unwrap()
}

#[test]
fn a_crash_is_seen_by_probes_and_goes_on_costing_without_them() {
    let _share = beside_others();
    let dir = tempfile::tempdir().unwrap();
    let scenario = bundled("health-check");
    let short = ["--variant", "fast-crash", "--format", "json", "--quiet"];
    let ended = said(
        rig(dir.path(), &["run", &scenario, "--runtime", "process", "--balancer", "nginx,haproxy"])
            .args(short)
            .args(["--set", "timeline.fault.for=2500ms", "--set", "load.for=5s"]),
    );
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    let run: Value = serde_json::from_str(&ended.out).unwrap();
    let seen = fault(&run, "haproxy", "fast-crash", "web-1");
    assert_eq!(seen["seen_down"]["words"], "DOWN");
    assert!(seen["seen_up"].is_object() && seen["serves_again_ms"].is_number(), "{seen}");
    assert_eq!(seen["bound"]["within"]["why"], "2 × 200ms");
    let unseen = fault(&run, "nginx", "fast-crash", "web-1");
    assert_eq!(unseen["removal"], "never", "{unseen}");
    assert!(harmed(unseen) > 2 * harmed(seen), "{unseen} {seen}");
    for balancer in ["nginx", "haproxy"] {
        assert_eq!(cell(&run, balancer, "fast-crash")["books"]["unmatched"], Value::Array(vec![]));
    }

    // Without probes nobody sees it, and the claim about detection says why it fails.
    let ended =
        said(rig(dir.path(), &["run", &scenario, "--runtime", "process", "--balancer", "haproxy"]).args([
            "--variant",
            "fast-crash",
            "--set",
            "topology.health_check=off",
            "--set",
            "load.for=4s",
            "--set",
            "timeline.fault.for=1s",
            "--quiet",
        ]));
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    let why = "(never; no bound: health_check is off: nothing probes)";
    assert!(ended.out.contains(why), "{}", ended.out);
}

#[test]
fn responses_that_break_off_end_as_told_and_those_in_the_body_eject_nobody() {
    let _share = beside_others();
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["run", &bundled("half-dead"), "--variant", "truncations", "--format", "json", "--quiet"];
    let short =
        ["--runtime", "process", "--set", "control=[]", "--set", "expect=[]", "--set", "load.for=3500ms"];
    let ended = said(rig(dir.path(), &arguments).args(short));
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    let run: Value = serde_json::from_str(&ended.out).unwrap();
    for balancer in ["nginx", "haproxy", "envoy"] {
        let [before, head, body] =
            ["web-1", "web-2", "web-3"].map(|backend| fault(&run, balancer, "truncations", backend));
        for broken in [before, head] {
            assert!((1..harmed(body)).contains(&harmed(broken)), "{balancer}: {broken} {body}");
        }
        assert!(body["seen_down"].is_null(), "{balancer}: {body}");
        let groups = cell(&run, balancer, "truncations")["dropped"].as_array().unwrap();
        assert!(groups.iter().all(|group| group["sub_cause"] == "broken_off"), "{balancer}: {groups:?}");
        // Its head has been passed on: nothing but the end of the connection can tell the client.
        let of_body = groups.iter().filter(|group| group["backend"] == "web-3");
        assert!(of_body.clone().count() > 0 && of_body.clone().all(|group| group["outcome"] == "closed"));
    }
}
