//! What a history may explain, and what it may not.

use model::history::{Event, Happening};
use model::outcome::{Cause, Outcome, Stage};
use model::request::Request;
use report::evidence::Evidence;
use report::fate::{Equation, Exception, Fate, Finding, SubCause, fate};

use crate::build::*;

/// web-1/1 is killed at `at`.
fn killed_at(at: f64) -> Vec<Event> {
    vec![event(at, terminated(inc("web-1", 1))), event(at + 1.0, exited("web-1/1"))]
}

fn reset() -> Outcome {
    failed(Stage::FirstByte, Cause::Reset)
}

/// The fate of a request that web-1/1 received, by a history whose log is whole.
fn judge(request: &Request, finished: Option<f64>, mut history: Vec<Event>) -> Fate {
    history.push(event(90_000.0, access_log(true)));
    let done = execution(0, inc("web-1", 1), 1.0, finished);
    fate(request, &[&done], &[&logged(0, 0, &["web-1"])], &Evidence::gather(&history))
}

/// The fate of a request that web-1/1 never finished. It ended at 100 ms.
fn unfinished(history: Vec<Event>) -> Fate {
    judge(&request(0, 0.0, reset()), None, history)
}

/// The fate of a request that web-1/1 finished at 49 ms, and that ended at 100 ms without a response.
fn finished(history: Vec<Event>) -> Fate {
    judge(&request(0, 0.0, reset()), Some(49.0), history)
}

const NEVER_FINISHED: (Equation, Finding) = (Equation::UnfinishedIsExplained, Finding::NeverFinished);
const FINISHED_BUT_LOST: (Equation, Finding) = (Equation::DeliveryMatchesExecution, Finding::FinishedButLost);

#[test]
fn a_kill_explains_what_ended_after_it_or_while_its_signal_was_being_sent() {
    assert_eq!(unfinished(killed_at(50.0)).exceptions, [Exception::KilledInService]);
    assert_eq!(unfinished(killed_at(149.0)).exceptions, [Exception::KilledInService]);
    assert_eq!(unfinished(killed_at(151.0)).unmatched, [NEVER_FINISHED]);
}

#[test]
fn the_teardown_after_the_load_explains_nothing() {
    let torn_down = |over: Happening| {
        let mut history = vec![event(101.0, over)];
        history.extend(killed_at(102.0));
        history
    };
    for over in [load_finished(), Happening::Interrupted, Happening::Failed { message: "no".into() }] {
        assert_eq!(unfinished(torn_down(over.clone())).unmatched, [NEVER_FINISHED]);
        assert_eq!(finished(torn_down(over)).unmatched, [FINISHED_BUT_LOST]);
    }
}

#[test]
fn a_finished_response_may_be_lost_with_the_incarnation_that_sent_it() {
    let lost = finished(killed_at(50.0));
    assert_eq!(lost.exceptions, [Exception::FinishedUndelivered]);
    assert_eq!(lost.sub_cause, Some(SubCause::FinishedUndelivered));
    assert_eq!(finished(vec![]).unmatched, [FINISHED_BUT_LOST]);
    assert_eq!(finished(killed_at(-1500.0)).unmatched, [FINISHED_BUT_LOST]);
    let another_life = vec![event(50.0, terminated(inc("web-1", 2)))];
    assert_eq!(finished(another_life).unmatched, [FINISHED_BUT_LOST]);
}

#[test]
fn a_finished_response_may_be_lost_in_a_reload_but_not_by_a_mere_change_of_rotation() {
    let reloaded = |at| finished(vec![event(at, Happening::BalancerReloaded)]);
    assert_eq!(reloaded(60.0).exceptions, [Exception::FinishedUndelivered]);
    assert_eq!(reloaded(-900.0).exceptions, [Exception::FinishedUndelivered]);
    assert_eq!(reloaded(-1100.0).unmatched, [FINISHED_BUT_LOST]);
    assert_eq!(reloaded(151.0).unmatched, [FINISHED_BUT_LOST]);
    let incarnation = inc("web-1", 1);
    let rotated = vec![
        event(60.0, Happening::Deregistering { incarnation: incarnation.clone() }),
        event(70.0, Happening::Registering { incarnation }),
    ];
    assert_eq!(finished(rotated).unmatched, [FINISHED_BUT_LOST]);
}

#[test]
fn a_finished_response_may_come_too_late_for_its_client() {
    let request = request(0, 0.0, failed(Stage::FirstByte, Cause::Timeout));
    let fate = judge(&request, Some(99.0), vec![]);
    assert_eq!(fate.exceptions, [Exception::FinishedUndelivered, Exception::ClientAbort]);
    assert_eq!(fate.unmatched, []);
}

#[test]
fn a_body_that_was_cut_after_a_stamped_head_needs_an_explanation_too() {
    let mut request = request(0, 0.0, failed(Stage::Body, Cause::Eof));
    request.served_by = Some(inc("web-1", 1).into());
    assert_eq!(judge(&request, Some(49.0), vec![]).unmatched, [FINISHED_BUT_LOST]);
    let killed = judge(&request, Some(49.0), killed_at(50.0));
    assert_eq!(killed.exceptions, [Exception::FinishedUndelivered]);
    assert_eq!(killed.sub_cause, Some(SubCause::FinishedUndelivered));
    request.outcome = answered(500);
    let delivered = judge(&request, Some(49.0), vec![]);
    assert_eq!(delivered.sub_cause, Some(SubCause::AnsweredByBackend));
    assert!(!delivered.unmatched.contains(&FINISHED_BUT_LOST));
}
