//! What was not lost counts only beside a control with power: another variant with the same arrivals and the same deploy
//! or fault that lost some of the same.

use model::access_log::Reason;
use model::claim::Claim;
use model::history::Happening;
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::timeline::{Action, Entry, Fault, FaultKind, Reload, When};
use model::topology::{Latency, Retries};
use model::units::{Nanos, Rate, Span};
use report::verdict::{ClaimVerdict, Holding};
use report::{Colour, Format, RunSummary, Style, Verdict, judge, render, summarise};

use crate::build::*;

/// What the hand-built control loses, all of it answered 502.
const LOST: u64 = 39;

fn plan_of(control: &[&str], expect: &[&str]) -> SavedPlan {
    let parse = |texts: &[&str]| texts.iter().map(|text| text.parse::<Claim>().expect("a claim")).collect();
    SavedPlan { control: parse(control), expect: parse(expect), ..plan() }
}

fn run(plan: &SavedPlan, records: &[CellRecords]) -> RunSummary {
    let cells = records.iter().map(|records| summarise(plan, records)).collect();
    judge(plan, &environment(), cells, vec![])
}

fn both(plan: &SavedPlan) -> RunSummary {
    run(plan, &[cell(CONTROL), cell(DRAINED)])
}

fn last(run: &RunSummary) -> &ClaimVerdict {
    run.claims.last().expect("the plan has a claim")
}

fn unproven(run: &RunSummary) -> &str {
    match &last(run).holding {
        Holding::Unproven(reason) => reason,
        other => panic!("{other:?}, observed {}", last(run).observed),
    }
}

/// What says that few or none were lost, in every form that it can have.
const PROMISES: [&str; 8] = [
    "with-drain.dropped == 0",
    "with-drain.dropped < 1",
    "with-drain.dropped <= 3",
    "with-drain.http_5xx < 30",
    "with-drain.ok == with-drain.scheduled",
    "with-drain.ok >= 7990",
    "with-drain.dropped < 0.1 × without-drain.dropped",
    "with-drain.dropped < 0.01 × with-drain.scheduled",
];

#[test]
fn none_and_few_are_proved_beside_a_control_and_by_nothing_else() {
    for promise in PROMISES {
        let beside = both(&plan_of(&["without-drain.dropped > 0"], &[promise]));
        assert_eq!(last(&beside).holding, Holding::Held, "{promise}");
        let told = format!("the control without-drain lost {LOST}");
        let size = format!("of the {LOST} requests that the control without-drain lost");
        let observed = &last(&beside).evidence();
        assert!(observed.contains(&told) || observed.contains(&size), "{promise}: {observed}");
        for control in [&[][..], &["with-drain.replaced == 3"], &["without-drain.p50 > 1ms"]] {
            let run = both(&plan_of(control, &[promise]));
            assert_eq!(unproven(&run), "no negative control", "{promise} beside {control:?}");
            assert_eq!(run.verdict, Verdict::Invalid);
        }
    }
}

#[test]
fn a_control_that_lost_none_in_that_way_proves_nothing_of_it() {
    for (promise, reason) in [
        ("with-drain.reset == 0", "the control without-drain lost none by reset"),
        ("with-drain.closed < 5", "the control without-drain lost none by close"),
        ("with-drain.duplicates == 0", "no negative control"),
    ] {
        let run = both(&plan_of(&["without-drain.dropped > 0"], &[promise]));
        assert_eq!(unproven(&run), reason);
        assert_eq!(run.verdict, Verdict::Invalid);
    }
    let in_its_way = both(&plan_of(&["without-drain.dropped > 0"], &["with-drain.http_5xx == 0"]));
    let observed = &last(&in_its_way).evidence();
    assert!(
        observed.contains(&format!("{LOST} requests that the control without-drain lost by a 5xx")),
        "{observed}"
    );
}

