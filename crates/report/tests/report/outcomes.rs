//! What the generator's side of a report says: waiting for a connection, declared statuses, errors of the system.

use model::outcome::{BodyCheck, Cause, NotSent, Outcome, OutcomeKind, Stage};
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::traffic::Cap;
use report::validity::Trust;
use report::{CellSummary, Colour, Format, RunSummary, Style, judge, render, summarise};

use crate::build::*;

const PLAIN: Style = Style { width: 120, colour: Colour::Never };

/// The drained cell, of which something was changed.
fn summary(plan: &SavedPlan, tamper: impl FnOnce(&mut CellRecords)) -> CellSummary {
    let mut records = cell(DRAINED);
    tamper(&mut records);
    summarise(plan, &records)
}

fn run(plan: &SavedPlan, tamper: impl FnOnce(&mut CellRecords)) -> RunSummary {
    let cells = vec![summarise(plan, &cell(CONTROL)), summary(plan, tamper)];
    judge(plan, &environment(), cells, vec![])
}

fn text(run: &RunSummary) -> String {
    render(run, Format::Markdown, PLAIN)
}

fn with_cap(from: Cap) -> SavedPlan {
    let mut plan = plan();
    plan.variants.iter_mut().for_each(|variant| variant.traffic.connections_from = from);
    plan
}

/// Every tenth request waits, the last of them for 400 ms.
fn waits(records: &mut CellRecords) {
    for request in records.requests.iter_mut().step_by(10) {
        request.waited = 20_000_000;
    }
    let last = records.requests.len() / 10 * 10 - 10;
    records.requests[last].waited = 400_000_000;
}

#[test]
fn a_cap_that_binds_is_told_and_degrades_what_rests_on_it() {
    let plan = with_cap(Cap::Scenario);
    let cell = summary(&plan, waits);
    let waiting = cell.waiting.expect("requests waited");
    assert_eq!((waiting.requests, waiting.share, waiting.max_ms), (800, 0.1, 400.0));
    assert_eq!((waiting.p99_ms, waiting.connections), (20.0, 200));
    for validity in [&cell.validity.counts, &cell.validity.latency] {
        assert_eq!(validity.verdict, Trust::Degraded);
        assert!(validity.reasons[0].contains("10 % of the requests waited"), "{:?}", validity.reasons);
    }
    let run = run(&plan, waits);
    assert!(run.degraded, "the zero rests on it");
    assert!(text(&run).contains("p99 20 ms, at most 400 ms): all 200 of"));
}

#[test]
fn a_cap_that_the_machine_imposed_is_no_measurement_where_it_binds() {
    let plan = with_cap(Cap::Machine);
    let cell = summary(&plan, waits);
    assert_eq!(cell.validity.counts.verdict, Trust::Invalid);
    assert_eq!(cell.validity.latency.verdict, Trust::Invalid);
    // Where it does not bind, it is a note.
    let run = run(&plan, |_| {});
    assert!(!run.degraded);
    assert!(text(&run).contains("the load may have at most 200 connections"));
}

#[test]
fn nobody_hears_of_waiting_where_nobody_waited() {
    for from in [Cap::Scenario, Cap::Load] {
        let run = run(&with_cap(from), |_| {});
        assert_eq!(run.cells[1].waiting, None);
        assert!(!text(&run).contains("waited in the generator"));
    }
}

#[test]
fn a_declared_status_is_neither_ok_nor_dropped_and_the_books_balance() {
    let declared = |records: &mut CellRecords| {
        for id in [10, 11, 12] {
            let request = &mut records.requests[id];
            request.outcome =
                Outcome::Answered { status: 404, body: BodyCheck::Verified, expected: Some(true) };
            records
                .access
                .iter_mut()
                .filter(|line| line.id == Some(request.id))
                .for_each(|line| line.status = 404);
        }
        // A limit of the balancer's own: no backend had it.
        let limited = &mut records.requests[13];
        limited.outcome = Outcome::Answered { status: 429, body: BodyCheck::Unstamped, expected: Some(true) };
        limited.served_by = None;
        let id = limited.id;
        records.executions.retain(|execution| execution.id != id);
        records.access.iter_mut().filter(|line| line.id == Some(id)).for_each(|line| {
            line.status = 429;
            line.attempts = vec![].into();
        });
    };
    let run = run(&plan(), declared);
    let cell = &run.cells[1];
    let counts = &cell.counts;
    assert_eq!((counts.of(OutcomeKind::ExpectedStatus), counts.dropped), (4, 0));
    assert_eq!(counts.scheduled, counts.of(OutcomeKind::Ok) + 4);
    assert!(cell.books.balance() && cell.books.unmatched.is_empty(), "{:?}", cell.books.unmatched);
    assert_eq!((cell.latency_ms.failed, cell.dropped.len()), (0, 0));
    let text = text(&run);
    assert!(text.contains("expected status"), "{text}");
    let csv = render(&run, Format::Csv, PLAIN);
    assert!(csv.lines().next().unwrap().contains(",scheduled,ok,expected_status,"), "{csv}");
}

#[test]
fn errors_of_the_system_are_named() {
    let unreachable = |records: &mut CellRecords| {
        let request = &mut records.requests[10];
        request.outcome = Outcome::Failed { stage: Stage::Connect, cause: Cause::Errno(113) };
        (request.served_by, request.first_byte) = (None, None);
        let id = request.id;
        records.executions.retain(|execution| execution.id != id);
        records.access.retain(|line| line.id != Some(id));
    };
    let text_of = text(&run(&plan(), unreachable));
    assert!(text_of.contains("1 × unreachable (1 × EHOSTUNREACH (113), no route to the host)"), "{text_of}");

    let own = |records: &mut CellRecords| {
        let request = &mut records.requests[10];
        request.outcome = Outcome::NotSent(NotSent::LocalResource(24));
        (request.served_by, request.first_byte, request.sent, request.on) = (None, None, None, None);
        let id = request.id;
        records.executions.retain(|execution| execution.id != id);
        records.access.retain(|line| line.id != Some(id));
    };
    let cell = summary(&plan(), own);
    // One port or descriptor that was lacking is the machine's shortage.
    assert_eq!(cell.validity.counts.verdict, Trust::Invalid);
    let reason = cell.validity.counts.reasons.join("; ");
    assert!(
        reason.contains("(1 × EMFILE (24), too many open files: raise the limit: `sudo prlimit"),
        "{reason}"
    );
}

#[test]
fn surplus_bytes_are_noted() {
    let run = run(&plan(), |records| {
        for event in &mut records.history {
            if let model::history::Happening::LoadFinished { generator } = &mut event.what {
                generator.surplus = 7;
            }
        }
    });
    assert!(text(&run).contains("on 7 connections, more bytes arrived than the responses had"));
}
