//! What a run with repeats says as a whole.

use model::catalog::BalancerKind;
use model::claim::{Metric, Operand, Reading};
use model::plan::SavedPlan;
use report::document::{Block, Detail, compose};
use report::validity::{Trust, Validity};
use report::verdict::Holding;
use report::{CellSummary, Colour, Format, RunSummary, Style, Verdict, judge, render, summarise};

use crate::build::*;

const PLAIN: Style = Style { width: 120, colour: Colour::Never };

fn five() -> SavedPlan {
    SavedPlan { repeats: 5, ..plan() }
}

/// The cells of five repeats, `tamper`ed with.
fn run(plan: &SavedPlan, tamper: impl Fn(&mut CellSummary)) -> RunSummary {
    let summaries = [CONTROL, DRAINED].map(|variant| summarise(plan, &cell(variant)));
    let mut cells = Vec::new();
    for repeat in 1..=plan.repeats {
        for summary in &summaries {
            let mut summary = CellSummary { repeat, ..summary.clone() };
            tamper(&mut summary);
            cells.push(summary);
        }
    }
    judge(plan, &environment(), cells, vec![])
}

/// The lines about claims, with their signs.
fn claims(run: &RunSummary) -> Vec<String> {
    let lists = compose(run, Detail::Brief).blocks.into_iter().filter_map(|block| match block {
        Block::List { title: "Claims", lines } => Some(lines),
        _ => None,
    });
    lists.flatten().map(|line| format!("{} {}", line.mark.sign(), line.text)).collect()
}

/// Whether this is the drained cell of one of `repeats`.
fn is_drained(cell: &CellSummary, repeats: &[u32]) -> bool {
    cell.variant == DRAINED && repeats.contains(&cell.repeat)
}

#[test]
fn five_repeats_on_a_terminal() {
    insta::assert_snapshot!(render(&run(&five(), |_| {}), Format::Table, PLAIN));
}

#[test]
fn five_repeats_shrink_both_sizes_of_a_zero() {
    let run = run(&five(), |_| {});
    assert_eq!(run.verdict, Verdict::Passed);
    let zero = run.proofs[1].zero.clone().expect("it held in every repeat");
    let one = run.cells.iter().find(|cell| cell.variant == DRAINED).expect("it ran").zero.clone();
    assert_eq!((zero.bound.lost, zero.bound.replacements), (5 * one.lost, 15));
    assert_eq!((zero.scheduled, zero.controls_dropped), (40_000, 5 * 39));
    assert_eq!((one.says.as_deref(), zero.bound.says.as_deref()), (Some("< 7.7 %"), Some("< 1.6 %")));
    assert!(zero.bound.per_request < one.per_request);
    assert!(zero.bound.per_replacement < one.per_replacement);
}

#[test]
fn numbers_that_differ_between_repeats_are_told_by_their_median_and_what_encloses_it() {
    let run = run(&five(), |cell| {
        if cell.variant == CONTROL {
            cell.counts.dropped += u64::from(cell.repeat);
        }
    });
    let control = &claims(&run)[0];
    let expected =
        "✓ nginx  control: without-drain.dropped > 0  (held in 5 of 5 repeats: 42 (40–44) of 8000)";
    assert_eq!(control, expected);
}

#[test]
fn a_comparison_of_variants_tells_both_spans() {
    let mut plan = five();
    let reading = |variant: &str| Reading { variant: variant.into(), metric: Metric::Ok, facet: None };
    plan.expect[0].left = reading(CONTROL);
    plan.expect[0].right = Operand::Multiple { times: 0.5, reading: reading(DRAINED) };
    plan.expect[0].comparison = model::claim::Comparison::Greater;
    let run = run(&plan, |_| {});
    assert_eq!(run.proofs[1].observed, "7961 of 8000 against 0.5 × 8000 of 8000");
}

#[test]
fn each_repeat_that_did_not_hold_is_told_and_the_others_carry_no_bound() {
    let run = run(&five(), |cell| {
        if is_drained(cell, &[2]) {
            cell.counts.dropped = 1;
        }
    });
    assert_eq!(run.verdict, Verdict::Failed);
    assert_eq!(run.proofs[1].zero, None);
    let claims = claims(&run);
    assert_eq!(claims[1], "✗ nginx #2  with-drain.dropped == 0  (1 of 8000)");
    assert_eq!(claims[2], "· nginx  with-drain.dropped == 0  (held in 4 of 5 repeats: 0 (0–1) of 8000)");
    assert_eq!(claims.len(), 4, "{claims:#?}");
}

#[test]
fn a_claim_that_held_in_no_repeat_is_told_for_each() {
    let mut plan = five();
    plan.expect[1].right = Operand::Count(4);
    let claims = claims(&run(&plan, |_| {}));
    let failed: Vec<_> =
        (1..=5).map(|n| format!("✗ nginx #{n}  {}  (3 of 3 backends)", plan.expect[1].text)).collect();
    assert_eq!(claims[2..], failed);
}

