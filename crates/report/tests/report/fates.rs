use std::time::Duration;

use model::access_log::{Attempt, LogGap, Reason};
use model::history::{Event, Happening};
use model::ledger::Execution;
use model::outcome::{BodyCheck, Cause, NotSent, Outcome, OutcomeKind, Stage};
use model::request::ConnectionUse;
use model::timeline::FaultKind;
use model::topology::Retries;
use report::evidence::Evidence;
use report::fate::{Equation, Exception, Fate, Finding, SubCause, fate};

use crate::build::*;

/// web-1/1 is killed at 50 ms; the log is whole.
fn death() -> Vec<Event> {
    vec![
        event(50.0, terminated(inc("web-1", 1))),
        event(51.0, exited("web-1/1")),
        event(9000.0, access_log(true)),
    ]
}

fn quiet() -> Vec<Event> {
    vec![event(9000.0, access_log(true))]
}

fn judge(
    outcome: Outcome,
    executions: &[Execution],
    lines: &[model::access_log::Logged],
    history: &[Event],
) -> Fate {
    fate(
        &request(0, 0.0, outcome),
        &executions.iter().collect::<Vec<_>>(),
        &lines.iter().collect::<Vec<_>>(),
        &Evidence::gather(history),
    )
}

#[test]
fn a_request_that_a_backend_died_with_was_killed_in_service() {
    let begun = [execution(0, inc("web-1", 1), 1.0, None)];
    let fate = judge(answered(502), &begun, &[logged(0, 502, &["web-1"])], &death());
    assert_eq!(fate.kind, OutcomeKind::Http5xx);
    assert_eq!(fate.sub_cause, Some(SubCause::KilledInService));
    assert_eq!(fate.exceptions, [Exception::KilledInService]);
    assert_eq!(fate.unmatched, []);
}

#[test]
fn the_same_without_a_death_is_unexplained() {
    let begun = [execution(0, inc("web-1", 1), 1.0, None)];
    let fate = judge(answered(502), &begun, &[logged(0, 502, &["web-1"])], &quiet());
    assert_eq!(fate.sub_cause, Some(SubCause::Undetermined));
    assert_eq!(fate.unmatched, [(Equation::UnfinishedIsExplained, Finding::NeverFinished)]);
}

#[test]
fn a_death_of_another_backend_explains_nothing() {
    let begun = [execution(0, inc("web-2", 1), 1.0, None)];
    let fate = judge(answered(502), &begun, &[logged(0, 502, &["web-2"])], &death());
    assert_eq!(fate.unmatched, [(Equation::UnfinishedIsExplained, Finding::NeverFinished)]);
}

#[test]
fn a_refused_connection_never_reached_the_balancer() {
    let fate = judge(failed(Stage::Connect, Cause::Refused), &[], &[], &quiet());
    assert_eq!(fate.exceptions, [Exception::NeverReachedBalancer]);
    assert_eq!(fate.sub_cause, Some(SubCause::NotExecuted));
    assert_eq!(fate.unmatched, []);
}

#[test]
fn without_a_byte_a_receipt_and_a_line_a_request_never_arrived_if_the_log_is_whole_or_nothing_was_connected()
{
    let exception = |stage, whole| {
        judge(failed(stage, Cause::Reset), &[], &[], &[event(9000.0, access_log(whole))]).exceptions
    };
    assert_eq!(exception(Stage::FirstByte, true), [Exception::NeverReachedBalancer]);
    assert_eq!(exception(Stage::Tls, false), [Exception::NeverReachedBalancer]);
    assert_eq!(exception(Stage::FirstByte, false), [Exception::LogLost]);
}

#[test]
fn a_cancelled_request_may_have_been_logged_with_any_status_or_not_at_all() {
    let cancelled = Outcome::NotSent(NotSent::Cancelled);
    for lines in [vec![], vec![logged(0, 200, &[])], vec![logged(0, 499, &[])]] {
        assert_eq!(judge(cancelled, &[], &lines, &quiet()).unmatched, []);
    }
}

