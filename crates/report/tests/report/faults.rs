//! Faults: who noticed, after how long, and at what cost.

use model::access_log::LogGap;
use model::degrade::{Misbehaviour, ResponseStage};
use model::detection::DetectionBound;
use model::history::{Event, Happening};
use model::outcome::{Cause, Outcome, Stage};
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::timeline::FaultKind;
use model::topology::Retries;
use model::units::Span;
use report::evidence::Evidence;
use report::fate::{Equation, Exception, Finding, SubCause, fate};
use report::faults::TimeToEject;
use report::verdict::Holding;
use report::{CellSummary, judge, summarise};

use crate::build::*;

const VARIANT: &str = "crash";

/// A variant without a deploy.
fn faulty_plan(claims: &[&str]) -> SavedPlan {
    let mut plan = plan();
    plan.variants.truncate(1);
    plan.variants[0].name = VARIANT.into();
    plan.variants[0].timeline.clear();
    plan.control.clear();
    plan.expect = claims.iter().map(|text| text.parse().expect("a claim")).collect();
    plan
}

/// web-1 is dead from 4.001 s to 9 s. Until `removed` (ms) it is tried all the same, and what is sent there is refused.
fn crash(removed: f64, watch: Vec<Event>) -> CellRecords {
    let mut records = without_requests(VARIANT, 8000);
    let kept = |event: &Event| {
        matches!(
            event.what,
            Happening::CellStarted { .. }
                | Happening::Balancer { .. }
                | Happening::Scheduled { .. }
                | Happening::LoadFinished { .. }
                | Happening::AccessLog { .. }
                | Happening::CellFinished
        )
    };
    records.history.retain(kept);
    for id in 0..8000 {
        let due = id as f64 * 2.5;
        let dead = (4001.0..9000.0).contains(&due);
        let n = if dead && due > removed { 1 + id as usize % 2 } else { id as usize % 3 };
        let by = inc(BACKENDS[n], if n == 0 && due >= 9000.0 { 2 } else { 1 });
        let mut request = request(id, due, answered(200));
        let mut status = 200;
        let in_hand = n == 0 && due + 1.0 <= 4001.0 && due + 99.0 > 4001.0;
        if n == 0 && dead {
            request.outcome = answered(502);
            request.end = ms(due + 1.0);
            status = 502;
        } else if in_hand {
            request.outcome = answered(502);
            request.end = ms(4001.5);
            status = 502;
            records.executions.push(execution(id, by.clone(), due + 1.0, None));
        } else {
            request.served_by = Some(by.clone().into());
            records.executions.push(execution(id, by.clone(), due + 1.0, Some(due + 99.0)));
        }
        records.requests.push(request);
        records.access.push(logged(id, status, &[BACKENDS[n]]));
    }
    let mut faults = vec![
        event(4001.0, Happening::Faulted { incarnation: inc("web-1", 1), fault: FaultKind::Crash }),
        event(4002.0, exited("web-1/1")),
        event(9000.0, Happening::Healed { incarnation: inc("web-1", 2) }),
    ];
    faults.extend(watch);
    faults.sort_by_key(|event| event.at);
    let end = records.history.iter().position(|e| matches!(e.what, Happening::LoadFinished { .. }));
    let end = end.expect("the load ends");
    records.history.splice(end..end, faults);
    records
}

fn within(least: u64, most: u64) -> DetectionBound {
    DetectionBound::Within { least: Span::millis(least), most: Span::millis(most), why: "2 × 500ms".into() }
}

fn watched(bound: DetectionBound, every: Option<u64>) -> Event {
    let every = every.map(Span::millis);
    event(4001.0, Happening::Watched { backend: "web-1".into(), bound, every })
}

fn seen_down(at: f64) -> Event {
    let (backend, words) = ("web-1".into(), "DOWN".into());
    event(at, Happening::SeenDown { backend, words, before: ms(at - 21.0) })
}

fn seen_up(at: f64) -> Event {
    let (backend, words) = ("web-1".into(), "UP".into());
    event(at, Happening::SeenUp { backend, words, before: ms(at - 21.0) })
}

fn seen_and_removed() -> CellRecords {
    crash(4800.0, vec![watched(within(500, 1000), Some(20)), seen_down(4821.0), seen_up(9100.0)])
}

fn summary(records: &CellRecords) -> CellSummary {
    let summary = summarise(&faulty_plan(&[]), records);
    assert!(summary.validity.counts.is_usable(), "{:?}", summary.validity);
    summary
}