#[test]
fn a_repeat_without_results_is_unproven_and_shrinks_nothing() {
    let plan = five();
    let mut cells = run(&plan, |_| {}).cells;
    cells.retain(|cell| !is_drained(cell, &[4, 5]));
    let run = judge(&plan, &environment(), cells, vec![]);
    assert_eq!(run.verdict, Verdict::Invalid);
    assert_eq!(run.proofs[1].held, 3);
    assert_eq!(run.proofs[1].zero, None);
    let claims = claims(&run);
    assert_eq!(claims[1], "? nginx #4  with-drain.dropped == 0  (unproven: with-drain has no results)");
    assert_eq!(claims[3], "· nginx  with-drain.dropped == 0  (held in 3 of 5 repeats: 0 of 8000)");
}

#[test]
fn what_a_balancer_does_not_run_is_told_once() {
    let mut plan = five();
    plan.variants[0].balancers.push(BalancerKind::Envoy.into());
    let run = run(&plan, |_| {});
    let absent = run.claims.iter().filter(|claim| matches!(claim.holding, Holding::NotApplicable(_)));
    assert_eq!(absent.count(), 10);
    let claims = claims(&run);
    let told: Vec<_> = claims.iter().filter(|line| line.starts_with("· envoy")).collect();
    let line = |text: &str| format!("· envoy  {text}  (n/a: with-drain does not run on envoy)");
    assert_eq!(told, [&line(&plan.expect[0].text), &line(&plan.expect[1].text)]);
}

#[test]
fn a_run_without_repeats_has_its_claims_alone() {
    let run = run(&plan(), |_| {});
    assert!(run.proofs.is_empty());
    assert_eq!(claims(&run).len(), run.claims.len());
}

/// The row of the drained variant in the first table with `title`.
fn drained_row(run: &RunSummary, detail: Detail, title: &str) -> Option<Vec<String>> {
    let table = compose(run, detail).blocks.into_iter().find_map(|block| match block {
        Block::Table(table) if table.title.starts_with(title) => Some(table),
        _ => None,
    })?;
    let row = table.rows.into_iter().find(|row| row[1].text.starts_with(DRAINED))?;
    Some(row.into_iter().map(|cell| cell.text).collect())
}

const TOGETHER: &str = "Latency from the intended start over all repeats";
const EACH: &str = "Latency from the intended start, and";

/// A run of so many repeats, the p99 of each 10 ms slower than that of the one before, one of them INVALID.
fn slowing(repeats: u32, invalid: u32) -> RunSummary {
    run(&SavedPlan { repeats, ..plan() }, |cell| {
        cell.latency_ms.p99 = Some(90.0 + 10.0 * f64::from(cell.repeat));
        if cell.repeat == invalid {
            cell.validity.lower_latency(Trust::Invalid, "late");
        }
    })
}

#[test]
fn latency_over_repeats_is_the_median_with_what_encloses_it() {
    let run = slowing(5, 0);
    let row = drained_row(&run, Detail::Brief, TOGETHER).expect("there is a table");
    assert_eq!(row[2..7], ["5", "94 %", "100 ms", "100 ms", "120 (100–140) ms"]);
    assert_eq!(drained_row(&run, Detail::Brief, EACH), None);
    assert_eq!(drained_row(&run, Detail::Full, EACH).expect("a full report has each")[4], "100 ms");
}

#[test]
fn a_repeat_whose_latency_is_invalid_is_left_out_and_makes_the_rest_less_sure() {
    let row = drained_row(&slowing(4, 4), Detail::Brief, TOGETHER).expect("there is a table");
    assert_eq!(row[2..7], ["3 of 4", "75 %", "100 ms", "100 ms", "110 (100–120) ms"]);
    assert_eq!(row[9], "INVALID");
    let row = drained_row(&slowing(3, 3), Detail::Brief, TOGETHER).expect("there is a table");
    assert_eq!(row[2..7], ["2 of 3", "–", "100 ms", "100 ms", "100 ms and 110 ms"]);
}

#[test]
fn two_repeats_are_told_one_by_one() {
    let run = slowing(2, 0);
    assert_eq!(drained_row(&run, Detail::Brief, TOGETHER), None);
    assert_eq!(drained_row(&run, Detail::Brief, EACH).expect("each is told")[4], "100 ms");
}

