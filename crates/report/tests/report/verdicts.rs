use model::claim::{Comparison, Metric, Operand, Reading};
use model::history::Happening;
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::topology::Retries;
use model::units::Nanos;
use report::verdict::{Holding, RunProblem};
use report::{RunSummary, Verdict, judge, summarise};

use crate::build::*;

fn run_with(plan: &SavedPlan, cells: &[CellRecords]) -> RunSummary {
    let cells = cells.iter().map(|records| summarise(plan, records)).collect();
    judge(plan, &environment(), cells, vec![])
}

fn run(cells: &[CellRecords]) -> RunSummary {
    run_with(&plan(), cells)
}

fn holding<'a>(run: &'a RunSummary, text: &str) -> &'a Holding {
    &run.claims.iter().find(|claim| claim.text == text).expect("the plan has that claim").holding
}

fn zero(run: &RunSummary) -> &Holding {
    holding(run, "with-drain.dropped == 0")
}

fn control(run: &RunSummary) -> &Holding {
    holding(run, "without-drain.dropped > 0")
}

/// A cell in which one request is killed in service, with everything that explains it.
fn with_a_drop() -> CellRecords {
    let mut records = cell(DRAINED);
    let killed =
        records.executions.iter_mut().rfind(|e| e.by == inc("web-1", 1)).expect("web-1 executes requests");
    killed.finished = None;
    let id = killed.id.0 as usize;
    records.requests[id].outcome = answered(502);
    records.requests[id].served_by = None;
    records.access[id].status = 502;
    records
}

/// A control in which a retry rescued every killed request, or it is not known who did.
fn without_a_drop(retried: bool) -> CellRecords {
    let mut records = cell(CONTROL);
    for id in 0..records.requests.len() {
        if records.executions[id].finished.is_none() {
            let due = id as f64 * 2.5;
            let by = if retried { inc("web-9", 1).into() } else { records.executions[id].by };
            records.requests[id].outcome = answered(200);
            records.requests[id].served_by = Some(by);
            records.access[id].status = 200;
            if retried {
                records.access[id] = logged(id as u64, 200, &[&records.executions[id].by.backend, "web-9"]);
                let second = execution(id as u64, (*by).clone(), due + 100.0, Some(due + 199.0));
                records.executions.push(second);
            } else {
                records.executions[id].finished = Some(ms(due + 99.0));
            }
        }
    }
    records
}

fn late(mut records: CellRecords, ms: i64) -> CellRecords {
    for request in &mut records.requests {
        request.released = Nanos(request.due.0 + ms * 1_000_000);
    }
    records
}

#[test]
fn a_zero_beside_a_control_that_dropped_holds_and_tells_its_sizes() {
    let run = run(&[cell(CONTROL), cell(DRAINED)]);
    assert_eq!(run.verdict, Verdict::Passed);
    assert_eq!(zero(&run), &Holding::Held);
    let observed = &run.claims[1].evidence();
    let expected = "0 of 8000, 0 masked, 0 executed twice; of the 39 requests that the control without-drain lost, \
                    with-drain saved all but at most 7.7 % (95 % confidence); 3 replacements can't rule out a fault that \
                    hits up to 64 % of them";
    assert_eq!(observed, expected);
    assert!(!run.degraded);
}

#[test]
fn a_drop_fails_the_zero() {
    let run = run(&[cell(CONTROL), with_a_drop()]);
    assert_eq!(zero(&run), &Holding::Failed);
    assert_eq!(run.verdict, Verdict::Failed);
}

#[test]
fn a_drop_in_balanced_books_fails_the_zero_however_late_the_generator_was() {
    let run = run(&[cell(CONTROL), late(with_a_drop(), 900)]);
    assert!(!run.cells[1].validity.counts.is_usable());
    assert_eq!(zero(&run), &Holding::Failed);
    assert_eq!(run.verdict, Verdict::Failed);
}

