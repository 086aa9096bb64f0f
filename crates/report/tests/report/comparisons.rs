//! Balancers and runs side by side: when one is better, and when two are not alike.

use model::catalog::{BalancerKind, Capability, Catalog, Lack};
use model::history::Setting;
use model::identity::BalancerName;
use model::plan::SavedPlan;
use model::records::TemplateUsed;
use model::topology::{Balance, Retries};
use model::units::Rate;
use report::compare::{self, Row, RunComparison, Strictness, Unlike};
use report::run::LabelledRun;
use report::validity::Trust;
use report::{CellSummary, Colour, Format, RunSummary, Style, judge, render_comparisons, summarise};

use crate::build::*;

const PLAIN: Style = Style { width: 120, colour: Colour::Never };
const BOTH: [BalancerKind; 2] = [BalancerKind::Nginx, BalancerKind::Haproxy];

/// The plan, for two balancers, with so many repeats.
fn both(repeats: u32) -> SavedPlan {
    let mut plan = SavedPlan { repeats, ..plan() };
    plan.variants.iter_mut().for_each(|variant| variant.balancers = BOTH.map(BalancerName::from).to_vec());
    plan
}

/// A run of `plan`: what HAProxy did is what nginx did, `tamper`ed with.
fn run(plan: &SavedPlan, tamper: impl Fn(&mut CellSummary)) -> RunSummary {
    let summaries = [CONTROL, DRAINED].map(|variant| summarise(plan, &cell(variant)));
    let mut cells = Vec::new();
    for repeat in 1..=plan.repeats {
        for (balancer, summary) in
            BOTH.iter().flat_map(|kind| summaries.iter().map(move |s| ((*kind).into(), s)))
        {
            let mut summary = CellSummary { repeat, balancer, ..summary.clone() };
            // Repeats differ a little, as they do.
            summary.latency_ms.p99 = Some(100.0 + f64::from(repeat));
            tamper(&mut summary);
            cells.push(summary);
        }
    }
    judge(plan, &environment(), cells, vec![])
}

fn is_haproxy(cell: &CellSummary) -> bool {
    cell.balancer == BalancerKind::Haproxy
}

/// HAProxy is slower in every repeat, drops more in the control, and has retries.
fn slower(cell: &mut CellSummary) {
    if is_haproxy(cell) {
        cell.balancer_version = "2.6.12".into();
        cell.latency_ms.p99 = cell.latency_ms.p99.map(|ms| ms + 20.0);
        cell.settings = vec![Setting { name: "retries".into(), rendered: "retries 0".into() }];
        if cell.variant == CONTROL {
            cell.counts.dropped += u64::from(cell.repeat);
        }
    }
}

fn catalog() -> Catalog {
    let reason = "nginx OSS has passive checks only";
    Catalog {
        signs: vec![],
        missing: vec![(BalancerKind::Nginx, Lack::always(Capability::ActiveHealthChecks, reason))],
    }
}

fn side_by_side(plan: &SavedPlan, summary: &RunSummary) -> RunComparison {
    compare::balancers(
        LabelledRun { label: "results/drain/1", plan, summary },
        &BOTH.map(BalancerName::from),
        plan,
        &catalog(),
    )
}

fn row<'c>(comparison: &'c RunComparison, variant: &str, figure: &str) -> &'c Row {
    let found = comparison.rows.iter().find(|row| row.variant == variant && row.figure == figure);
    found.unwrap_or_else(|| panic!("no {figure} of {variant}"))
}

#[test]
fn two_balancers_on_a_terminal() {
    let plan = both(5);
    let comparison = side_by_side(&plan, &run(&plan, slower));
    insta::assert_snapshot!(render_comparisons(&[comparison], Format::Table, PLAIN));
}

#[test]
fn two_balancers_as_markdown() {
    let mut plan = both(5);
    let comparison = side_by_side(&plan, &run(&plan, slower));
    // What one of them does not run is listed.
    plan.variants[0].balancers.truncate(1);
    insta::assert_snapshot!(render_comparisons(&[comparison], Format::Markdown, PLAIN));
}

#[test]
fn a_program_gets_the_figures_of_every_repeat() {
    let plan = both(5);
    let comparison = side_by_side(&plan, &run(&plan, slower));
    let text = render_comparisons(&[comparison], Format::Json, PLAIN);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = json[0]["rows"].as_array().unwrap();
    let p99 = rows.iter().find(|row| row["variant"] == DRAINED && row["figure"] == "p99").unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(p99).unwrap());
    assert_eq!(json[0]["sides"][1]["version"], "2.6.12");
    assert_eq!(json[0]["capabilities"][0]["capability"], "active_health_checks");
}

