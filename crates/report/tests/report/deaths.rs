//! Who dies by itself, or by a fault in the middle of a deploy: a result with its cost, not a broken measurement.

use model::component::{Component, ExitStatus};
use model::history::{Event, Happening};
use model::outcome::{Cause, Stage};
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::timeline::{Action, Entry, Fault, FaultKind, When};
use model::units::Span;
use report::evidence::Evidence;
use report::phases::Phase;
use report::validity::Trust;
use report::verdict::{Holding, RunSummary, Verdict};
use report::{Colour, Format, Style, judge, render, summarise};

use crate::build::*;

const PLAIN: Style = Style { width: 200, colour: Colour::Never };

fn add(records: &mut CellRecords, events: impl IntoIterator<Item = Event>) {
    let end = records.history.iter().position(|e| matches!(e.what, Happening::LoadFinished { .. }));
    let end = end.expect("the load ends");
    records.history.splice(end..end, events);
    records.history.sort_by_key(|event| event.at);
}

fn dies(component: Component, at: f64, status: &str) -> Event {
    let status = ExitStatus::unknown(status);
    event(at, Happening::Exited { component, status, expected: false })
}

fn run_with(plan: &SavedPlan, cells: &[CellRecords]) -> RunSummary {
    let cells = cells.iter().map(|records| summarise(plan, records)).collect();
    judge(plan, &environment(), cells, vec![])
}

/// The drained deploy, with a balancer that dies at 15 s: what is under way is reset, what comes later is refused.
fn without_its_balancer() -> CellRecords {
    let mut records = cell(DRAINED);
    for request in &mut records.requests {
        let (sent, end) = (request.sent.expect("all are sent"), request.end);
        if end < ms(15_000.0) {
            continue;
        }
        let id = request.id;
        request.served_by = None;
        request.first_byte = None;
        records.access.retain(|line| line.id != Some(id));
        if sent < ms(15_000.0) {
            // Noticed at 15 s, and the clients' connections broke a moment before that.
            request.outcome = failed(Stage::FirstByte, Cause::Reset);
            request.end = ms(14_990.0);
            let n = id.0;
            for execution in records.executions.iter_mut().filter(|e| e.id == id && n % 2 == 0) {
                execution.finished = None;
            }
        } else {
            request.outcome = failed(Stage::Connect, Cause::Refused);
            request.end = sent;
            records.executions.retain(|execution| execution.id != id);
        }
    }
    for event in &mut records.history {
        if let Happening::AccessLog { whole, .. } = &mut event.what {
            *whole = false;
        }
    }
    add(&mut records, [dies(Component::Balancer, 15_000.0, "signal: 9 (SIGKILL)")]);
    records
}

#[test]
fn a_balancer_that_dies_is_a_result_with_what_it_cost() {
    let run = run_with(&plan(), &[cell(CONTROL), without_its_balancer()]);
    let drained = &run.cells[1];
    assert_eq!(drained.validity.counts.verdict, Trust::Valid, "{:?}", drained.validity);
    assert_eq!(drained.books.unmatched, vec![]);
    let [death] = drained.deaths.as_slice() else { panic!("{:?}", drained.deaths) };
    assert_eq!(death.dropped, drained.counts.dropped);
    assert!(death.dropped > 2000);
    let sentence =
        format!("nginx died by itself at 15 s (signal 9); {} requests were dropped", death.dropped);
    assert_eq!(death.sentence(), sentence);
    assert_eq!(run.verdict, Verdict::Failed);
    let text = render(&run, Format::Table, PLAIN);
    assert!(text.contains(&format!("✗ nginx with-drain: {sentence}")), "{text}");
    let junit = render(&run, Format::Junit, PLAIN);
    assert!(junit.contains("<failure") && junit.contains(&sentence), "{junit}");
}

#[test]
fn a_balancer_that_dies_fails_a_run_without_any_claim() {
    let plan = SavedPlan { control: vec![], expect: vec![], ..plan() };
    let run = run_with(&plan, &[cell(CONTROL), without_its_balancer()]);
    assert_eq!(run.verdict, Verdict::Failed);
}

#[test]
fn a_cell_that_could_not_be_run_accuses_nobody() {
    let mut records = without_its_balancer();
    add(&mut records, [event(15_001.0, Happening::Failed { message: "the engine is gone".into() })]);
    let plan = SavedPlan { control: vec![], expect: vec![], ..plan() };
    let run = run_with(&plan, &[cell(CONTROL), records]);
    assert_eq!(run.cells[1].deaths, vec![]);
    assert_eq!(run.verdict, Verdict::Invalid);
}

