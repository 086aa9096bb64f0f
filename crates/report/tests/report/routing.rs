use model::access_log::LogGap;
use model::history::Happening;
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::split::{Split, SplitPart};
use model::topology::{Backend, Pool, Route};
use model::traffic::RequestClass;
use model::units::Share;
use report::books::AccessLog;
use report::routing::Routing;
use report::validity::Trust;
use report::{CellSummary, summarise};

use crate::build::*;

fn split(canary: f64) -> Split {
    let part = |pool: &str, share| SplitPart { pool: pool.into(), share: Share(share) };
    Split::of(vec![part("web", 1.0 - canary), part("canary", canary)])
}

/// The plan with web-3 in a pool of its own, a route that is split, and a class that expects `web`.
pub(crate) fn two_pools() -> SavedPlan {
    let mut plan = plan();
    for variant in &mut plan.variants {
        let topology = &mut variant.topology;
        let canary: Vec<Backend> = topology.pools[0].backends.split_off(2);
        topology.pools.push(Pool { name: "canary".into(), backends: canary, ..Pool::default() });
        topology.routes = vec![Route {
            name: "all".into(),
            path: "/".into(),
            header: None,
            to: split(0.1),
            sticky: None,
            expect_status: None,
        }];
        variant.traffic.mix = vec![RequestClass {
            name: "get".into(),
            expected_pool: Some("web".into()),
            ..RequestClass::default()
        }];
    }
    plan
}

/// A drained cell whose log names pools.
fn records() -> CellRecords {
    let mut records = cell(DRAINED);
    for line in &mut records.access {
        let backend = line.attempts[0].backend.as_deref();
        line.pool = Some(if backend == Some("web-3") { "canary" } else { "web" }.into());
    }
    records
}

fn routing(records: &CellRecords) -> (CellSummary, Routing) {
    let cell = summarise(&two_pools(), records);
    let routing = cell.routing.clone().expect("there are two pools");
    (cell, routing)
}

#[test]
fn a_response_from_another_pool_is_misrouted_and_ok_all_the_same() {
    let records = records();
    let from_canary =
        records.requests.iter().filter(|r| r.served_by.as_ref().is_some_and(|by| by.backend == "web-3"));
    let from_canary = from_canary.count() as u64;
    assert!(from_canary > 0);
    let (cell, routing) = routing(&records);
    assert_eq!((routing.expected, routing.misrouted), (Some(8000), from_canary));
    assert_eq!((cell.counts.dropped, cell.counts.of(model::outcome::OutcomeKind::Ok)), (0, 8000));
    assert_eq!(routing.pools["canary"].requests, from_canary);
    assert_eq!((routing.compared, routing.disagreements), (Some(8000), 0));
}

#[test]
fn a_request_without_an_answer_of_a_backend_is_not_misrouted() {
    let mut records = records();
    let lost = records.requests.iter_mut().find(|r| r.served_by.as_ref().unwrap().backend == "web-3");
    let lost = lost.unwrap();
    lost.served_by = None;
    lost.outcome = answered(502);
    let (_, routing) = routing(&records);
    assert_eq!(routing.expected, Some(7999));
}

#[test]
fn a_log_that_names_another_pool_or_lacks_the_id_disagrees() {
    let mut records = records();
    records.access[10].pool = Some("elsewhere".into());
    records.access.remove(20);
    let (_, routing) = routing(&records);
    assert_eq!((routing.compared, routing.disagreements), (Some(8000), 2));
}

#[test]
fn requests_under_way_while_shares_change_belong_to_no_phase() {
    let mut records = records();
    let entry = || "more".to_owned();
    let begin = Happening::Splitting { entry: entry(), route: "all".into(), to: split(0.5) };
    let end = Happening::SplitInForce { entry: entry(), proof: "reload".into() };
    let load_finished = records.history.iter().position(|e| matches!(e.what, Happening::LoadFinished { .. }));
    let at = load_finished.unwrap();
    records.history.splice(at..at, [event(2000.0, begin), event(2100.0, end)]);
    let (_, routing) = routing(&records);
    let [split_all] = routing.splits.as_slice() else { panic!("one route is split") };
    let counts: Vec<u64> = split_all.phases.iter().map(|phase| phase.client.values().sum()).collect();
    // Sent 0.2 ms and received 1 ms after it was due, every 2.5 ms.
    assert_eq!((counts.as_slice(), split_all.between), ([800, 7160].as_slice(), 40));
    assert!(split_all.phases.iter().all(|phase| phase.client == phase.logged));
    assert_eq!(split_all.phases[1].to, split(0.5));
}

#[test]
fn a_log_of_connections_is_compared_with_nothing_and_blamed_for_nothing() {
    let mut records = records();
    records.access.clear();
    for line in 0..7 {
        let mut connection = logged(line, 0, &["web-1"]);
        connection.id = None;
        records.access.push(connection);
    }
    for event in &mut records.history {
        if let Happening::AccessLog { gaps, .. } = &mut event.what {
            *gaps = vec![LogGap::PerConnection];
        }
    }
    let (cell, routing) = routing(&records);
    assert_eq!(cell.books.access_log, AccessLog::PerConnection);
    assert_eq!((&cell.books.unmatched, &cell.books.exceptions), (&vec![], &Default::default()));
    assert_eq!(cell.validity.counts.verdict, Trust::Valid);
    assert_eq!(routing.compared, None);
}
