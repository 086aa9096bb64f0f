//! The proof itself, in a short form, and what must turn it red.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{beside_others, cell, files, rig, said, scenario};

/// One test for each balancer, so that they share the machine.
macro_rules! proofs {
    ($($balancer:ident),+) => {
        mod a_deploy_drops_without_draining_nothing_with_it_and_some_with_too_short_a_window {
            $(#[test]
            fn $balancer() {
                super::prove(stringify!($balancer));
            })+
        }
    };
}

proofs!(nginx, haproxy, envoy);

fn prove(balancer: &str) {
    let _share = beside_others();
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["run", "--runtime", "process", &scenario("short-drain"), "--format", "json", "--quiet"];
    let ended = said(rig(dir.path(), &arguments).args(["--balancer", balancer]));
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    let run: Value = serde_json::from_str(&ended.out).unwrap();
    let [without, with, short, surge] =
        ["without-drain", "with-drain", "too-short", "surge"].map(|variant| cell(&run, balancer, variant));
    for cell in [without, with, short, surge] {
        assert_eq!(cell["counts"]["scheduled"], 2000);
        assert_ne!(cell["validity"]["counts"]["verdict"], "INVALID", "{}", cell["validity"]);
        assert_eq!(cell["deploy"]["replaced"], 3);
        assert_eq!(cell["books"]["unmatched"], Value::Array(vec![]));
    }
    assert!(without["counts"]["dropped"].as_u64().unwrap() > 0);
    for drained in [with, surge] {
        assert_eq!((&drained["counts"]["dropped"], &drained["counts"]["ok"]), (&0.into(), &2000.into()));
    }
    // A surge's first new generation stands at the spare place.
    assert!(surge["backends"]["web-4"]["requests"].as_u64().unwrap() > 0);
    attributed_to_the_drained_backends(short);
    for cell in run["cells"].as_array().unwrap().iter().filter(|cell| cell["variant"] == "reload") {
        a_reload_kills_nothing_in_service(cell);
    }
    the_report_is_the_same_bytes(dir.path());
    arrivals_are_the_same_in_every_cell(dir.path());
    ids_agree_with_the_balancers_own_log(dir.path());
    nothing_but_results_is_left_behind(dir.path());
}