/// Whether each claim holds.
fn holdings(records: &CellRecords, claims: &[&str]) -> Vec<Holding> {
    let plan = faulty_plan(claims);
    let cells = vec![summarise(&plan, records)];
    let run = judge(&plan, &environment(), cells, vec![]);
    run.claims.into_iter().map(|claim| claim.holding).collect()
}

#[test]
fn a_crash_is_measured_from_its_own_time_to_the_healing() {
    let cell = summary(&seen_and_removed());
    let [fault] = cell.faults.as_slice() else { panic!("{:?}", cell.faults) };
    assert_eq!((fault.backend.as_str(), fault.fault.as_str(), fault.at_ms), ("web-1", "crash", 4001.0));
    assert_eq!(fault.healed_ms, Some(4999.0));
    let down = fault.seen_down.as_ref().unwrap();
    assert_eq!((down.ms, down.after_ms, down.words.as_str()), (820.0, 799.0, "DOWN"));
    assert_eq!(fault.seen_up.as_ref().map(|seen| seen.ms), Some(100.0));
    // Every third from 3902.5 ms to 4000 ms, received and not finished.
    assert_eq!(fault.failed_in_flight, 13);
    // Every third from 4005 ms to 4800 ms.
    assert_eq!(fault.failed_after, 107);
    assert_eq!(fault.failed_requests(), cell.counts.dropped);
    assert_eq!((fault.first_failure_ms, fault.last_failure_ms), (Some(0.5), Some(800.0)));
    assert_eq!(fault.time_to_eject, TimeToEject::After { ms: 799.2, tried_again: 0 });
    // Id 3600 is due at 9000 ms, goes to web-1 and takes 100 ms.
    assert_eq!(fault.time_to_restore_ms, Some(100.0));
}

#[test]
fn claims_about_detection_read_it() {
    let claims = [
        "crash.detection[web-1] <= 1 × crash.bound[web-1]",
        "crash.detection[web-1] <= 0.5 × crash.bound[web-1]",
        "crash.time_to_eject[web-1] < 800ms",
        "crash.failed_requests[web-1] == 120",
        "crash.time_to_restore[web-1] <= 100ms",
    ];
    use Holding::{Failed, Held};
    assert_eq!(holdings(&seen_and_removed(), &claims), [Held, Failed, Held, Held, Held]);
}

#[test]
fn what_nobody_noticed_took_for_ever() {
    let records = crash(9000.0, vec![watched(within(500, 1000), Some(20))]);
    let cell = summary(&records);
    assert_eq!(cell.faults[0].time_to_eject, TimeToEject::Never);
    assert_eq!(cell.faults[0].seen_down, None);
    let claims = ["crash.detection[web-1] <= 1 × crash.bound[web-1]", "crash.time_to_eject[web-1] > 3s"];
    assert_eq!(holdings(&records, &claims), [Holding::Failed, Holding::Held]);
}

#[test]
fn without_probes_there_is_no_bound_and_never_is_still_too_late() {
    let none = || DetectionBound::None { reason: "nothing probes".into() };
    let claim = ["crash.detection[web-1] <= 1 × crash.bound[web-1]"];
    let unseen = crash(9000.0, vec![watched(none(), Some(20))]);
    assert_eq!(holdings(&unseen, &claim), [Holding::Failed]);
    // Nor is it known that it took longer than that.
    let later = ["crash.detection[web-1] > 1 × crash.bound[web-1]"];
    assert_eq!(holdings(&unseen, &later), [Holding::Unproven("no bound: nothing probes".into())]);
    let seen = crash(4800.0, vec![watched(none(), Some(20)), seen_down(4821.0)]);
    assert_eq!(holdings(&seen, &claim), [Holding::Unproven("no bound: nothing probes".into())]);
    let blind = crash(4800.0, vec![watched(none(), None)]);
    let reason = "nginx does not say which backends are down".to_owned();
    assert_eq!(holdings(&blind, &claim), [Holding::NotApplicable(reason)]);
}

#[test]
fn a_faultless_backend_has_nothing_to_read() {
    let found = holdings(&seen_and_removed(), &["crash.failed_requests[web-2] == 0"]);
    assert!(
        matches!(&found[0], Holding::Unproven(why) if why.ends_with("has no fault of web-2")),
        "{found:?}"
    );
}

#[test]
fn a_balancer_that_tries_again_after_a_time_of_quiet_has_removed_the_backend() {
    let mut records = seen_and_removed();
    // Due at 8 s, more than 2 s after the last attempt at web-1.
    records.access[3200] = logged(3200, 200, &["web-1", "web-2"]);
    let mut plan = faulty_plan(&[]);
    plan.variants.iter_mut().for_each(|variant| variant.topology.retries = Retries::Default);
    let cell = summarise(&plan, &records);
    assert!(
        matches!(cell.faults[0].time_to_eject, TimeToEject::After { tried_again: 1, .. }),
        "{:?}",
        cell.faults
    );
}