#[test]
fn a_gate_on_one_way_to_lose_rests_on_the_proof_that_nothing_was_lost_in_any() {
    let gated = |control: &str, dropped: u64| {
        let gate = "with-drain.reset > 0".parse::<Claim>().expect("a claim").forbidden();
        let plan = SavedPlan { expect: vec![gate], ..plan_of(&[control], &[]) };
        let mut cells = [CONTROL, DRAINED].map(|variant| summarise(&plan, &cell(variant)));
        cells[1].counts.dropped = dropped;
        judge(&plan, &environment(), cells.into(), vec![])
    };
    let proved = gated("without-drain.dropped > 0", 0);
    assert_eq!(last(&proved).holding, Holding::Held);
    let size = format!("of the {LOST} requests that the control without-drain lost, with-drain saved all");
    assert!(last(&proved).evidence().contains(&size), "{}", last(&proved).evidence());
    // Neither does it hold beside a control that shows nothing, nor where requests were lost in another way.
    assert_eq!(unproven(&gated("without-drain.p50 > 1ms", 0)), "no negative control");
    let reason = "the control without-drain lost none by reset";
    assert_eq!(unproven(&gated("without-drain.dropped > 0", 1)), reason);
}

#[test]
fn a_control_that_the_promise_would_hold_for_as_well_tells_nothing_apart() {
    let beside = |promise: &str| both(&plan_of(&["without-drain.dropped > 0"], &[promise]));
    assert_eq!(last(&beside("with-drain.dropped < 39")).holding, Holding::Held);
    // What bounds the good ones is judged by no number of lost ones.
    assert_eq!(last(&beside("with-drain.ok > 30")).holding, Holding::Held);
    let run = beside("with-drain.dropped <= 39");
    assert!(unproven(&run).starts_with("the control without-drain lost only 39"), "{}", unproven(&run));
}

#[test]
fn a_control_of_other_arrivals_or_another_harm_is_none() {
    let tampers: [fn(&mut SavedPlan); 4] = [
        |plan| plan.variants[0].traffic.rate = Rate(800.0),
        |plan| plan.variants[0].traffic.duration = Span::millis(30_000),
        |plan| plan.variants[0].timeline[0].action = Action::Reload(Reload::default()),
        |plan| {
            let crash = Fault { kind: FaultKind::Crash, backend: "web-1".into(), lasts: None };
            let mut entry = plan.variants[0].timeline[0].clone();
            entry.action = Action::Fault(crash);
            plan.variants[0].timeline.push(entry);
        },
    ];
    for tamper in tampers {
        let mut plan = plan_of(&["without-drain.http_5xx > 0"], &["with-drain.dropped == 0"]);
        tamper(&mut plan);
        assert_eq!(unproven(&both(&plan)), "no negative control");
    }
}

#[test]
fn of_several_controls_the_one_about_the_same_loss_is_named() {
    let mut plan = plan_of(
        &["other.http_5xx > 0", "without-drain.dropped > 0"],
        &["with-drain.http_5xx == 0", "with-drain.dropped == 0"],
    );
    let mut other = plan.variants[0].clone();
    other.name = "other".into();
    plan.variants.push(other);
    let run = run(&plan, &[cell(CONTROL), cell(DRAINED), cell("other")]);
    assert_eq!(run.verdict, Verdict::Passed);
    let named: Vec<_> =
        run.claims[2..].iter().map(|claim| claim.zero.clone().and_then(|zero| zero.control)).collect();
    assert_eq!(named, [Some("other".to_owned()), Some(CONTROL.to_owned())]);
}

#[test]
fn of_controls_about_the_same_loss_the_one_that_lost_most_is_named_and_of_equals_the_first() {
    let mut plan = plan_of(&["without-drain.dropped > 0", "other.dropped > 0"], &["with-drain.dropped == 0"]);
    let mut other = plan.variants[0].clone();
    other.name = "other".into();
    plan.variants.push(other);
    let cells = [CONTROL, DRAINED, "other"].map(|variant| summarise(&plan, &cell(variant)));
    let named = |lost: u64| {
        let mut cells = cells.clone();
        cells[2].counts.dropped = lost;
        let run = judge(&plan, &environment(), cells.into(), vec![]);
        last(&run).zero.as_ref().and_then(|zero| zero.control.clone()).expect("it is a zero")
    };
    assert_eq!([LOST - 1, LOST, LOST + 1].map(named), [CONTROL, CONTROL, "other"]);
}

#[test]
fn the_size_of_a_zero_is_what_the_control_lost_and_no_longer_load_flatters_it() {
    let mut plan = plan_of(&["without-drain.dropped > 0"], &["with-drain.dropped == 0"]);
    let size = |run: &RunSummary| last(run).zero.clone().expect("it is a zero");
    let zero = size(&both(&plan));
    assert_eq!((zero.lost, zero.says.as_deref(), zero.replacements), (LOST, Some("< 7.7 %"), 3));
    plan.variants[1].traffic.duration = Span::millis(60_000);
    assert_eq!(size(&both(&plan)), zero);
}