#[test]
fn a_silent_close_needs_a_declared_gap_and_a_death() {
    let eof = failed(Stage::FirstByte, Cause::Eof);
    let begun = [execution(0, inc("web-1", 1), 1.0, None)];
    let mut declared = death();
    declared[2] = event(9000.0, access_log_with(true, vec![LogGap::SilentClose]));
    let fate = judge(eof, &begun, &[], &declared);
    assert_eq!(fate.exceptions, [Exception::KilledInService, Exception::SilentClose]);
    assert_eq!(fate.unmatched, []);

    let undeclared = judge(eof, &begun, &[], &death());
    assert_eq!(undeclared.unmatched, [(Equation::LogAgrees, Finding::NotLogged)]);
    let nobody_died = judge(eof, &begun, &[], &declared[2..]);
    assert!(!nobody_died.exceptions.contains(&Exception::SilentClose));
    let mut fresh = request(0, 0.0, eof);
    fresh.on = fresh.on.map(|on| model::request::ConnectionUse { nth: 1, ..on });
    let fresh = report::fate::fate(&fresh, &[&begun[0]], &[], &Evidence::gather(&declared));
    // A balancer that is to try again may take some seconds to give up.
    let mut late = request(0, 0.0, eof);
    late.end = ms(3000.0);
    let late = report::fate::fate(&late, &[&begun[0]], &[], &Evidence::gather(&declared));
    assert!(late.exceptions.contains(&Exception::SilentClose) && late.unmatched.is_empty(), "{late:?}");
    // HAProxy 3.2 does so where its connection to the backend is a reused one, whatever the client's is.
    assert!(fresh.exceptions.contains(&Exception::SilentClose));
    assert_eq!(fresh.unmatched, []);
}

#[test]
fn a_resend_that_no_log_tells_of_needs_a_declared_gap_the_logged_backend_and_a_broken_attempt() {
    let lines = [logged(0, 200, &["web-1"])];
    let mut declared = quiet();
    declared[0] = event(9000.0, access_log_with(true, vec![LogGap::Resend]));
    let found = |first: Execution, history: &[Event]| {
        let receipts = [first, execution(0, inc("web-1", 1), 5.0, Some(9.0))];
        judge(answered(200), &receipts, &lines, history)
    };
    let broken = || execution(0, inc("web-1", 1), 1.0, None);
    assert!(found(broken(), &declared).exceptions.contains(&Exception::SentAgain));
    let several = (Equation::SentAsToldAndAllowed, Finding::ReceivedSeveralTimes);
    // Of two attempts that are logged the first has no name, and was sent twice.
    let unnamed = Attempt { backend: None, status: None };
    let mut tried = logged(0, 200, &["web-2"]);
    retell(&mut tried, |attempts| attempts.insert(0, unnamed));
    let last = execution(0, inc("web-2", 1), 7.0, Some(9.0));
    let fate = judge(answered(200), &[broken(), broken(), last], &[tried], &declared);
    assert!(
        fate.exceptions.contains(&Exception::SentAgain) && !fate.unmatched.contains(&several),
        "{fate:?}"
    );
    for (first, history) in [
        (broken(), quiet()),
        (execution(0, inc("web-2", 1), 1.0, None), declared.clone()),
        (execution(0, inc("web-1", 1), 1.0, Some(3.0)), declared.clone()),
    ] {
        let fate = found(first, &history);
        assert!(fate.unmatched.contains(&several) && !fate.exceptions.contains(&Exception::SentAgain));
    }
}

