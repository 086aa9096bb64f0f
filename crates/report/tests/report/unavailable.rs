//! What a run says of variants that its runtime can't run.

use model::claim::{Comparison, Metric, Operand, Reading};
use model::plan::{SavedPlan, Unavailable};
use model::timeline::{Action, Fault, FaultKind};
use report::verdict::Holding;
use report::{Colour, Format, RunSummary, Style, Verdict, judge, render, summarise};

use crate::build::*;

const PLAIN: Style = Style { width: 120, colour: Colour::Never };
const REASON: &str = "process runtime: no `partition` (local processes share one network)";

fn without(plan: SavedPlan, variants: &[&str]) -> SavedPlan {
    let unavailable = |variant: &&str| Unavailable { variant: (*variant).into(), reason: REASON.into() };
    SavedPlan { unavailable: variants.iter().map(unavailable).collect(), ..plan }
}

/// A run of all that `plan` can still run.
fn run(plan: &SavedPlan) -> RunSummary {
    let cells = plan.cells().into_iter().map(|id| summarise(plan, &cell(&id.variant)));
    judge(plan, &environment(), cells.collect(), vec![])
}

/// A third variant, whose network is cut, and a claim that compares another with it.
fn with_a_partition() -> SavedPlan {
    let mut plan = plan();
    let mut cut = plan.variants[0].clone();
    cut.name = "cut".into();
    plan.variants.push(cut);
    let reading = |variant: &str| Reading { variant: variant.into(), metric: Metric::Ok, facet: None };
    let mut claim = plan.expect[0].clone();
    claim.text = "with-drain.ok > 2 × cut.ok".into();
    claim.left = reading(DRAINED);
    claim.comparison = Comparison::Greater;
    claim.right = Operand::Multiple { times: 2.0, reading: reading("cut") };
    plan.expect.push(claim);
    without(plan, &["cut"])
}

#[test]
fn a_claim_that_mentions_such_a_variant_does_not_apply_and_spoils_nothing() {
    let run = run(&with_a_partition());
    let holdings: Vec<_> = run.claims.iter().map(|claim| claim.holding.clone()).collect();
    let held = Holding::Held;
    let absent = Holding::NotApplicable(REASON.into());
    assert_eq!(holdings, [held.clone(), held.clone(), held, absent]);
    assert_eq!((run.verdict, run.problems.len()), (Verdict::Passed, 0));
}

#[test]
fn every_format_for_people_and_programs_lists_them() {
    let run = run(&with_a_partition());
    let table = render(&run, Format::Table, PLAIN);
    assert!(table.starts_with("✓ drain: PASSED (1 variant n/a)\n"), "{table}");
    assert!(table.contains(&format!("\nNot run\n· cut: n/a ({REASON})\n")), "{table}");
    let claim = format!("· nginx  with-drain.ok > 2 × cut.ok  (n/a: {REASON})");
    assert!(table.replace("\n  ", " ").contains(&claim), "{table}");
    let markdown = render(&run, Format::Markdown, PLAIN);
    assert!(markdown.contains("\n## Not run\n\n- cut: n/a (process runtime: no"), "{markdown}");
    let json: serde_json::Value = serde_json::from_str(&render(&run, Format::Json, PLAIN)).unwrap();
    assert_eq!(json["unavailable"][0]["variant"], "cut");
    assert_eq!(json["unavailable"][0]["reason"], REASON);
}

#[test]
fn a_zero_whose_control_could_not_be_run_is_unproven() {
    let run = run(&without(plan(), &[CONTROL]));
    assert_eq!(run.claims[0].holding, Holding::NotApplicable(REASON.into()));
    let reason = format!("the control `without-drain.dropped > 0` could not be run: {REASON}");
    assert_eq!(run.claims[1].holding, Holding::Unproven(reason));
    assert_eq!(run.claims[2].holding, Holding::Held);
    assert_eq!(run.verdict, Verdict::Invalid);
}

#[test]
fn another_control_that_lost_some_in_the_same_deploy_stands_in_for_the_one_that_could_not_be_run() {
    let mut plan = with_a_partition();
    let mut control = plan.control[0].clone();
    control.text = "cut.dropped > 0".into();
    control.left.variant = "cut".into();
    plan.control.push(control);
    let run = run(&plan);
    assert_eq!(run.claims[0].holding, Holding::Held);
    assert_eq!(run.claims[1].holding, Holding::NotApplicable(REASON.into()));
    assert_eq!(run.claims[2].holding, Holding::Held);
    assert_eq!(run.claims[2].zero.as_ref().and_then(|zero| zero.control.as_deref()), Some(CONTROL));
}

#[test]
fn a_zero_about_a_fault_needs_its_control_and_one_about_nothing_does_not() {
    let mut plan = without(plan(), &[CONTROL]);
    let action = Action::Fault(Fault { kind: FaultKind::Crash, backend: "web-1".into(), lasts: None });
    plan.variants[1].timeline[0].action = action;
    plan.expect.truncate(1);
    assert!(matches!(run(&plan).claims[1].holding, Holding::Unproven(_)));
    assert_eq!(run(&plan).verdict, Verdict::Invalid);
    plan.variants[1].timeline.clear();
    assert_eq!(run(&plan).claims[1].holding, Holding::Held);
    assert_eq!(run(&plan).verdict, Verdict::Passed);
}

#[test]
fn a_run_that_was_left_without_a_cell_does_not_pass() {
    let run = run(&without(plan(), &[CONTROL, DRAINED]));
    assert!(run.claims.iter().all(|claim| matches!(claim.holding, Holding::NotApplicable(_))));
    assert_eq!(run.verdict, Verdict::Invalid);
    assert!(render(&run, Format::Table, PLAIN).starts_with("? drain: INVALID (2 variants n/a)\n"));
}

#[test]
fn repeats_tell_it_once() {
    let plan = SavedPlan { repeats: 5, ..with_a_partition() };
    let mut cells = Vec::new();
    for id in plan.cells() {
        let mut summary = summarise(&plan, &cell(&id.variant));
        summary.repeat = id.repeat;
        cells.push(summary);
    }
    let run = judge(&plan, &environment(), cells, vec![]);
    assert_eq!(run.verdict, Verdict::Passed);
    assert_eq!(render(&run, Format::Markdown, PLAIN).matches("cut.ok").count(), 1);
}