#[test]
fn five_repeats_that_all_lie_apart_are_marked_and_four_are_not() {
    let plan = both(5);
    let five = side_by_side(&plan, &run(&plan, slower));
    let p99 = row(&five, DRAINED, "p99");
    assert_eq!((p99.best, p99.chance), (Some(0), Some(2.0 / 252.0)));
    assert_eq!(row(&five, CONTROL, "dropped").best, Some(0));
    assert_eq!(row(&five, DRAINED, "p50").best, None);
    let plan = both(4);
    let four = side_by_side(&plan, &run(&plan, slower));
    assert!(four.rows.iter().all(|row| row.best.is_none() && row.chance.is_none()));
}

#[test]
fn one_repeat_that_lies_with_the_others_is_enough_to_mark_nothing() {
    let plan = both(5);
    let run = run(&plan, |cell| {
        slower(cell);
        if is_haproxy(cell) && cell.repeat == 3 {
            cell.latency_ms.p99 = Some(101.5);
        }
    });
    let comparison = side_by_side(&plan, &run);
    let p99 = row(&comparison, DRAINED, "p99");
    assert_eq!(p99.best, None);
    assert!(p99.chance.unwrap() > compare::LEVEL);
}

#[test]
fn equal_balancers_are_not_told_apart() {
    let plan = both(5);
    let comparison = side_by_side(&plan, &run(&plan, |_| {}));
    assert!(comparison.rows.iter().all(|row| row.best.is_none()));
    assert_eq!(row(&comparison, DRAINED, "dropped").chance, Some(1.0));
    assert_eq!(comparison.settings, []);
}

#[test]
fn what_cannot_be_trusted_marks_nothing_and_is_shown_struck() {
    let plan = both(5);
    let summary = run(&plan, |cell| {
        slower(cell);
        if cell.variant == DRAINED && is_haproxy(cell) {
            cell.validity.lower_latency(Trust::Invalid, "late");
        }
        if cell.variant == CONTROL && cell.repeat == 1 {
            cell.validity.lower_latency(Trust::Invalid, "late");
        }
    });
    let comparison = side_by_side(&plan, &summary);
    let p99 = row(&comparison, DRAINED, "p99");
    assert_eq!((p99.best, p99.chance), (None, None));
    assert_eq!((p99.sides[1].repeats.len(), p99.sides[1].left_out), (0, 5));
    let control = row(&comparison, CONTROL, "p99");
    assert_eq!((control.best, control.sides[0].left_out), (None, 1));
    assert!(control.sides[0].text.ends_with("[4 of 5 repeats]"), "{}", control.sides[0].text);
    let text = render_comparisons(&[comparison], Format::Markdown, PLAIN);
    assert!(text.contains("~~123 (121–125) ms~~"), "{text}");
}

/// Two runs, each of its plan.
fn runs(a: &SavedPlan, b: &SavedPlan, strictness: Strictness) -> Result<Vec<RunComparison>, Unlike> {
    let (left, right) = (run(a, |_| {}), run(b, slower));
    let a = LabelledRun { label: "results/drain/1", plan: a, summary: &left };
    let b = LabelledRun { label: "results/drain/2", plan: b, summary: &right };
    compare::runs(a, b, strictness, &catalog())
}

#[test]
fn two_runs_are_compared_balancer_by_balancer() {
    let comparisons = runs(&both(5), &both(5), Strictness::Alike).unwrap();
    assert_eq!(comparisons.len(), 2);
    assert_eq!(row(&comparisons[1], DRAINED, "p99").best, Some(0));
    assert!(!comparisons[1].interleaved);
    insta::assert_snapshot!(render_comparisons(&comparisons[1..], Format::Table, PLAIN));
}

#[test]
fn unlike_plans_are_refused_with_the_keys_that_differ() {
    let mut other = SavedPlan { seed: 8, ..both(5) };
    other.variants.iter_mut().for_each(|variant| variant.traffic.rate = Rate(800.0));
    other.variants[1].topology.pools[0].backends[2].queue = 5;
    let unlike = runs(&both(5), &other, Strictness::Alike).unwrap_err();
    insta::assert_snapshot!(unlike.to_string());
    let forced = runs(&both(5), &other, Strictness::Forced).unwrap();
    assert!(forced.iter().flat_map(|it| &it.rows).all(|row| row.best.is_none()));
    let text = render_comparisons(&forced[..1], Format::Table, PLAIN);
    assert!(text.contains("load.rate: 400/s against 800/s"), "{text}");
    assert!(text.contains("Nothing is marked: these runs are not comparable."), "{text}");
}