#[test]
fn beside_a_zero_stand_its_shadows_wherever_it_is_shown() {
    let mut records = cell(DRAINED);
    let by = records.executions[7].by;
    records.access[7] = logged(7, 200, &[&by.backend, &by.backend]);
    records.executions.push(execution(7, (*by).clone(), 20.0, Some(110.0)));
    let mut plan = plan_of(&["without-drain.dropped > 0"], &["with-drain.dropped == 0"]);
    plan.variants.iter_mut().for_each(|variant| variant.topology.retries = Retries::of(2));
    let run = run(&plan, &[cell(CONTROL), records]);
    let shadows = "0 of 8000, 1 masked, 1 executed twice";
    assert!(last(&run).observed.starts_with(shadows), "{}", last(&run).observed);
    let style = Style { width: 200, colour: Colour::Never };
    for format in [Format::Table, Format::Markdown, Format::Json, Format::Junit] {
        let shown = render(&run, format, style);
        assert!(shown.replace("\n  ", " ").contains(shadows), "{format:?}: {shown}");
    }
    let markdown = render(&run, Format::Markdown, style);
    assert!(markdown.contains("| dropped | masked | twice |"), "{markdown}");
}

#[test]
fn of_an_invalid_deploy_nothing_is_claimed_and_everything_is_struck() {
    let plan =
        plan_of(&["without-drain.dropped > 0"], &["with-drain.dropped == 0", "with-drain.dropped > 0"]);
    let mut records = cell(DRAINED);
    records.history.retain(|event| !matches!(event.what, Happening::DeployFinished { .. }));
    let run = run(&plan, &[cell(CONTROL), records]);
    assert!(matches!(run.claims[1].holding, Holding::Unproven(_)), "{:?}", run.claims[1]);
    assert!(unproven(&run).contains("deploy_outlived_load"), "{}", unproven(&run));
    assert_eq!(run.verdict, Verdict::Invalid);
    assert_eq!(run.cells[1].zero.says, None);
    let markdown = render(&run, Format::Markdown, Style { width: 120, colour: Colour::Never });
    assert!(markdown.contains("| ~~8000~~ | ~~8000~~ | ~~0~~ |"), "{markdown}");
}

#[test]
fn a_timeout_beside_a_late_generator_is_unproven_and_a_reset_is_not() {
    use model::outcome::{Cause, Stage};
    let plan = plan_of(&["without-drain.dropped > 0"], &["with-drain.dropped == 0"]);
    for (cause, expected) in [(Cause::Timeout, false), (Cause::Reset, true)] {
        let mut records = cell(DRAINED);
        for request in &mut records.requests {
            request.released = Nanos(request.due.0 + 900 * 1_000_000);
        }
        let killed = records.executions.iter_mut().rfind(|e| e.by == inc("web-1", 1)).expect("it executes");
        killed.finished = None;
        let id = killed.id.0 as usize;
        records.requests[id].outcome = failed(Stage::FirstByte, cause);
        records.requests[id].served_by = None;
        records.access[id].status = 499;
        records.access[id].reason = Some(Reason::ClientAbort);
        let run = run(&plan, &[cell(CONTROL), records]);
        assert_eq!(run.cells[1].counts.dropped, 1);
        let failed = last(&run).holding == Holding::Failed;
        assert_eq!(failed, expected, "{cause:?}: {:?}", last(&run));
    }
}

#[test]
fn what_backends_lost_that_waited_for_the_processor_is_no_fault_of_the_balancer() {
    let takes = Latency { from: Span::millis(60), to: Span::millis(400), tail: None };
    // What takes longer than its backend has left is lost on any machine.
    for (late_ms, latency, expected) in [
        (0, Latency::default(), true),
        (499, Latency::default(), true),
        (500, Latency::default(), false),
        (500, takes, true),
    ] {
        let mut plan = plan_of(&["without-drain.dropped > 0"], &["with-drain.dropped == 0"]);
        let backends = plan.variants.iter_mut().flat_map(|variant| &mut variant.topology.pools[0].backends);
        backends.for_each(|backend| backend.latency = latency);
        let mut lossy = cell(CONTROL);
        lossy.cell.variant = DRAINED.into();
        for execution in &mut lossy.executions {
            execution.late = Some(late_ms * 1_000_000);
        }
        // Some were sent too late as well, so that the counts can't be trusted.
        for request in lossy.requests.iter_mut().step_by(2) {
            request.released = Nanos(request.due.0 + 900 * 1_000_000);
        }
        let run = run(&plan, &[cell(CONTROL), lossy]);
        assert!(!run.cells[1].validity.counts.is_usable());
        let failed = last(&run).holding == Holding::Failed;
        assert_eq!(failed, expected, "{late_ms} ms: {:?}", last(&run));
    }
}