#[test]
fn a_difference_within_the_noise_is_called_none() {
    let mut plan = five();
    plan.reading = Some("p50: {with-drain.p50 against without-drain.p50}".parse().expect("it is prose"));
    let spread = |drained: [f64; 5]| {
        run(&plan, |cell| {
            let n = cell.repeat as usize - 1;
            let value = if cell.variant == DRAINED { drained[n] } else { [8.0, 9.0, 10.0, 11.0, 12.0][n] };
            cell.latency_ms.p50 = Some(value);
        })
        .readings[0]
            .text
            .clone()
    };
    assert_eq!(
        spread([11.0, 12.0, 13.0, 14.0, 15.0]),
        "p50: 13 (11–15) ms against 10 (8–12) ms (no difference: the repeats overlap)"
    );
    assert_eq!(spread([13.0, 14.0, 15.0, 16.0, 17.0]), "p50: 15 (13–17) ms against 10 (8–12) ms");
    let once = SavedPlan { repeats: 1, ..plan.clone() };
    let text = run(&once, |_| {}).readings[0].text.clone();
    assert!(text.ends_with("(fewer than 3 repeats: noise is not known)"), "{text}");
}

#[test]
fn counts_are_set_beside_each_other_without_a_word_of_noise_and_what_is_not_trusted_is_named() {
    let reading = |text: &str, tamper: fn(&mut CellSummary)| {
        let plan = SavedPlan { reading: Some(text.parse().expect("it is prose")), ..five() };
        run(&plan, tamper).readings[0].text.clone()
    };
    assert_eq!(reading("{with-drain.dropped against without-drain.dropped}", |_| {}), "0 against 39");
    let late = reading("{with-drain.p50 against without-drain.p50}", |cell| {
        if is_drained(cell, &[2]) {
            cell.validity.lower_latency(Trust::Invalid, "late");
        }
    });
    assert_eq!(late, "(not trusted: with-drain.p50) against 100 ms");
}

/// Whether a run is DEGRADED in which nothing but `claim` is asked.
fn is_degraded(claim: &str, repeats: u32, tamper: fn(&mut CellSummary)) -> bool {
    let expect = vec![claim.parse().expect("a claim")];
    let plan = SavedPlan { repeats, expect, control: vec![], ..plan() };
    let run = run(&plan, |cell| {
        cell.cpu.balancer_us_per_request = Some(100.0);
        cell.validity.cpu = Some(Validity::default());
        tamper(cell);
    });
    run.degraded
}

#[test]
fn a_difference_of_cpu_times_needs_three_repeats() {
    let difference = "with-drain.balancer_cpu_per_request <= 2 × without-drain.balancer_cpu_per_request";
    assert_eq!([1, 2, 3].map(|repeats| is_degraded(difference, repeats, |_| {})), [true, true, false]);
    for other in ["with-drain.balancer_cpu_per_request < 1s", "with-drain.p50 <= 2 × without-drain.p50"] {
        assert!(!is_degraded(other, 1, |_| {}), "{other}");
    }
}

#[test]
fn a_run_is_degraded_by_what_its_claims_read_and_by_nothing_else() {
    let cpu_of_drained: fn(&mut CellSummary) = |cell| {
        if is_drained(cell, &[1]) {
            cell.validity.cpu.as_mut().expect("it is judged").lower(Trust::Degraded, "steal");
        }
    };
    let latency_of_drained: fn(&mut CellSummary) = |cell| {
        if is_drained(cell, &[1]) {
            cell.validity.lower_latency(Trust::Degraded, "late");
        }
    };
    assert!(is_degraded("with-drain.balancer_cpu_per_request < 1s", 1, cpu_of_drained));
    assert!(!is_degraded("without-drain.balancer_cpu_per_request < 1s", 1, cpu_of_drained));
    assert!(!is_degraded("with-drain.p50 < 1s", 1, cpu_of_drained));
    assert!(is_degraded("with-drain.p50 < 1s", 1, latency_of_drained));
    assert!(!is_degraded("without-drain.p50 < 1s", 1, latency_of_drained));
    assert!(!is_degraded("with-drain.balancer_cpu_per_request < 1s", 1, latency_of_drained));
}

#[test]
fn a_comparison_that_was_judged_in_no_repeat_has_no_numbers() {
    let mut plan = five();
    plan.expect = vec!["with-drain.ok > 0.5 × without-drain.ok".parse().expect("a claim")];
    let mut cells = run(&plan, |_| {}).cells;
    cells.retain(|cell| cell.variant == CONTROL);
    let run = judge(&plan, &environment(), cells, vec![]);
    assert_eq!((run.proofs[1].held, run.proofs[1].observed.contains("against")), (0, false));
}

#[test]
fn a_sentence_about_a_variant_that_did_not_run_is_left_out() {
    let mut plan = SavedPlan { repeats: 1, ..plan() };
    let text =
        "Drained: {with-drain.dropped} of all. Undrained, {without-drain.dropped} were lost. So drain.";
    plan.reading = Some(text.parse().expect("it is prose"));
    let cells = vec![summarise(&plan, &cell(DRAINED))];
    let run = judge(&plan, &environment(), cells, vec![]);
    assert_eq!(run.readings[0].text, "Drained: 0 of all. So drain.");
}