#[test]
fn a_status_that_was_logged_and_never_sent_is_a_silent_close_too() {
    let mut history = death();
    history[2] = event(9000.0, access_log_with(true, vec![LogGap::SilentClose]));
    let logged = [logged(0, 503, &["web-1"])];
    let close = failed(Stage::FirstByte, Cause::Eof);
    let fate = |nth: u32, history: &[Event]| {
        let mut request = request(0, 0.0, close);
        request.on = request.on.map(|on| ConnectionUse { nth, ..on });
        fate(&request, &[], &[&logged[0]], &Evidence::gather(history))
    };
    let reused = fate(2, &history);
    assert!(reused.exceptions.contains(&Exception::SilentClose));
    assert_eq!(reused.unmatched, []);
    let disagrees = (Equation::LogAgrees, Finding::StatusDiffers);
    assert!(fate(1, &history).unmatched.contains(&disagrees), "HAProxy answers on a fresh connection");
    history.drain(..2);
    assert!(fate(2, &history).unmatched.contains(&disagrees), "no backend was gone");
}

#[test]
fn a_logged_attempt_at_a_dead_backend_was_unread() {
    let fate = judge(answered(502), &[], &[logged(0, 502, &["web-1"])], &death());
    assert_eq!(fate.exceptions, [Exception::UnreadAtDeath]);
    assert_eq!(fate.sub_cause, Some(SubCause::NotExecuted));
    let alive = judge(answered(502), &[], &[logged(0, 502, &["web-2"])], &death());
    assert_eq!(alive.unmatched, [(Equation::LogAgrees, Finding::AttemptNotReceived)]);
}

#[test]
fn a_frozen_backend_does_not_read_until_it_is_healed() {
    let freeze = |from: f64, to: f64| {
        let incarnation = inc("web-1", 1);
        let fault = FaultKind::Freeze;
        vec![
            event(from, Happening::Faulted { incarnation: incarnation.clone(), fault }),
            event(to, Happening::Healed { incarnation }),
            event(9000.0, access_log(true)),
        ]
    };
    let timeout = failed(Stage::FirstByte, Cause::Timeout);
    let line = [logged(0, 499, &["web-1"])];
    let during = judge(timeout, &[], &line, &freeze(-10.0, 5000.0));
    assert_eq!(during.exceptions, [Exception::ClientAbort, Exception::UnreadAtDeath]);
    let line = [logged(0, 502, &["web-1"])];
    let long_before = judge(answered(502), &[], &line, &freeze(-5000.0, -4000.0));
    assert_eq!(long_before.unmatched, [(Equation::LogAgrees, Finding::AttemptNotReceived)]);
}

#[test]
fn an_abort_by_the_client_is_admitted_by_the_log_or_by_its_own_timeout() {
    let begun = [execution(0, inc("web-1", 1), 1.0, None)];
    let timeout = failed(Stage::FirstByte, Cause::Timeout);
    let fate = judge(timeout, &begun, &[logged(0, 499, &["web-1"])], &quiet());
    assert_eq!(fate.exceptions, [Exception::ClientAbort]);
    assert_eq!(fate.sub_cause, Some(SubCause::GivenUp));
    let mut line = logged(0, 0, &["web-1"]);
    line.reason = Some(Reason::ClientAbort);
    let fate = judge(failed(Stage::FirstByte, Cause::Reset), &begun, &[line], &quiet());
    assert_eq!(fate.exceptions, [Exception::ClientAbort]);
}

#[test]
fn what_a_backend_finished_was_not_given_up_on_whoever_left() {
    let done = [execution(0, inc("web-1", 1), 1.0, Some(99.0))];
    let mut line = logged(0, 0, &["web-1"]);
    line.reason = Some(Reason::ClientAbort);
    let fate = judge(failed(Stage::FirstByte, Cause::Reset), &done, &[line], &quiet());
    assert_eq!(fate.sub_cause, Some(SubCause::Undetermined));
    assert_eq!(fate.unmatched, [(Equation::DeliveryMatchesExecution, Finding::FinishedButLost)]);
}