#[test]
fn a_drop_on_a_machine_that_works_for_others_proves_nothing_if_all_was_late() {
    let plan = plan();
    let mut cells = [cell(CONTROL), late(with_a_drop(), 900)].map(|records| summarise(&plan, &records));
    cells[1].cpu.foreign = Some(0.9);
    let run = judge(&plan, &environment(), cells.into(), vec![]);
    assert!(matches!(zero(&run), Holding::Unproven(_)), "{:?}", run.claims[1]);
}

#[test]
fn a_comparison_that_a_late_generator_may_have_broken_proves_nothing() {
    let mut plan = plan();
    plan.expect[0] = "with-drain.dropped <= 0.01 × without-drain.dropped".parse().expect("a claim");
    let run = run_with(&plan, &[cell(CONTROL), late(with_a_drop(), 900)]);
    assert!(matches!(run.claims[1].holding, Holding::Unproven(_)), "{:?}", run.claims[1]);
}

#[test]
fn few_that_are_not_none_are_told_without_the_shadows_of_a_zero() {
    let mut plan = plan();
    plan.expect[0] = "with-drain.dropped <= 3".parse().expect("a claim");
    let mut cells = [CONTROL, DRAINED].map(|variant| summarise(&plan, &cell(variant)));
    cells[1].counts.dropped = 1;
    let run = judge(&plan, &environment(), cells.into(), vec![]);
    assert_eq!(run.claims[1].holding, Holding::Held);
    assert_eq!(run.claims[1].evidence(), "1 of 8000; the control without-drain lost 39");
    assert_eq!(run.claims[1].zero, None);
    assert_eq!(run.cells[1].zero.says, None, "it is no zero");
}

#[test]
fn a_drop_in_books_that_do_not_balance_proves_nothing() {
    let mut records = with_a_drop();
    records.requests.remove(3);
    let run = run(&[cell(CONTROL), records]);
    assert!(matches!(zero(&run), Holding::Unproven(_)));
    assert_eq!(run.verdict, Verdict::Invalid);
}

#[test]
fn a_zero_of_a_late_generator_is_unproven() {
    let run = run(&[cell(CONTROL), late(cell(DRAINED), 900)]);
    assert!(matches!(zero(&run), Holding::Unproven(_)));
    assert_eq!(run.verdict, Verdict::Invalid);
}

#[test]
fn a_zero_without_a_negative_control_is_unproven() {
    let plan = SavedPlan { control: vec![], ..plan() };
    let run = run_with(&plan, &[cell(CONTROL), cell(DRAINED)]);
    assert_eq!(zero(&run), &Holding::Unproven("no negative control".into()));
    assert_eq!(run.verdict, Verdict::Invalid);
}

#[test]
fn a_zero_without_proof_of_the_deploy_is_unproven() {
    let mut records = cell(DRAINED);
    records.history.retain(|e| !matches!(e.what, Happening::DeployFinished { .. }));
    let run = run(&[cell(CONTROL), records]);
    let Holding::Unproven(reason) = zero(&run) else {
        panic!("{:?}", zero(&run));
    };
    assert!(reason.contains("deploy_outlived_load"), "{reason}");
    assert_eq!(run.verdict, Verdict::Invalid);
}

#[test]
fn a_control_that_retries_rescued_is_masked_and_proves_no_zero() {
    let mut plan = plan();
    plan.variants[0].topology.retries = Retries::of(2);
    let run = run_with(&plan, &[without_a_drop(true), cell(DRAINED)]);
    assert_eq!(run.cells[0].counts.dropped, 0);
    assert!(run.cells[0].books.masked > 0);
    assert_eq!(control(&run), &Holding::Masked);
    assert!(matches!(zero(&run), Holding::Unproven(reason) if reason.starts_with("masked")));
    assert_eq!(run.verdict, Verdict::Failed);
}

#[test]
fn masking_that_the_scenario_expects_fails_nothing() {
    let mut plan = plan();
    plan.variants[0].topology.retries = Retries::of(2);
    plan.expect = plan.control.clone();
    plan.expect[0].left.metric = Metric::Masked;
    let run = run_with(&plan, &[without_a_drop(true), cell(DRAINED)]);
    assert_eq!(control(&run), &Holding::Masked);
    assert_eq!(run.verdict, Verdict::Passed);
}