/// A plain reload may lose requests of kept-alive clients, but none that a backend had in hand: it is drained.
fn a_reload_kills_nothing_in_service(reload: &Value) {
    let groups = reload["dropped"].as_array().unwrap();
    assert!(groups.iter().all(|group| group["sub_cause"] != "killed_in_service"), "{groups:?}");
    let in_flight: Vec<&Value> = reload["deploy"]["replacements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|replacement| &replacement["in_flight_at_termination"])
        .collect();
    assert_eq!(in_flight, [0, 0, 0]);
}

/// `rig report` renders a saved run as `rig run` did.
fn the_report_is_the_same_bytes(dir: &std::path::Path) {
    let latest = dir.join("results/short-drain/latest");
    for (format, saved) in [("markdown", "report.md"), ("html", "report.html"), ("junit", "junit.xml")] {
        let again = said(&mut rig(dir, &["report", latest.to_str().unwrap(), "--format", format]));
        assert_eq!(again.code, 0);
        assert_eq!(again.out, std::fs::read_to_string(latest.join(saved)).unwrap(), "{format}");
    }
}

/// What a short window loses, it loses at the backends that were being replaced.
fn attributed_to_the_drained_backends(short: &Value) {
    let groups = short["dropped"].as_array().unwrap();
    let attributed: u64 =
        groups.iter().filter(|g| g["backend"].is_string()).map(|g| g["count"].as_u64().unwrap()).sum();
    assert_eq!(Some(attributed), short["counts"]["dropped"].as_u64(), "{groups:?}");
    assert!(groups.iter().all(|g| g["phase"] != "baseline"), "{groups:?}");
    let in_flight = short["deploy"]["replacements"].as_array().unwrap();
    assert!(in_flight.iter().all(|r| r["in_flight_at_termination"].as_u64().unwrap() > 0));
}

fn requests(cell: &std::path::Path) -> BTreeMap<u64, Value> {
    let file = std::fs::File::open(cell.join("requests.ndjson.zst")).unwrap();
    let text = std::io::read_to_string(zstd::Decoder::new(file).unwrap()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|r: Value| (r["id"].as_u64().unwrap(), r))
        .collect()
}

fn cells(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let cells = dir.join("results/short-drain/latest/cells");
    std::fs::read_dir(cells).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Same seed, same arrivals: relative to the first one, in every variant.
fn arrivals_are_the_same_in_every_cell(dir: &std::path::Path) {
    let schedules: Vec<Vec<(u64, i64)>> = cells(dir)
        .iter()
        .map(|cell| {
            let requests = requests(cell);
            let first = requests[&0]["due"].as_i64().unwrap();
            requests.into_iter().map(|(id, r)| (id, r["due"].as_i64().unwrap() - first)).collect()
        })
        .collect();
    assert!(schedules.len() >= 4);
    assert!(schedules.iter().all(|schedule| *schedule == schedules[0]));
}

/// Every request that ended well is in the balancer's log once, with the status that the client saw.
fn ids_agree_with_the_balancers_own_log(dir: &std::path::Path) {
    for path in cells(dir) {
        let log = std::fs::read_to_string(path.join("access.ndjson")).unwrap();
        let mut logged: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for line in log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            if let Some(id) = line["id"].as_u64() {
                logged.entry(id).or_default().push(line["status"].as_u64().unwrap());
            }
        }
        for (id, request) in requests(&path) {
            if let Some(status) = request["outcome"]["answered"]["status"].as_u64() {
                assert_eq!(logged.get(&id), Some(&vec![status]), "{} request {id}", path.display());
            }
        }
    }
}

/// Scratch directories and temporary files are gone.
fn nothing_but_results_is_left_behind(dir: &std::path::Path) {
    let results = dir.join("results");
    for file in files(dir) {
        let scratch = file.components().any(|part| part.as_os_str() == "run");
        assert!(file.starts_with(&results) && !scratch, "{} is left", file.display());
    }
}

#[test]
fn a_drain_that_the_balancer_ignores_is_found_out() {
    let _share = beside_others();
    let dir = tempfile::tempdir().unwrap();
    // The template without the test for the flag: deregistering changes nothing any more.
    let template = include_str!("../../../../proxy-configs/nginx/nginx.conf");
    let broken: String =
        template.lines().filter(|line| !line.contains("if (-f")).map(|line| format!("{line}\n")).collect();
    assert_ne!(broken.lines().count(), template.lines().count());
    std::fs::create_dir_all(dir.path().join("configs/nginx")).unwrap();
    std::fs::write(dir.path().join("configs/nginx/nginx.conf"), broken).unwrap();
    let arguments = [
        "run",
        "--runtime",
        "process",
        &scenario("short-drain"),
        "--balancer",
        "nginx",
        "--variant",
        "with-drain",
    ];
    let ended = said(rig(dir.path(), &arguments).args(["--proxy-configs", "configs", "--quiet"]));
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("✗ nginx  with-drain.dropped == 0"), "{}", ended.out);
    let hint = "requests that were sent after its confirmed deregistration";
    assert!(ended.out.split_whitespace().collect::<Vec<_>>().join(" ").contains(hint), "{}", ended.out);
}

#[test]
fn a_generation_that_never_becomes_healthy_aborts_the_deploy_and_nothing_is_lost() {
    let _share = beside_others();
    let dir = tempfile::tempdir().unwrap();
    let ended = said(&mut rig(
        dir.path(),
        &["run", "--runtime", "process", &scenario("unhealthy-generation"), "--format", "json", "--quiet"],
    ));
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let run: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(cell(&run, "haproxy", "unhealthy")["deploy"]["replaced"], 0);
}
