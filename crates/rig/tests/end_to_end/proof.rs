//! The proof itself, in a short form, and what must turn it red.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::access_log::Logged;
use model::identity::RequestId;
use model::outcome::Outcome;
use model::request::Request;
use report::fate::SubCause;
use report::phases::Phase;
use testing::{
    BalancerKind, Caddy, CellSummary, Haproxy, Holding, Nginx, OutcomeKind, Sandbox, Traefik, books_balance,
    counts_are_trusted, deploy, text,
};

use crate::RIG;

/// One test for each balancer, so that they share the machine.
macro_rules! proofs {
    ($($(#[$more:meta])* $name:ident: $balancer:ident),+) => {
        mod a_deploy_drops_without_draining_nothing_with_it_and_some_with_too_short_a_window {
            $(#[test]
            $(#[$more])*
            fn $name() {
                super::prove(testing::$balancer);
            })+
        }
    };
}

proofs! {
    nginx: Nginx,
    haproxy: Haproxy,
    envoy: Envoy,
    #[ignore = "takes long: make test-rest"]
    caddy: Caddy,
    #[ignore = "takes long: make test-rest"]
    traefik: Traefik
}

fn prove(balancer: BalancerKind) {
    let run = RIG.beside_others().run("short-drain").on([balancer]);
    // One probe that is late on a machine with other work, and these two use the backend no more.
    let unprobed = matches!(balancer, Caddy | Traefik);
    let run = if unprobed { run.set("topology.health_check", "off") } else { run };
    // Traefik's drains take longest, since nothing but 250 ms of silence says that a backend has nothing in flight.
    let run = match balancer {
        Traefik => run.set("load.rate", "250/s").set("load.for", "8s"),
        _ => run,
    };
    let run = run.json();
    run.exits(0).quietly();
    let [without, with, short, surge] =
        ["without-drain", "with-drain", "too-short", "surge"].map(|variant| run.cell(balancer, variant));
    for cell in [without, with, short, surge] {
        assert_eq!(cell.counts.scheduled, 2000);
        counts_are_trusted(cell);
        assert_eq!(deploy(cell).replaced, 3);
        books_balance(cell);
    }
    assert!(without.counts.dropped > 0);
    for drained in [with, surge] {
        assert_eq!((drained.counts.dropped, drained.counts.of(OutcomeKind::Ok)), (0, 2000));
    }
    // A surge's first new generation stands at the spare place.
    assert!(surge.backends["web-4"].requests > 0);
    attributed_to_the_drained_backends(short);
    for cell in run.cells.iter().filter(|cell| cell.variant == "reload") {
        a_reload_kills_nothing_in_service(cell);
    }
    the_report_is_the_same_bytes(&run.sandbox);
    arrivals_are_the_same_in_every_cell(&run.sandbox);
    ids_agree_with_the_balancers_own_log(&run.sandbox);
    nothing_but_results_is_left_behind(&run.sandbox);
}

/// A plain reload may lose requests of kept-alive clients, but none that a backend had in hand: it is drained.
fn a_reload_kills_nothing_in_service(reload: &CellSummary) {
    let groups = &reload.dropped;
    assert!(groups.iter().all(|group| group.source.sub_cause != SubCause::KilledInService), "{groups:?}");
    let in_flight: Vec<_> =
        deploy(reload).replacements.iter().map(|it| it.in_flight_at_termination).collect();
    assert_eq!(in_flight, [Some(0); 3]);
}

/// `rig report` renders a saved run as `rig run` did.
fn the_report_is_the_same_bytes(sandbox: &Sandbox) {
    let latest = sandbox.path().join("results/short-drain/latest");
    for (format, saved) in [("markdown", "report.md"), ("html", "report.html"), ("junit", "junit.xml")] {
        let again = sandbox.command(["report", latest.to_str().unwrap(), "--format", format]).exits(0);
        assert_eq!(again.out, std::fs::read_to_string(latest.join(saved)).unwrap(), "{format}");
    }
}

/// What a short window loses, it loses at the backends that were being replaced.
fn attributed_to_the_drained_backends(short: &CellSummary) {
    let groups = &short.dropped;
    let attributed: u64 = groups.iter().filter(|it| it.source.backend.is_some()).map(|it| it.count).sum();
    assert_eq!(attributed, short.counts.dropped, "{groups:?}");
    assert!(groups.iter().all(|group| group.source.phase != Phase::Baseline), "{groups:?}");
    assert!(deploy(short).replacements.iter().all(|it| it.in_flight_at_termination.unwrap() > 0));
}

fn requests(cell: &Path) -> BTreeMap<RequestId, Request> {
    text(&cell.join("requests.ndjson.zst"))
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|request: Request| (request.id, request))
        .collect()
}

fn cells(sandbox: &Sandbox) -> Vec<PathBuf> {
    let cells = sandbox.path().join("results/short-drain/latest/cells");
    std::fs::read_dir(cells).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Same seed, same arrivals: relative to the first one, in every variant.
fn arrivals_are_the_same_in_every_cell(sandbox: &Sandbox) {
    let schedules: Vec<Vec<(RequestId, i64)>> = cells(sandbox)
        .iter()
        .map(|cell| {
            let requests = requests(cell);
            let first = requests[&RequestId(0)].due;
            requests.into_iter().map(|(id, request)| (id, request.due.0 - first.0)).collect()
        })
        .collect();
    assert!(schedules.len() >= 4);
    assert!(schedules.iter().all(|schedule| *schedule == schedules[0]));
}

/// Every request that ended well is in the balancer's log once, with the status that the client saw.
fn ids_agree_with_the_balancers_own_log(sandbox: &Sandbox) {
    for path in cells(sandbox) {
        let log = text(&path.join("access.ndjson.zst"));
        let mut logged: BTreeMap<RequestId, Vec<u16>> = BTreeMap::new();
        for line in log.lines().map(|line| serde_json::from_str::<Logged>(line).unwrap()) {
            if let Some(id) = line.id {
                logged.entry(id).or_default().push(line.status);
            }
        }
        for (id, request) in requests(&path) {
            if let Outcome::Answered { status, .. } = request.outcome {
                assert_eq!(logged.get(&id), Some(&vec![status]), "{} request {id}", path.display());
            }
        }
    }
}

/// Scratch directories and temporary files are gone.
fn nothing_but_results_is_left_behind(sandbox: &Sandbox) {
    let results = sandbox.path().join("results");
    for file in sandbox.files() {
        let scratch = file.components().any(|part| part.as_os_str() == "run");
        assert!(file.starts_with(&results) && !scratch, "{} is left", file.display());
    }
}

#[test]
fn a_drain_that_the_balancer_ignores_is_found_out() {
    let rig = RIG.beside_others();
    // The template without the test for the flag: deregistering changes nothing any more.
    let template = include_str!("../../../../proxy-configs/nginx/nginx.conf");
    let broken: String =
        template.lines().filter(|line| !line.contains("if (-f")).map(|line| format!("{line}\n")).collect();
    assert_ne!(broken.lines().count(), template.lines().count());
    rig.write("configs/nginx/nginx.conf", broken);
    let run =
        rig.run("short-drain").on([Nginx]).variants(["with-drain"]).args(["--proxy-configs", "configs"]);
    let ended = run.exits(1).says("✗ nginx  with-drain.dropped == 0");
    let hint = "requests that were sent after its confirmed deregistration";
    assert!(ended.out.split_whitespace().collect::<Vec<_>>().join(" ").contains(hint), "{ended}");
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_generation_that_never_becomes_healthy_aborts_the_deploy_and_nothing_is_lost() {
    let run = RIG.beside_others().run("unhealthy-generation").json();
    run.exits(0);
    assert_eq!(deploy(run.cell(Haproxy, "unhealthy")).replaced, 0);
}

/// A saved run without what its backends and its balancer wrote down is what a client alone can say, and no proof.
#[test]
#[ignore = "takes long: make test-rest"]
fn without_ledger_and_log_a_saved_run_says_the_same_of_its_client_and_proves_nothing() {
    let run = RIG.beside_others().run("short-drain").on([Haproxy]).variants(["with-drain"]).json();
    run.exits(0);
    let withheld = ["ledger.ndjson.zst", "access.ndjson.zst"];
    for path in run.sandbox.files() {
        if withheld.iter().any(|name| path.ends_with(name)) {
            std::fs::remove_file(path).unwrap();
        }
    }
    let report = ["report", "results/short-drain/latest", "--format", "json"];
    let again = run.sandbox.command(report).ends().run();
    again.exits(4);
    for variant in ["without-drain", "with-drain"] {
        let [full, client] = [&run, &again].map(|run| run.cell(Haproxy, variant));
        assert_eq!(full.counts, client.counts);
        assert_eq!((&full.latency_ms, &full.losses), (&client.latency_ms, &client.losses));
    }
    assert!(again.claims.iter().all(|claim| matches!(claim.holding, Holding::Unproven(_))), "{again}");
}