/// A plan in which the drained variant's `action` begins at 1 s, and its cell, in which that ends at `ended`.
fn with_an_action(action: Action, ended: Option<f64>, reloads: usize) -> RunSummary {
    let mut plan = plan_of(&["without-drain.dropped > 0"], &["with-drain.dropped == 0"]);
    plan.variants[1].timeline.push(Entry {
        name: "again".into(),
        when: When::At(Span::millis(1000)),
        jitter: Span::default(),
        action,
    });
    let mut records = cell(DRAINED);
    for entry in ["rollout", "again"] {
        records.history.push(event(1000.0, Happening::ActionStarted { entry: entry.into() }));
    }
    records.history.extend((0..reloads).map(|n| event(1001.0 + n as f64, Happening::BalancerReloaded)));
    let entry = "again".to_owned();
    records.history.extend(ended.map(|at| event(at, Happening::ActionFinished { entry })));
    run(&plan, &[cell(CONTROL), records])
}

#[test]
fn claims_about_a_timeline_that_did_not_end_in_time_are_unproven() {
    let reloads = Action::Reload(Reload { times: 10, every: Span::millis(500), ..Reload::default() });
    let whole = with_an_action(reloads.clone(), Some(14_000.0), 10);
    assert_eq!(last(&whole).holding, Holding::Held);
    let cut = with_an_action(reloads.clone(), None, 4);
    assert!(
        unproven(&cut).ends_with("did not end before the load did: 4 of 10 reloads were made"),
        "{}",
        unproven(&cut)
    );
    // The load ends at 20 s, and clients wait 5 s.
    let late = with_an_action(reloads, Some(16_000.0), 10);
    assert!(unproven(&late).contains("ended 1 s too late"), "{}", unproven(&late));
    for run in [cut, late] {
        assert_eq!(run.verdict, Verdict::Invalid);
        assert_eq!(run.cells[1].zero.says, None);
    }
}

#[test]
fn a_fault_that_lasted_longer_than_planned_is_another_one() {
    for (healed, expected) in [(1900.0, true), (2900.0, false)] {
        let lasts = Some(Span::millis(100));
        let crash = Fault { kind: FaultKind::Crash, backend: "web-2".into(), lasts };
        let mut plan = plan_of(&["without-drain.dropped > 0"], &["with-drain.dropped == 0"]);
        plan.variants[1].timeline.push(Entry {
            name: "again".into(),
            when: When::At(Span::millis(1000)),
            jitter: Span::default(),
            action: Action::Fault(crash),
        });
        let mut records = cell(DRAINED);
        let (fault, entry) = (FaultKind::Crash, || "again".to_owned());
        records.history.extend([
            event(1000.0, Happening::ActionStarted { entry: "rollout".into() }),
            event(1000.0, Happening::ActionStarted { entry: entry() }),
            event(1001.0, Happening::Faulted { incarnation: inc("web-2", 1), fault }),
            event(healed, Happening::Healed { incarnation: inc("web-2", 2) }),
            event(healed, Happening::ActionFinished { entry: entry() }),
        ]);
        let timeline = summarise(&plan, &records).validity.timeline.expect("it has a timeline");
        assert_eq!(timeline.is_usable(), expected, "{timeline:?}");
        let told =
            "`again` of the timeline lasted 1.9 s instead of 100 ms: web-2 could not be restarted sooner";
        assert_eq!(timeline.reasons.iter().any(|reason| reason == told), !expected, "{timeline:?}");
    }
}

#[test]
fn a_fault_that_met_nobody_proves_nothing() {
    let crash = Fault { kind: FaultKind::Crash, backend: "web-3".into(), lasts: None };
    let run = with_an_action(Action::Fault(crash), Some(1100.0), 0);
    assert!(unproven(&run).contains("had no target: no web-3 ran"), "{}", unproven(&run));
}
