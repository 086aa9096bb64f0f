//! Limits of each backend, by the backends' own ledgers, and who refused what exceeded them.

use std::collections::BTreeMap;

use model::access_log::Reason;
use model::ledger::Execution;
use report::fate::SubCause;
use testing::{Caddy, CellSummary, Envoy, Haproxy, Nginx, Sandbox, books_balance, text};

use crate::RIG;

/// The most requests that one backend had in hand at the same time, in each cell.
fn most_at_once(rig: &Sandbox) -> Vec<usize> {
    let ledgers = rig.files().into_iter().filter(|path| path.ends_with("ledger.ndjson.zst"));
    let most = |text: String| {
        let mut turns: BTreeMap<String, Vec<(i64, bool)>> = BTreeMap::new();
        for line in text.lines() {
            let execution: Execution = serde_json::from_str(line).unwrap();
            let turns = turns.entry(execution.by.backend.clone()).or_default();
            turns.push((execution.received.0, true));
            turns.extend(execution.finished.map(|at| (at.0, false)));
        }
        let most = |mut turns: Vec<(i64, bool)>| {
            turns.sort_unstable();
            let mut at_once = 0_usize;
            let after = turns.into_iter().map(|(_, begins)| {
                at_once = if begins { at_once + 1 } else { at_once - 1 };
                at_once
            });
            after.max().unwrap()
        };
        turns.into_values().map(most).max().unwrap()
    };
    ledgers.map(|path| most(text(&path))).collect()
}

/// Asserts that the balancer alone refused all that was lost, and says so.
fn refused_by_limit(cell: &CellSummary, reasons: &[Reason]) {
    let said = cell.balancer_log.unwrap();
    assert!(cell.counts.dropped > 0, "{}", cell.cell());
    assert_eq!(said.refused_by_limit, Some(cell.counts.dropped), "{}: {:?}", cell.cell(), cell.dropped);
    for group in &cell.dropped {
        let told = reasons.iter().any(|reason| group.source.sub_cause == SubCause::Told(*reason));
        assert!(told && group.source.who() == "the balancer itself", "{}: {group:?}", cell.cell());
    }
    books_balance(cell);
}

#[test]
fn no_backend_has_more_requests_than_its_limit_and_the_log_says_who_was_refused_for_it() {
    let rig = RIG.beside_others();
    let run = rig.run("limited").json();
    for balancer in [Nginx, Caddy] {
        let cell = run.cell(balancer, "refused");
        refused_by_limit(cell, &[Reason::LimitReached]);
        assert_eq!(cell.balancer_log.unwrap().queued, None, "{balancer}: nothing waits, and no log says so");
    }
    for balancer in [Haproxy, Envoy] {
        let cell = run.cell(balancer, "queued");
        refused_by_limit(cell, &[Reason::LimitReached]);
        assert!(cell.balancer_log.unwrap().queued.unwrap().max_ms > 0.0, "{balancer}");
    }
    refused_by_limit(run.cell(Haproxy, "late"), &[Reason::QueueTimeout]);
    assert_eq!(most_at_once(&rig), [2; 5], "{run}");
}
