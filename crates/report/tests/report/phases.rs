use model::history::Happening;
use model::outcome::{Cause, Outcome, OutcomeKind, Stage};
use model::records::CellRecords;
use model::timeline::FaultKind;
use model::units::Nanos;
use report::phases::{Phase, Phases};
use report::summarise;

use crate::build::*;

#[test]
fn a_drained_backend_passes_through_every_phase_in_order() {
    let phases = Phases::read(&cell(DRAINED).history);
    let at = |t: f64| phases.at("web-2", ms(t));
    assert_eq!(at(5999.0), Phase::Baseline);
    assert_eq!(at(6001.0), Phase::Deregister);
    assert_eq!(at(6050.0), Phase::Drain);
    assert_eq!(at(6106.0), Phase::Terminate);
    assert_eq!(at(6300.0), Phase::Replace);
    assert_eq!(at(6602.0), Phase::Register);
    assert_eq!(at(6700.0), Phase::Confirm);
    assert_eq!(at(7000.0), Phase::Settled);
    assert_eq!(phases.at("web-3", ms(6300.0)), Phase::Baseline);
    assert_eq!(phases.overall(ms(6300.0)), Phase::Replace);
}

#[test]
fn without_a_drain_termination_begins_with_the_step_before_the_signal_returned() {
    let phases = Phases::read(&cell(CONTROL).history);
    assert_eq!(phases.at("web-1", ms(4000.5)), Phase::Terminate);
    assert_eq!(phases.at("web-1", ms(4100.0)), Phase::Replace);
    let first = &phases.replacements[0];
    assert_eq!((first.first, first.last), (ms(4000.0), Some(ms(4801.0))));
}

#[test]
fn dropped_requests_are_attributed_to_who_had_them_and_when() {
    let cell = summarise(&plan(), &cell(CONTROL));
    assert_eq!(cell.dropped.len(), 3);
    let first = &cell.dropped[0];
    assert_eq!(first.source.backend.as_deref(), Some("web-1"));
    assert_eq!(first.source.generation, Some(1));
    assert_eq!(first.source.phase, Phase::Terminate);
    let sum: u64 = cell.dropped.iter().map(|group| group.count).sum();
    assert_eq!(sum, cell.counts.dropped);
}

#[test]
fn numbers_in_flight_come_from_the_ledger() {
    let control = summarise(&plan(), &cell(CONTROL)).deploy.unwrap();
    let drained = summarise(&plan(), &cell(DRAINED)).deploy.unwrap();
    // 400/s over three backends for 98 ms are 13 in flight at any time.
    let around_13 = |counts: Vec<u64>| counts.len() == 3 && counts.iter().all(|n| (12..=14).contains(n));
    assert!(around_13(control.at_terminations()), "{control:?}");
    assert_eq!(control.at_deregistrations(), Vec::<u64>::new());
    assert!(around_13(drained.at_deregistrations()), "{drained:?}");
    assert_eq!(drained.at_terminations(), [0, 0, 0]);
    assert_eq!(drained.longest_drain.map(|drain| drain.as_millis()), Some(91.5));
}

/// Makes the requests in `ids` end as timeouts, 5 s after they were due.
fn time_out(records: &mut CellRecords, ids: std::ops::Range<usize>) {
    for id in ids {
        let request = &mut records.requests[id];
        request.outcome = failed(Stage::FirstByte, Cause::Timeout);
        request.end = Nanos(request.due.0 + 5_000_000_000);
        request.served_by = None;
        records.executions[id].finished = None;
        records.access[id].status = 499;
    }
}

/// The phases in which requests that timed out are said to have been lost.
fn phases_of_time_outs(records: &CellRecords) -> Vec<(Option<String>, Phase)> {
    let dropped = summarise(&plan(), records).dropped.into_iter();
    let timed_out = dropped.filter(|group| group.source.outcome == OutcomeKind::Timeout);
    timed_out.map(|group| (group.source.backend, group.source.phase)).collect()
}

#[test]
fn a_time_out_belongs_to_the_moment_in_which_its_backend_froze() {
    let mut records = cell(CONTROL);
    let incarnation = inc("web-1", 1);
    records.history.insert(3, event(2000.0, Happening::Faulted { incarnation, fault: FaultKind::Freeze }));
    let healed = Happening::Healed { incarnation: inc("web-1", 1) };
    records.history.insert(4, event(3000.0, healed));
    // Request 789 is due at 1972.5 ms and goes to web-1, which is replaced at 4 s.
    time_out(&mut records, 789..790);
    assert_eq!(phases_of_time_outs(&records), [(Some("web-1".into()), Phase::Fault)]);
}

#[test]
fn a_time_out_without_such_a_moment_belongs_to_when_it_was_received_or_sent() {
    let mut records = cell(CONTROL);
    // Request 1 goes to web-2, is due in the baseline and ends after the replacement of web-2.
    time_out(&mut records, 1..2);
    assert_eq!(phases_of_time_outs(&records), [(Some("web-2".into()), Phase::Baseline)]);
    records.executions.remove(1);
    retell(&mut records.access[1], Vec::clear);
    assert_eq!(phases_of_time_outs(&records), [(None, Phase::Baseline)]);
}

#[test]
fn what_a_reload_cut_off_or_was_lost_soon_after_one_belongs_to_it() {
    // Request 100 is due at 250 ms. Nothing but the reload happens until 4 s.
    let phase = |outcome: Outcome, reloaded: f64, end: f64| {
        let mut records = cell(CONTROL);
        records.history.insert(3, event(reloaded, Happening::BalancerReloaded));
        let request = &mut records.requests[100];
        (request.outcome, request.end, request.served_by) = (outcome, ms(end), None);
        let dropped = summarise(&plan(), &records).dropped.into_iter();
        dropped.map(|group| group.source.phase).find(|phase| *phase != Phase::Terminate)
    };
    let reset = failed(Stage::FirstByte, Cause::Reset);
    // Soon after the reload, whatever the client got.
    assert_eq!(phase(answered(502), 300.0, 1200.0), Some(Phase::Reload));
    assert_eq!(phase(reset, 300.0, 1200.0), Some(Phase::Reload));
    // Later only a connection that the old configuration still held.
    assert_eq!(phase(reset, 300.0, 3800.0), Some(Phase::Reload));
    assert_eq!(phase(answered(502), 300.0, 3800.0), Some(Phase::Baseline));
}

#[test]
fn a_window_that_ended_with_an_unconfirmed_zero_is_no_expired_drain() {
    let expired = |in_flight| {
        let mut records = cell(DRAINED);
        for event in &mut records.history {
            if let Happening::Drained { incarnation, .. } = &event.what {
                event.what = Happening::DrainExpired { incarnation: incarnation.clone(), in_flight };
            }
        }
        summarise(&plan(), &records).deploy.unwrap().drains_expired
    };
    assert_eq!(expired(Some(0)), 0);
    assert_eq!(expired(Some(1)), 3);
    assert_eq!(expired(None), 3);
}

#[test]
fn a_request_that_was_killed_belongs_to_the_kill_however_late_its_client_was_told() {
    let mut records = cell(CONTROL);
    for request in records.requests.iter_mut().filter(|request| request.outcome == answered(502)) {
        request.end = Nanos(request.end.0 + 400_000_000);
    }
    let dropped = summarise(&plan(), &records).dropped;
    assert!(dropped.iter().all(|group| group.source.phase == Phase::Terminate), "{dropped:?}");
}
