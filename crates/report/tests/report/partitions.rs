//! Backends whose packets vanish: what was under way and what was sent into the silence.

use model::history::{Event, Happening};
use model::ledger::Execution;
use model::outcome::{Cause, Outcome, OutcomeKind, Stage};
use model::records::CellRecords;
use model::timeline::FaultKind;
use model::units::Nanos;
use report::evidence::Evidence;
use report::fate::{Equation, Exception, Fate, Finding, SubCause, fate};
use report::phases::Phase;
use report::summarise;

use crate::build::*;

/// web-1 is cut off from `from` to `to`; the log is whole.
fn cut(from: f64, to: f64) -> Vec<Event> {
    let incarnation = inc("web-1", 1);
    vec![
        event(from, Happening::Faulted { incarnation: incarnation.clone(), fault: FaultKind::Partition }),
        event(to, Happening::Healed { incarnation }),
        event(90_000.0, access_log(true)),
    ]
}

/// web-1/1 is killed at 50 ms and its address vanishes; web-1/2 has it from 4 s on.
fn host_loss() -> Vec<Event> {
    let incarnation = inc("web-1", 1);
    vec![
        event(50.0, Happening::Faulted { incarnation, fault: FaultKind::HostLoss }),
        event(51.0, exited("web-1/1")),
        event(3990.0, Happening::Ready { component: part("web-1/2"), proof: "stamp".into() }),
        event(4000.0, Happening::Healed { incarnation: inc("web-1", 2) }),
        event(90_000.0, access_log(true)),
    ]
}

/// A request sent at 0.2 ms, of which the client was told at `end`. The log names web-1.
fn judge(outcome: Outcome, end: f64, executions: &[Execution], history: &[Event]) -> Fate {
    let mut request = request(0, 0.0, outcome);
    request.end = ms(end);
    let status = match outcome {
        Outcome::Answered { status, .. } => status,
        _ => 499,
    };
    let executions: Vec<_> = executions.iter().collect();
    fate(&request, &executions, &[&logged(0, status, &["web-1"])], &Evidence::gather(history))
}

fn by_web_1(received: f64, finished: Option<f64>) -> [Execution; 1] {
    [execution(0, inc("web-1", 1), received, finished)]
}

const TIMEOUT: Outcome = Outcome::Failed { stage: Stage::FirstByte, cause: Cause::Timeout };
const FINISHED_BUT_LOST: (Equation, Finding) = (Equation::DeliveryMatchesExecution, Finding::FinishedButLost);
const NEVER_FINISHED: (Equation, Finding) = (Equation::UnfinishedIsExplained, Finding::NeverFinished);

#[test]
fn a_request_received_before_the_cut_may_be_finished_and_never_delivered() {
    let received = by_web_1(1.0, Some(99.0));
    for (outcome, end) in [(TIMEOUT, 5000.0), (answered(504), 6000.0), (answered(502), 3000.0)] {
        let fate = judge(outcome, end, &received, &cut(50.0, 4000.0));
        assert_eq!(fate.unmatched, [], "{outcome:?}");
        assert!(fate.exceptions.contains(&Exception::FinishedUndelivered), "{fate:?}");
        assert_eq!(fate.sub_cause, Some(SubCause::FinishedUndelivered));
    }
}

#[test]
fn a_request_received_before_the_cut_may_stay_unfinished_although_its_backend_lives() {
    let received = by_web_1(1.0, None);
    let fate = judge(answered(502), 3000.0, &received, &cut(50.0, 4000.0));
    assert_eq!(fate.exceptions, [Exception::BalancerAbort]);
    assert_eq!(fate.sub_cause, Some(SubCause::GivenUp));
    let fate = judge(TIMEOUT, 5000.0, &received, &cut(50.0, 4000.0));
    assert_eq!(fate.exceptions, [Exception::ClientAbort]);
    assert_eq!((fate.sub_cause, fate.unmatched), (Some(SubCause::GivenUp), vec![]));
}

#[test]
fn a_request_sent_into_the_cut_reaches_nobody() {
    for (outcome, end) in [(TIMEOUT, 5000.0), (answered(504), 5000.0), (answered(503), 3000.0)] {
        let fate = judge(outcome, end, &[], &cut(-1000.0, 20_000.0));
        assert!(fate.exceptions.contains(&Exception::UnreadAtDeath), "{fate:?}");
        assert_eq!((fate.sub_cause, fate.unmatched), (Some(SubCause::NotExecuted), vec![]));
    }
}