#[test]
fn an_abort_by_the_balancer_is_its_gateway_timeout_or_its_next_attempt() {
    let begun = [execution(0, inc("web-1", 1), 1.0, None)];
    let fate = judge(answered(504), &begun, &[logged(0, 504, &["web-1"])], &quiet());
    assert_eq!(fate.exceptions, [Exception::BalancerAbort]);
    assert_eq!(fate.sub_cause, Some(SubCause::GivenUp));
    // Either says it alone: the client's status, and the line of a response that never arrived.
    let unlogged = judge(answered(504), &begun, &[], &[event(9000.0, access_log(false))]);
    assert!(unlogged.exceptions.contains(&Exception::BalancerAbort), "{unlogged:?}");
    let reset = failed(Stage::FirstByte, Cause::Reset);
    let undelivered = judge(reset, &begun, &[logged(0, 504, &["web-1"])], &quiet());
    assert!(undelivered.exceptions.contains(&Exception::BalancerAbort), "{undelivered:?}");
}

#[test]
fn an_attempt_that_took_too_long_was_given_up_on_whatever_the_client_got() {
    // nginx gave up on web-1, and so ejected the last server of the pool: there was none left to ask.
    let mut line = logged(0, 502, &["web-1"]);
    retell(&mut line, |attempts| attempts[0].status = Some(504));
    line.reason = Some(Reason::NoLiveBackend);
    let begun = [execution(0, inc("web-1", 1), 1.0, None)];
    let fate = judge(answered(502), &begun, std::slice::from_ref(&line), &quiet());
    assert_eq!((fate.exceptions, fate.unmatched), (vec![Exception::BalancerAbort], vec![]));
    let late = [execution(0, inc("web-1", 1), 1.0, Some(99.0))];
    let fate = judge(answered(502), &late, &[line], &quiet());
    assert_eq!((fate.exceptions, fate.unmatched), (vec![Exception::FinishedUndelivered], vec![]));
}

#[test]
fn a_backend_that_the_balancer_could_not_connect_to_received_nothing() {
    let judged = |reason| {
        let mut line = logged(0, 502, &["web-1"]);
        line.reason = reason;
        judge(answered(502), &[], &[line], &quiet())
    };
    for reason in [Reason::ConnectRefused, Reason::ConnectTimeout] {
        let fate = judged(Some(reason));
        assert_eq!((fate.exceptions, fate.unmatched), (vec![Exception::NeverConnected], vec![]));
    }
    assert_eq!(judged(None).unmatched, [(Equation::LogAgrees, Finding::AttemptNotReceived)]);
}

#[test]
fn a_lost_log_excuses_missing_lines() {
    let fate = judge(failed(Stage::FirstByte, Cause::Reset), &[], &[], &[event(9000.0, access_log(false))]);
    assert_eq!(fate.exceptions, [Exception::LogLost]);
}

#[test]
fn a_retry_that_worked_is_masked_and_a_duplicate() {
    let mut request = request(0, 0.0, answered(200));
    request.served_by = Some(inc("web-2", 1).into());
    let first = execution(0, inc("web-1", 1), 1.0, None);
    let second = execution(0, inc("web-2", 1), 52.0, Some(99.0));
    let line = logged(0, 200, &["web-1", "web-2"]);
    let fate = fate(&request, &[&first, &second], &[&line], &Evidence::gather(&death()));
    assert!(fate.masked);
    assert_eq!((fate.receipts, fate.finishes), (2, 1));
    assert_eq!(fate.unmatched, []);
}

#[test]
fn a_success_beside_an_attempt_that_never_ended_is_masked_though_no_log_tells_of_it() {
    let first = execution(0, inc("web-1", 1), 1.0, None);
    let second = execution(0, inc("web-2", 1), 52.0, Some(99.0));
    let evidence = Evidence::gather(&death());
    let masked =
        |executions: &[&Execution]| fate(&request(0, 0.0, answered(200)), executions, &[], &evidence).masked;
    assert!(masked(&[&first, &second]));
    assert!(!masked(&[&second]));
}