#[test]
fn settings_of_the_balancer_may_be_what_is_compared() {
    let mut other = both(5);
    other.variants.iter_mut().for_each(|variant| variant.topology.balance = Balance::LeastConnections);
    other.variants[1].topology.retries = Retries::Default;
    let comparisons = runs(&both(5), &other, Strictness::Alike).unwrap();
    let told: Vec<_> = comparisons[0].keys.iter().map(|key| key.words()).collect();
    assert_eq!(
        told,
        [
            "topology.balance: round_robin against least_connections",
            "topology.retries (with-drain): off against default"
        ]
    );
}

#[test]
fn another_machine_or_runtime_is_no_comparison() {
    let plan = both(5);
    let (left, mut right) = (run(&plan, |_| {}), run(&plan, |cell| cell.runtime = "docker".into()));
    right.environment.cpus = 8;
    let a = LabelledRun { label: "a", plan: &plan, summary: &left };
    let b = LabelledRun { label: "b", plan: &plan, summary: &right };
    let Err(Unlike::Keys(keys)) = compare::runs(a, b, Strictness::Alike, &catalog()) else { panic!("alike") };
    assert_eq!(keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>(), ["runtime", "machine"]);
}

#[test]
fn runs_without_a_common_variant_are_no_comparison_even_by_force() {
    let mut other = both(5);
    other.variants.iter_mut().for_each(|variant| variant.name = format!("other-{}", variant.name));
    let error = runs(&both(5), &other, Strictness::Forced).unwrap_err();
    assert!(matches!(error, Unlike::NoVariant { .. }), "{error}");
}

#[test]
fn cpu_time_that_cannot_be_trusted_is_struck_and_never_better() {
    let plan = both(5);
    let cheaper = |trusted: fn(&CellSummary) -> bool| {
        let run = run(&plan, |cell| {
            let cost = if is_haproxy(cell) { 50.0 } else { 90.0 };
            cell.cpu.balancer_us_per_request = Some(cost + f64::from(cell.repeat));
            let verdict = if trusted(cell) { Trust::Valid } else { Trust::Invalid };
            cell.validity.cpu.as_mut().expect("it is judged").verdict = verdict;
        });
        let found = side_by_side(&plan, &run);
        let row = row(&found, CONTROL, "balancer_cpu_per_request").clone();
        (row.best, row.sides.iter().map(|side| side.left_out).collect::<Vec<_>>())
    };
    assert_eq!(cheaper(|_| true), (Some(1), vec![0, 0]));
    assert_eq!(cheaper(|cell| !is_haproxy(cell)), (None, vec![0, 5]));
}

#[test]
fn runs_of_different_templates_are_unlike_and_of_equal_ones_are_not() {
    let plan = both(5);
    let rendered_from = |own: Option<&str>, sha256: &str| {
        let mut run = run(&plan, |_| {});
        let used =
            TemplateUsed { own: own.map(str::to_owned), sha256: sha256.to_owned(), diff: String::new() };
        run.environment.templates = [("nginx/nginx.conf".to_owned(), used)].into();
        run
    };
    let compared = |a: &RunSummary, b: &RunSummary, strictness| {
        let [a, b] = [a, b].map(|summary| LabelledRun { label: "a run", plan: &plan, summary });
        compare::runs(a, b, strictness, &catalog())
    };
    let built_in = rendered_from(None, "0123456789abcdef");
    let own = rendered_from(Some("own/nginx/nginx.conf"), "fedcba9876543210");
    let Err(Unlike::Keys(keys)) = compared(&built_in, &own, Strictness::Alike) else {
        panic!("they are alike")
    };
    assert_eq!(
        keys.iter().map(|key| key.words()).collect::<Vec<_>>(),
        [
            "template nginx/nginx.conf: built-in (SHA-256 0123456789ab…) against own/nginx/nginx.conf (SHA-256 fedcba987654…)"
        ]
    );
    assert!(compared(&built_in, &own, Strictness::Forced).is_ok());
    // The same text, wherever it lies; and one that was not kept.
    let moved = rendered_from(Some("elsewhere/nginx/nginx.conf"), "0123456789abcdef");
    let old = run(&plan, |_| {});
    for other in [moved, old] {
        assert!(compared(&built_in, &other, Strictness::Alike).is_ok());
    }
}