#[test]
fn a_control_that_dropped_nothing_without_retries_is_unexplained() {
    let run = run(&[without_a_drop(false), cell(DRAINED)]);
    assert_eq!(run.cells[0].counts.dropped, 0);
    assert!(run.cells[0].validity.counts.is_usable());
    assert!(matches!(control(&run), Holding::Unproven(_)));
    assert!(matches!(zero(&run), Holding::Unproven(_)));
    assert_eq!(run.verdict, Verdict::Invalid);
}

#[test]
fn a_control_that_dropped_nothing_says_whether_anything_was_in_flight_to_be_dropped() {
    let unproven = |claim: &str, control: CellRecords| {
        let plan = SavedPlan { control: vec![claim.parse().expect("a claim")], ..plan() };
        let run = run_with(&plan, &[control, cell(DRAINED)]);
        let Holding::Unproven(reason) = &run.claims[0].holding else { panic!("{:?}", run.claims[0]) };
        reason.clone()
    };
    let told = unproven("without-drain.dropped > 0", without_a_drop(false));
    assert!(told.contains("although 39 requests were in flight over the terminations"), "{told}");
    // It lost some, or had nothing in flight when it was terminated.
    for (claim, control) in
        [("without-drain.dropped > 1000", cell(CONTROL)), ("with-drain.dropped > 0", cell(CONTROL))]
    {
        let told = unproven(claim, control);
        assert!(!told.contains("although"), "{told}");
    }
    let condition = unproven("without-drain.replaced == 4", cell(CONTROL));
    assert_eq!(condition, "the control did not show what it has to show");
}

#[test]
fn a_control_that_lost_some_is_not_masked_by_those_that_were_rescued() {
    let control = vec!["without-drain.dropped > 1000".parse().expect("a claim")];
    let mut plan = SavedPlan { control, ..plan() };
    plan.expect.reverse();
    let mut cells = [CONTROL, DRAINED].map(|variant| summarise(&plan, &cell(variant)));
    cells[0].books.masked = 1;
    let run = judge(&plan, &environment(), cells.into(), vec![]);
    assert!(matches!(run.claims[0].holding, Holding::Unproven(_)), "{:?}", run.claims[0]);
    assert_eq!(run.cells[1].zero.says, None, "no control held, whichever expectation did");
}

#[test]
fn retries_that_hid_nothing_do_not_explain_a_control_that_dropped_nothing() {
    let mut plan = plan();
    plan.variants[0].topology.retries = Retries::of(2);
    let run = run_with(&plan, &[without_a_drop(false), cell(DRAINED)]);
    assert_eq!(run.cells[0].books.masked, 0);
    assert!(matches!(control(&run), Holding::Unproven(_)));
    assert_eq!(run.verdict, Verdict::Invalid);
}

#[test]
fn a_missing_cell_is_invalid_and_named() {
    let run = run(&[cell(CONTROL)]);
    assert_eq!(run.verdict, Verdict::Invalid);
    assert!(matches!(zero(&run), Holding::Unproven(_)));
    assert!(matches!(&run.problems[..], [RunProblem::CellMissing { cell, .. }] if cell.variant == DRAINED));
}

#[test]
fn an_interruption_comes_before_a_failure_and_a_failure_before_invalidity() {
    let plan = plan();
    let mut interrupted = cell(CONTROL);
    interrupted.history.push(event(1.0, Happening::Interrupted));
    assert_eq!(run(&[interrupted, with_a_drop()]).verdict, Verdict::Interrupted);
    let between_cells = judge(&plan, &environment(), vec![], vec![RunProblem::Interrupted]);
    assert_eq!(between_cells.verdict, Verdict::Interrupted);
    let only_the_failed = run(&[with_a_drop()]);
    assert_eq!(only_the_failed.verdict, Verdict::Failed);
    assert_eq!(judge(&plan, &environment(), vec![], vec![]).verdict, Verdict::Invalid);
}

#[test]
fn a_degraded_measurement_passes_and_says_so() {
    let run = run(&[cell(CONTROL), late(cell(DRAINED), 200)]);
    assert_eq!(run.verdict, Verdict::Passed);
    assert!(run.degraded);
}