/// The drained deploy, with workers of the balancer that die at 15 s: what they have in hand is reset, and they log nothing
/// of it nor of what they have just answered.
fn without_workers(times: usize) -> CellRecords {
    let mut records = cell(DRAINED);
    for (n, request) in records.requests.iter_mut().enumerate() {
        let id = request.id;
        let in_hand = request.sent < Some(ms(15_000.0)) && request.end > ms(15_000.0);
        if in_hand && n % 2 == 0 {
            request.outcome = failed(Stage::FirstByte, Cause::Reset);
            (request.served_by, request.first_byte, request.end) = (None, None, ms(15_000.5));
        }
        let just_answered = (ms(14_990.0)..ms(15_000.0)).contains(&request.end);
        if (in_hand && n % 2 == 0) || just_answered {
            records.access.retain(|line| line.id != Some(id));
        }
    }
    add(&mut records, (0..times).map(|n| dies(Component::Worker, 15_020.0 + n as f64, "signal: 9")));
    records
}

#[test]
fn a_worker_that_dies_while_its_balancer_goes_on_is_a_result_with_what_it_cost() {
    for (times, who) in [(1, "a worker of nginx"), (2, "a worker of nginx (the first of 2)")] {
        let run = run_with(&plan(), &[cell(CONTROL), without_workers(times)]);
        let drained = &run.cells[1];
        assert_eq!(drained.validity.counts.verdict, Trust::Valid, "{:?}", drained.validity);
        assert_eq!(drained.books.unmatched, vec![]);
        let [death] = drained.deaths.as_slice() else { panic!("{:?}", drained.deaths) };
        assert_eq!((death.who.as_str(), death.dropped), (who, drained.counts.dropped));
        assert!((15..=25).contains(&death.dropped), "{death:?}");
        let sources = drained.dropped.iter().map(|group| group.source.who());
        assert_eq!(sources.collect::<Vec<_>>(), ["balancer worker"]);
        assert_eq!(run.verdict, Verdict::Failed);
    }
}

#[test]
fn what_is_lost_long_after_a_worker_has_died_is_not_its_doing() {
    let mut records = without_workers(1);
    let request = &mut records.requests[7000];
    request.outcome = failed(Stage::FirstByte, Cause::Reset);
    (request.served_by, request.first_byte) = (None, None);
    let id = request.id;
    records.access.retain(|line| line.id != Some(id));
    let run = run_with(&plan(), &[cell(CONTROL), records]);
    assert!(!run.cells[1].books.unmatched.is_empty());
}

/// The drained deploy, with a second generation of web-2 that is killed at 12 s from outside: its requests end there.
fn without_a_backend(last: Event) -> CellRecords {
    let mut records = cell(DRAINED);
    for request in &mut records.requests {
        let dead = inc("web-2", 2);
        let id = request.id;
        if request.served_by.as_deref() != Some(&dead) || request.end < ms(12_000.0) {
            continue;
        }
        request.served_by = None;
        request.outcome = answered(502);
        let received = request.sent.expect("all are sent") < ms(12_000.0);
        request.end = if received { ms(12_000.5) } else { request.due };
        records.access.iter_mut().filter(|line| line.id == Some(id)).for_each(|line| line.status = 502);
        match received {
            true => {
                let mut of_it = records.executions.iter_mut().filter(|e| e.id == id);
                of_it.by_ref().for_each(|execution| execution.finished = None);
            }
            false => records.executions.retain(|execution| execution.id != id),
        }
    }
    add(&mut records, [last]);
    records
}

#[test]
fn a_backend_that_is_killed_from_outside_is_a_result_with_what_it_cost() {
    // The Docker engine tells of a signal as a shell does.
    for status in ["signal: 9 (SIGKILL)", "exit status: 137"] {
        let killed = without_a_backend(dies(part("web-2/2"), 12_003.0, status));
        let run = run_with(&plan(), &[cell(CONTROL), killed]);
        let drained = &run.cells[1];
        assert_eq!(drained.validity.counts.verdict, Trust::Valid, "{:?}", drained.validity);
        let [death] = drained.deaths.as_slice() else { panic!("{:?}", drained.deaths) };
        assert_eq!(death.dropped, drained.counts.dropped);
        assert!(death.dropped > 500);
        let sentence =
            format!("web-2/2 died by itself at 12 s (signal 9); {} requests were dropped", death.dropped);
        assert_eq!(death.sentence(), sentence);
        let sources =
            drained.dropped.iter().map(|group| (group.source.backend.as_deref(), group.source.phase));
        assert!(
            sources.clone().all(|source| source == (Some("web-2"), Phase::Died)),
            "{:?}",
            drained.dropped
        );
        let [fault] = drained.faults.as_slice() else { panic!("{:?}", drained.faults) };
        assert_eq!(
            (fault.fault.as_str(), fault.failed_requests()),
            ("died by itself", drained.counts.dropped)
        );
        assert_eq!(run.verdict, Verdict::Failed);
    }
}