#[test]
fn a_request_sent_into_the_cut_may_arrive_when_its_client_has_long_been_told() {
    for finished in [Some(4300.0), None] {
        let fate = judge(answered(503), 3000.0, &by_web_1(4200.0, finished), &cut(-1000.0, 4000.0));
        assert_eq!(fate.unmatched, [], "{finished:?}");
        assert_eq!(fate.receipts, 1);
    }
    // A request that another backend then served was received twice, and finished twice.
    let mut request = request(0, 0.0, answered(200));
    request.end = ms(1100.0);
    request.served_by = Some(inc("web-2", 1).into());
    let late = execution(0, inc("web-1", 1), 4200.0, Some(4300.0));
    let second = execution(0, inc("web-2", 1), 1000.0, Some(1099.0));
    let line = logged(0, 200, &["web-1", "web-2"]);
    let evidence = Evidence::gather(&cut(-1000.0, 4000.0));
    let fate = fate(&request, &[&second, &late], &[&line], &evidence);
    assert_eq!((fate.kind, fate.receipts, fate.masked), (OutcomeKind::Ok, 2, true));
    assert_eq!(fate.unmatched, []);
}

#[test]
fn a_cut_explains_nothing_that_happened_at_another_time_or_to_another_backend() {
    let done = by_web_1(1.0, Some(49.0));
    let begun = by_web_1(1.0, None);
    for history in [cut(-9000.0, -1500.0), cut(200.0, 4000.0)] {
        assert_eq!(judge(answered(502), 100.0, &done, &history).unmatched, [FINISHED_BUT_LOST]);
        assert_eq!(judge(answered(502), 100.0, &begun, &history).unmatched, [NEVER_FINISHED]);
    }
    let other = [execution(0, inc("web-2", 1), 1.0, None)];
    let fate = judge(answered(502), 3000.0, &other, &cut(50.0, 4000.0));
    assert!(fate.unmatched.contains(&NEVER_FINISHED), "{fate:?}");
    // Finished long after the cut was healed, and lost on a network that was whole.
    let fate = judge(answered(502), 7000.0, &by_web_1(4200.0, Some(6900.0)), &cut(-1000.0, 4000.0));
    assert_eq!(fate.unmatched, [FINISHED_BUT_LOST]);
}

#[test]
fn a_frozen_backend_is_reached_so_its_freeze_is_no_cut() {
    let mut frozen = cut(50.0, 4000.0);
    frozen[0] = event(50.0, Happening::Faulted { incarnation: inc("web-1", 1), fault: FaultKind::Freeze });
    let fate = judge(answered(502), 3000.0, &by_web_1(1.0, None), &frozen);
    assert_eq!(fate.unmatched, [NEVER_FINISHED]);
}

#[test]
fn a_lost_host_kills_what_it_had_and_what_it_sent_may_vanish_with_its_address() {
    let killed = judge(answered(504), 6000.0, &by_web_1(1.0, None), &host_loss());
    assert_eq!(killed.sub_cause, Some(SubCause::KilledInService));
    assert_eq!(killed.unmatched, []);
    let undelivered = judge(answered(502), 3000.0, &by_web_1(1.0, Some(49.0)), &host_loss());
    assert_eq!(undelivered.exceptions, [Exception::FinishedUndelivered]);
    assert_eq!(undelivered.unmatched, []);
    let silence = judge(answered(503), 3000.0, &[], &host_loss());
    assert_eq!(silence.exceptions, [Exception::UnreadAtDeath]);
    assert_eq!(silence.sub_cause, Some(SubCause::NotExecuted));
}

/// Request 789 is due at 1972.5 ms, goes to web-1, and times out 5 s later.
fn timed_out_in_a_cut(from: f64, to: f64, received: Option<f64>) -> CellRecords {
    let mut records = cell(CONTROL);
    for (place, event) in cut(from, to).into_iter().take(2).enumerate() {
        records.history.insert(3 + place, event);
    }
    let request = &mut records.requests[789];
    request.outcome = TIMEOUT;
    request.end = Nanos(request.due.0 + 5_000_000_000);
    request.served_by = None;
    records.access[789].status = 499;
    match received {
        Some(at) => (records.executions[789].received, records.executions[789].finished) = (ms(at), None),
        None => drop(records.executions.remove(789)),
    }
    records
}

#[test]
fn what_was_lost_in_a_cut_belongs_to_the_cut_however_late_it_arrived_or_its_client_was_told() {
    let lost = [
        // Under way when the network was cut.
        (1980.0, 3000.0, Some(1973.5)),
        // Sent into the cut: no backend received it, or web-1 did when the network was whole again.
        (1900.0, 3000.0, None),
        (1900.0, 3000.0, Some(3200.0)),
    ];
    for (from, to, received) in lost {
        let summary = summarise(&plan(), &timed_out_in_a_cut(from, to, received));
        let dropped = summary.dropped.iter().find(|group| group.source.outcome == OutcomeKind::Timeout);
        let source = &dropped.expect("it timed out").source;
        assert_eq!((source.backend.as_deref(), source.phase), (Some("web-1"), Phase::Fault), "{received:?}");
        assert!(summary.books.balance(), "{:?}", summary.books.unmatched);
    }
}