#[test]
fn latency_that_no_claim_reads_may_be_invalid() {
    let run = run(&[cell(CONTROL), late(cell(DRAINED), 50)]);
    assert!(!run.cells[1].validity.latency.is_usable());
    assert_eq!(run.verdict, Verdict::Passed);
    assert!(!run.degraded);
}

#[test]
fn a_percentile_among_the_failed_is_beyond_every_bound() {
    let mut plan = plan();
    plan.expect = vec![plan.control[0].clone()];
    plan.expect[0].left.metric = Metric::Max;
    plan.expect[0].comparison = Comparison::Less;
    plan.expect[0].right = Operand::Span("1m".parse().unwrap());
    let run = run_with(&plan, &[cell(CONTROL), cell(DRAINED)]);
    assert_eq!(run.claims[1].holding, Holding::Failed);
    assert!(run.claims[1].observed.starts_with("> 5 s ("), "{}", run.claims[1].observed);
}

#[test]
fn a_claim_may_compare_two_variants() {
    let mut plan = plan();
    let reading = |variant: &str| Reading { variant: variant.into(), metric: Metric::P50, facet: None };
    plan.expect[0].left = reading(DRAINED);
    plan.expect[0].comparison = Comparison::AtMost;
    plan.expect[0].right = Operand::Multiple { times: 1.5, reading: reading(CONTROL) };
    let run = run_with(&plan, &[cell(CONTROL), cell(DRAINED)]);
    assert_eq!(run.claims[1].holding, Holding::Held);
    assert_eq!(run.claims[1].observed, "100 ms against 1.5 × 100 ms");
}

#[test]
fn a_variant_that_a_balancer_does_not_run_is_not_applicable_to_it() {
    let mut plan = plan();
    plan.variants[0].balancers.push(model::catalog::BalancerKind::Envoy.into());
    let mut envoy = cell(CONTROL);
    envoy.cell.balancer = model::catalog::BalancerKind::Envoy.into();
    let run = run_with(&plan, &[cell(CONTROL), cell(DRAINED), envoy]);
    assert!(matches!(run.claims[4].holding, Holding::NotApplicable(_)), "{:?}", run.claims);
    assert_eq!(run.verdict, Verdict::Passed);
}

#[test]
fn a_plan_that_was_changed_after_the_run_judges_nothing() {
    let plan = plan();
    let cells = || [CONTROL, DRAINED].map(|variant| summarise(&plan, &cell(variant))).to_vec();
    // Whatever the claims say now, held or failed, it is not what was run.
    let mut failing = plan.clone();
    failing.expect[0].right = Operand::Count(5);
    for plan in [&plan, &failing] {
        let run = judge(plan, &environment(), cells(), vec![RunProblem::PlanChanged]);
        assert_eq!(run.verdict, Verdict::Invalid);
        let told = |claim: &report::verdict::ClaimVerdict| matches!(&claim.holding, Holding::Unproven(why) if why.starts_with("plan.json was changed after the run"));
        assert!(run.claims.iter().all(told), "{:?}", run.claims);
    }
}

#[test]
fn a_control_without_a_whole_deploy_that_no_retry_rescued_is_not_masked() {
    let mut records = without_a_drop(false);
    records.history.retain(|event| !matches!(event.what, Happening::DeployFinished { .. }));
    let run = run(&[records, cell(DRAINED)]);
    assert!(matches!(control(&run), Holding::Unproven(why) if why.contains("deploy_outlived_load")));
}

#[test]
fn what_retries_hid_is_seen_even_if_the_deploy_did_not_end() {
    let mut records = without_a_drop(true);
    records.history.retain(|event| !matches!(event.what, Happening::DeployFinished { .. }));
    let mut plan = plan();
    plan.variants[0].topology.retries = Retries::of(2);
    let run = run_with(&plan, &[records, cell(DRAINED)]);
    assert!(!run.cells[0].is_usable());
    assert_eq!(control(&run), &Holding::Masked);
    assert!(matches!(zero(&run), Holding::Unproven(reason) if reason.starts_with("masked")));
    assert_eq!(run.verdict, Verdict::Failed);
}