#[test]
fn where_no_log_tells_of_a_request_its_second_receipt_is_what_the_plan_allows() {
    let told = [event(9000.0, access_log_with(true, vec![LogGap::PerConnection]))];
    let twice = [1.0, 52.0].map(|at| execution(0, inc("web-1", 1), at, Some(99.0)));
    let mut variant = plan().variants.remove(0);
    for (retries, is_found) in [(Retries::Off, true), (Retries::of(2), false)] {
        variant.topology.retries.clone_from(&retries);
        let evidence = Evidence::gather(&told).under(Some(&variant));
        let fate = fate(&request(0, 0.0, answered(502)), &[&twice[0], &twice[1]], &[], &evidence);
        let found = (Equation::SentAsToldAndAllowed, Finding::ReceivedSeveralTimes);
        assert_eq!(fate.unmatched.contains(&found), is_found, "{retries:?}");
    }
}

#[test]
fn a_timeout_that_ends_more_than_a_millisecond_before_its_time_is_early() {
    let plan = plan();
    let evidence = Evidence::gather(&quiet()).under(plan.variants.first());
    let early = |waited: f64| {
        let mut request = request(0, 0.0, failed(Stage::FirstByte, Cause::Timeout));
        request.end = ms(waited);
        let fate = fate(&request, &[], &[&logged(0, 499, &[])], &evidence);
        fate.unmatched.contains(&(Equation::RecordHolds, Finding::TimedOutEarly))
    };
    // Clients wait for 5 s.
    assert_eq!([4998.9, 4999.0, 5000.0].map(early), [true, false, false]);
}

#[test]
fn a_success_must_be_stamped_and_finished_by_that_incarnation() {
    let done = [execution(0, inc("web-1", 1), 1.0, Some(99.0))];
    let line = [logged(0, 200, &["web-1"])];
    let unstamped = judge(answered(200), &done, &line, &quiet());
    assert_eq!(unstamped.unmatched, [(Equation::DeliveryMatchesExecution, Finding::OkWithoutStamp)]);
    let mut request = request(0, 0.0, answered(200));
    request.served_by = Some(inc("web-1", 2).into());
    let other_generation = fate(&request, &[&done[0]], &[&line[0]], &Evidence::gather(&quiet()));
    assert_eq!(other_generation.unmatched, [(Equation::DeliveryMatchesExecution, Finding::OkNotFinished)]);
}

#[test]
fn a_declared_status_that_a_backend_stamped_must_be_finished_by_that_incarnation_too() {
    let declared = Outcome::Answered { status: 404, body: BodyCheck::Verified, expected: Some(true) };
    let mut request = request(0, 0.0, declared);
    request.served_by = Some(inc("web-1", 1).into());
    let line = logged(0, 404, &["web-1"]);
    let found = |generation: u32, finished: Option<f64>| {
        let execution = execution(0, inc("web-1", generation), 1.0, finished);
        let fate = fate(&request, &[&execution], &[&line], &Evidence::gather(&quiet()));
        fate.unmatched.contains(&(Equation::DeliveryMatchesExecution, Finding::OkNotFinished))
    };
    assert!(!found(1, Some(99.0)));
    assert!(found(1, None));
    assert!(found(2, Some(99.0)));
}

#[test]
fn a_request_that_was_never_sent_cannot_have_been_received() {
    let done = [execution(0, inc("web-1", 1), 1.0, Some(99.0))];
    for outcome in [Outcome::NotSent(NotSent::Backlog), failed(Stage::Connect, Cause::Refused)] {
        let fate = judge(outcome, &done, &[], &quiet());
        assert!(
            fate.unmatched.contains(&(Equation::DeliveryMatchesExecution, Finding::ReceivedThoughNeverSent)),
            "{fate:?}"
        );
    }
    assert_eq!(judge(Outcome::NotSent(NotSent::Backlog), &[], &[], &quiet()).unmatched, []);
}