/// web-1 is told to misbehave from 50 ms on, for good.
fn degraded(misbehaviour: Misbehaviour) -> Vec<Event> {
    let mut events = vec![
        event(50.0, Happening::Degraded { incarnation: inc("web-1", 1), misbehaviour }),
        event(90_000.0, access_log(true)),
    ];
    if let Happening::AccessLog { gaps, .. } = &mut events[1].what {
        gaps.push(LogGap::SilentClose);
    }
    events
}

#[test]
fn a_response_that_was_broken_off_is_explained_by_having_been_told_so() {
    let truncated = failed(Stage::Body, Cause::Eof);
    let request = request(0, 0.0, truncated);
    let execution = execution(0, inc("web-1", 1), 1.0, None);
    let line = logged(0, 200, &["web-1"]);
    let judge = |history: &[Event]| fate(&request, &[&execution], &[&line], &Evidence::gather(history));
    let found = judge(&degraded(Misbehaviour::Close(ResponseStage::Body)));
    assert_eq!(found.exceptions, [Exception::BrokenOff, Exception::LoggedOkLost]);
    assert_eq!((found.sub_cause, found.unmatched.len()), (Some(SubCause::BrokenOff), 0));
    // Errors are answers: they explain no unfinished request.
    let found =
        judge(&degraded(Misbehaviour::Latency(plan().variants[0].topology.pools[0].backends[0].latency)));
    assert_eq!(found.unmatched, [(Equation::UnfinishedIsExplained, Finding::NeverFinished)]);
}

#[test]
fn a_silent_close_may_follow_a_response_that_was_broken_off() {
    let outcome = Outcome::Failed { stage: Stage::FirstByte, cause: Cause::Eof };
    let request = request(0, 0.0, outcome);
    let execution = execution(0, inc("web-1", 1), 1.0, None);
    let history = degraded(Misbehaviour::Reset(ResponseStage::Before));
    let found = fate(&request, &[&execution], &[], &Evidence::gather(&history));
    assert_eq!(found.exceptions, [Exception::BrokenOff, Exception::SilentClose]);
    assert!(found.unmatched.is_empty(), "{found:?}");
}

#[test]
fn the_table_says_what_the_configuration_promises_and_what_was_seen() {
    let plan = faulty_plan(&[]);
    let run = judge(&plan, &environment(), vec![summarise(&plan, &seen_and_removed())], vec![]);
    let text = report::render(
        &run,
        report::Format::Markdown,
        report::Style { width: 120, colour: report::Colour::Never },
    );
    let table: Vec<_> =
        text.lines().skip_while(|line| !line.contains("Faults and their detection")).take(12).collect();
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn every_ejection_and_return_is_counted_and_only_the_first_is_the_detection() {
    let watch = vec![
        watched(within(500, 1000), Some(20)),
        seen_down(4821.0),
        seen_up(6000.0),
        seen_down(6500.0),
        seen_up(9100.0),
        seen_down(12_000.0),
    ];
    let cell = summary(&crash(4800.0, watch));
    let ejections = cell.ejections["web-1"];
    assert_eq!((ejections.downs, ejections.ups), (3, 2));
    assert_eq!(ejections.down_ms, 1179.0 + 2600.0 + 8000.0);
    let [fault] = cell.faults.as_slice() else { panic!("{:?}", cell.faults) };
    // From 4001 ms on, and from the healing at 9 s on.
    assert_eq!(fault.seen_down.as_ref().map(|seen| seen.ms), Some(820.0));
    assert_eq!(fault.seen_up.as_ref().map(|seen| seen.ms), Some(100.0));
}

#[test]
fn a_detection_over_its_bound_is_a_finding() {
    let told = |at: f64| {
        let plan = faulty_plan(&[]);
        let cells =
            vec![summarise(&plan, &crash(4800.0, vec![watched(within(500, 1000), Some(20)), seen_down(at)]))];
        let run = judge(&plan, &environment(), cells, vec![]);
        let style = report::Style { width: 200, colour: report::Colour::Never };
        report::render(&run, report::Format::Table, style).contains("still up in the balancer's view")
    };
    // Last seen up 21 ms before: at 5001 ms the bound is over.
    assert!(!told(5022.0));
    assert!(told(5023.0));
}