#[test]
fn a_deploy_that_comes_to_a_dead_backend_takes_nothing_from_its_death() {
    let by = inc("web-1", 1);
    let crash = Happening::Faulted { incarnation: by.clone(), fault: FaultKind::Crash };
    let history = [
        event(50.0, crash),
        event(51.0, exited("web-1/1")),
        // As an earlier version recorded it: the signal reached no process.
        event(3000.0, terminated(by.clone())),
    ];
    let evidence = Evidence::gather(&history);
    assert!(evidence.killed(&by, ms(40.0), ms(50.5)));
    assert!(!evidence.killed(&by, ms(60.0), ms(70.0)));
}

/// The plan of the drained deploy, with a crash of web-3 beside it.
fn with_a_crash(claims: &[&str]) -> SavedPlan {
    let mut plan = plan();
    let fault = Fault { kind: FaultKind::Crash, backend: "web-3".into(), lasts: None };
    plan.variants[1].timeline.push(Entry {
        name: "kill".into(),
        when: When::At(Span::millis(4500)),
        jitter: Span::default(),
        action: Action::Fault(fault),
    });
    plan.expect = claims.iter().map(|text| text.parse().expect("a claim")).collect();
    plan
}

fn action(at: f64) -> [Event; 2] {
    let entry = || "kill".to_owned();
    [
        event(at, Happening::ActionStarted { entry: entry() }),
        event(at, Happening::ActionFinished { entry: entry() }),
    ]
}

#[test]
fn a_fault_that_found_nobody_leaves_claims_about_its_cell_unproven() {
    let plan = with_a_crash(&["with-drain.replaced == 3"]);
    let mut records = cell(DRAINED);
    let (backend, reason) = ("web-3".to_owned(), "nothing ran at web-3 then: web-3/1 was gone".to_owned());
    add(&mut records, action(8300.0));
    add(&mut records, [event(8300.0, Happening::FaultMissed { entry: "kill".into(), backend, reason })]);
    let run = run_with(&plan, &[cell(CONTROL), records]);
    let reason = "`kill` of the timeline had no target: nothing ran at web-3 then: web-3/1 was gone";
    assert_eq!(run.claims[1].holding, Holding::Unproven(reason.into()));
    assert_eq!(run.verdict, Verdict::Invalid);
}

#[test]
fn a_timeline_that_did_not_end_proves_nothing() {
    let plan = with_a_crash(&["with-drain.replaced == 3"]);
    let run = run_with(&plan, &[cell(CONTROL), cell(DRAINED)]);
    let reason = "`kill` of the timeline never began";
    assert_eq!(run.claims[1].holding, Holding::Unproven(reason.into()));
}

#[test]
fn a_deploy_whose_new_generation_is_killed_has_failed_and_is_measured() {
    let plan = with_a_crash(&["with-drain.replaced == 3"]);
    let mut records = cell(DRAINED);
    let new = inc("web-3", 2);
    let aborted = records
        .history
        .iter()
        .position(|event| matches!(&event.what, Happening::Ready { component, .. } if component.is(&new)));
    let from = records.history[aborted.expect("it becomes ready")].at;
    records.history.retain(|event| event.at < from || event.at > ms(19_000.0));
    let reason = "signal: 9 (SIGKILL)".to_owned();
    let at = 8400.0;
    add(&mut records, action(at));
    add(
        &mut records,
        [
            event(at, Happening::Faulted { incarnation: new.clone(), fault: FaultKind::Crash }),
            event(at + 1.0, exited("web-3/2")),
            event(at + 2.0, Happening::DeployAborted { incarnation: new.clone(), reason }),
            event(at + 2.0, Happening::ActionFinished { entry: "rollout".into() }),
        ],
    );
    // No process served there afterwards.
    let gone: Vec<_> =
        records.requests.iter().filter(|r| r.served_by.as_deref() == Some(&new)).map(|r| r.id).collect();
    records.executions.retain(|execution| !gone.contains(&execution.id));
    for request in records.requests.iter_mut().filter(|request| gone.contains(&request.id)) {
        request.served_by = Some(inc("web-1", 2).into());
        records.executions.push(execution(request.id.0, inc("web-1", 2), 0.0, Some(1.0)));
    }
    for line in records.access.iter_mut().filter(|line| line.id.is_some_and(|id| gone.contains(&id))) {
        retell(line, |attempts| attempts[0].backend = Some("web-1".into()));
    }
    let run = run_with(&plan, &[cell(CONTROL), records]);
    let drained = &run.cells[1];
    assert_eq!(drained.validity.counts.verdict, Trust::Valid, "{:?}", drained.validity);
    let deploy = drained.validity.deploy.as_ref().expect("it has a deploy");
    let reason = "the deploy was aborted after 2 of 3 replacements: web-3/2: signal: 9 (SIGKILL)";
    assert_eq!((deploy.verdict, deploy.reasons.as_slice()), (Trust::Degraded, &[reason.to_owned()][..]));
    assert_eq!(run.claims[1].holding, Holding::Failed);
}