#[test]
fn a_log_that_tells_another_status_or_tells_it_twice_disagrees() {
    let mut request = request(0, 0.0, answered(200));
    request.served_by = Some(inc("web-1", 1).into());
    let done = execution(0, inc("web-1", 1), 1.0, Some(99.0));
    let wrong = logged(0, 404, &["web-1"]);
    let evidence = Evidence::gather(&quiet());
    let differs = fate(&request, &[&done], &[&wrong], &evidence);
    assert_eq!(differs.unmatched, [(Equation::LogAgrees, Finding::StatusDiffers)]);
    let right = logged(0, 200, &["web-1"]);
    let twice = fate(&request, &[&done], &[&right, &right], &evidence);
    assert_eq!(twice.unmatched, [(Equation::LogAgrees, Finding::LoggedSeveralTimes)]);
}

#[test]
fn attempts_that_the_log_does_not_name_are_counted_and_never_looked_for() {
    let mut request = request(0, 0.0, answered(200));
    request.served_by = Some(inc("web-2", 1).into());
    let done = execution(0, inc("web-2", 1), 52.0, Some(99.0));
    let mut line = logged(0, 200, &["web-1", "web-2"]);
    retell(&mut line, |attempts| attempts[0].backend = None);
    let fate = fate(&request, &[&done], &[&line], &Evidence::gather(&quiet()));
    assert!(fate.masked);
    assert_eq!(fate.unmatched, []);
}

#[test]
fn a_request_that_an_old_worker_had_in_hand_may_be_cut_off_by_a_reload() {
    let cut = |at| {
        let begun = [execution(0, inc("web-1", 1), 1.0, None)];
        let history = [event(at, Happening::BalancerReloaded), event(9000.0, access_log(true))];
        judge(failed(Stage::FirstByte, Cause::Eof), &begun, &[], &history)
    };
    let fate = cut(90.0);
    assert_eq!(fate.exceptions, [Exception::BalancerAbort, Exception::LogLost]);
    assert_eq!((fate.sub_cause, fate.unmatched), (Some(SubCause::GivenUp), vec![]));
    // After its end, and long before it: neither explains it.
    for unrelated in [200.0, -1100.0] {
        assert!(
            cut(unrelated).unmatched.contains(&(Equation::UnfinishedIsExplained, Finding::NeverFinished))
        );
    }
}

#[test]
fn an_old_worker_takes_its_lines_with_it_when_it_is_reloaded_or_its_grace_is_over() {
    let begun = execution(0, inc("web-1", 1), 1.0, None);
    let fate = |cause, end: f64| {
        let mut request = request(0, 0.0, failed(Stage::FirstByte, cause));
        request.end = ms(end);
        let history = [event(90.0, Happening::BalancerReloaded), event(9000.0, access_log(true))];
        let evidence = Evidence::gather(&history).with_reload_grace(Duration::from_secs(5));
        fate(&request, &[&begun], &[], &evidence)
    };
    // A client whose time is up was not cut off, and soon after the reload its line may be lost all the same.
    for (cause, end) in [(Cause::Timeout, 100.0), (Cause::Reset, 5000.0)] {
        let fate = fate(cause, end);
        assert!(fate.exceptions.contains(&Exception::LogLost), "{cause:?}: {fate:?}");
        assert_eq!(fate.unmatched, [], "{cause:?}");
    }
    assert!(fate(Cause::Timeout, 5000.0).unmatched.contains(&(Equation::LogAgrees, Finding::NotLogged)));
}

#[test]
fn a_status_that_was_logged_when_a_reload_ended_a_request_need_not_have_been_sent() {
    let begun = [execution(0, inc("web-1", 1), 1.0, None)];
    let mut line = logged(0, 500, &["web-1"]);
    line.reason = Some(Reason::BalancerEnded);
    let found = |reload| {
        let history = [event(reload, Happening::BalancerReloaded), event(9000.0, access_log(true))];
        judge(failed(Stage::FirstByte, Cause::Eof), &begun, std::slice::from_ref(&line), &history).unmatched
    };
    assert_eq!(found(90.0), []);
    // Without a reload nothing explains it.
    assert!(found(-1100.0).contains(&(Equation::LogAgrees, Finding::StatusDiffers)));
}
