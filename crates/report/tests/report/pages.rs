//! The write-up and the runbook.

use model::catalog::BalancerKind;
use model::operations::{LookedAt, Operations};
use model::plan::SavedPlan;
use model::timeline::{Action, Deregister, Drain};
use model::tls::Tls;
use model::topology::{Balance, Layer};
use report::books::AccessLog;
use report::document::Detail;
use report::dossier::{self, DossierFile};
use report::run::LabelledRun;
use report::{CellSummary, RunSummary, judge, render_page, runbook, summarise, writeup};

use crate::build::*;
use crate::routing::two_pools;

fn run(plan: &SavedPlan) -> RunSummary {
    let cells = [CONTROL, DRAINED].map(|variant| summarise(plan, &cell(variant)));
    judge(plan, &environment(), cells.into(), vec![])
}

/// The same plan with two pools, one variant of it at layer 4.
fn layers() -> SavedPlan {
    let mut plan = two_pools();
    plan.variants[0].topology.listener.layer = Layer::Four;
    // More variants make it less plain, so that deploys are told from the other run.
    let again = plan.variants[0].clone();
    plan.variants.push(model::plan::Variant { name: "again".into(), balancers: vec![], ..again });
    plan
}

#[test]
fn a_write_up_of_two_runs() {
    let (drain, layers) = (plan(), layers());
    let (of_drain, of_layers) = (run(&drain), run(&layers));
    let runs = [
        LabelledRun { label: "results/drain/1", plan: &drain, summary: &of_drain },
        LabelledRun { label: "results/layers/2", plan: &layers, summary: &of_layers },
    ];
    insta::assert_snapshot!(render_page(&writeup::compose(&runs, &[plan(), two_pools()], Detail::Full)));
}

#[test]
fn a_write_up_is_one_printed_page_unless_it_is_asked_for_in_full() {
    let (drain, layers) = (plan(), layers());
    let (of_drain, of_layers) = (run(&drain), run(&layers));
    let runs = [
        LabelledRun { label: "results/drain/1", plan: &drain, summary: &of_drain },
        LabelledRun { label: "results/layers/2", plan: &layers, summary: &of_layers },
    ];
    let text = render_page(&writeup::compose(&runs, &[plan(), two_pools()], Detail::Brief));
    assert!(text.lines().count() <= 70, "{} lines", text.lines().count());
    insta::assert_snapshot!(text);
}

#[test]
fn unlike_runs_are_not_added_up_on_a_runbook() {
    let drain = plan();
    let summary = run(&drain);
    let mut other = run(&drain);
    other.cells.iter_mut().for_each(|cell| cell.counts.scheduled *= 10);
    let runs = [
        LabelledRun { label: "results/drain/1", plan: &drain, summary: &summary },
        LabelledRun { label: "results/drain/2", plan: &drain, summary: &other },
    ];
    let text = render_page(&runbook::compose(BalancerKind::Nginx, &operations(), &runs));
    assert!(text.contains("3 replacements in `results/drain/1`"), "{text}");
    assert!(text.contains("They dropped 0 of 8000 requests") && !text.contains("88000"), "{text}");
}

#[test]
fn what_no_run_has_is_named_with_the_scenario_that_would_show_it() {
    let drain = plan();
    let summary = run(&drain);
    let runs = [LabelledRun { label: "results/drain/1", plan: &drain, summary: &summary }];
    let mut other = two_pools();
    other.scenario = "two-pools".into();
    let text = render_page(&writeup::compose(&runs, &[other], Detail::Full));
    let missing = text.split("## What is missing").nth(1).expect("there is such a section");
    assert!(missing.contains("rig run scenarios/two-pools.yaml would show it"), "{missing}");
    assert!(missing.contains("Sessions: no run here has"), "{missing}");
    assert!(!missing.contains("drain window"), "{missing}");
    assert!(!text.contains("## The canary's split"), "{text}");
}

#[test]
fn a_run_that_cannot_be_trusted_says_so_before_its_figures() {
    let drain = plan();
    let mut broken = cell(DRAINED);
    broken.requests.remove(100);
    let cells = vec![summarise(&drain, &cell(CONTROL)), summarise(&drain, &broken)];
    let summary = judge(&drain, &environment(), cells, vec![]);
    let runs = [LabelledRun { label: "results/drain/1", plan: &drain, summary: &summary }];
    let text = render_page(&writeup::compose(&runs, &[], Detail::Full));
    let section = text.split("\n## ").find(|section| section.starts_with("The drain window")).unwrap();
    let (before, figures) = section.split_once("\n| ").unwrap();
    assert!(before.contains("INVALID: not all of this run can be trusted"), "{section}");
    assert!(figures.contains("~~368 ms~~"), "{section}");
}

fn operations() -> Operations {
    let signal = |command: &str| LookedAt { command: command.into(), reading: "Read it twice." };
    Operations {
        names: "ADMIN: the socket.",
        distribution: signal("ask ADMIN | shares"),
        health: signal("ask ADMIN | health"),
        drain: signal("ask ADMIN | drain"),
        errors: signal("ask ADMIN | errors"),
        take_out: "take BACKEND out".into(),
        put_back: "put BACKEND back".into(),
        log_words: vec![("502", "the backend broke it off")],
    }
}

#[test]
fn a_runbook_of_a_run() {
    let drain = plan();
    let summary = run(&drain);
    let runs = [LabelledRun { label: "results/drain/1", plan: &drain, summary: &summary }];
    insta::assert_snapshot!(render_page(&runbook::compose(BalancerKind::Nginx, &operations(), &runs)));
}

#[test]
fn without_a_run_the_commands_stand_and_every_figure_is_missing() {
    let text = render_page(&runbook::compose(BalancerKind::Envoy, &operations(), &[]));
    assert!(text.contains("there are no figures"), "{text}");
    assert!(text.contains("ask ADMIN | drain"), "{text}");
    assert_eq!(text.matches("Not seen: ").count(), 3, "{text}");
}

#[test]
fn an_expired_drain_comes_first_where_it_cost_most() {
    let short = plan();
    let mut cells = [CONTROL, DRAINED].map(|variant| summarise(&short, &cell(variant)));
    let lost = cells[0].dropped.clone();
    let expired = &mut cells[1];
    let deploy = expired.deploy.as_mut().expect("it has a deploy");
    (deploy.drain, deploy.drains_expired) = (Drain::Auto, 3);
    expired.dropped = lost
        .into_iter()
        .map(|mut group| {
            group.count *= 10;
            group
        })
        .collect();
    let summary = judge(&short, &environment(), cells.into(), vec![]);
    let runs = [LabelledRun { label: "results/drain/1", plan: &short, summary: &summary }];
    let text = render_page(&runbook::compose(BalancerKind::Nginx, &operations(), &runs));
    let (_, checks) = text.split_once("look here first").expect("it has such a section");
    let first = checks.split("\n1. ").nth(1).expect("there is a first check");
    assert!(first.starts_with("Did the drain window end before the slowest request?"), "{first}");
}

/// A runbook of the plan's cells, tampered with.
fn runbook_of(tamper: impl FnOnce(&mut [CellSummary; 2])) -> String {
    let drain = plan();
    let mut cells = [CONTROL, DRAINED].map(|variant| summarise(&drain, &cell(variant)));
    tamper(&mut cells);
    let summary = judge(&drain, &environment(), cells.into(), vec![]);
    let runs = [LabelledRun { label: "results/drain/1", plan: &drain, summary: &summary }];
    render_page(&runbook::compose(BalancerKind::Nginx, &operations(), &runs))
}

#[test]
fn safe_deploys_that_dropped_requests_are_told_with_the_others_and_have_no_bound() {
    let text = runbook_of(|[_, drained]| {
        drained.counts.dropped = 2;
        // Nor does an expired drain take it out of the sum.
        drained.deploy.as_mut().expect("it has a deploy").drains_expired = 1;
    });
    assert!(text.contains("They dropped 2 of 8000 requests (with-drain: 2)"), "{text}");
    assert!(!text.contains("at 95 %"), "{text}");
}

#[test]
fn a_deploy_that_was_asked_to_be_another_is_no_safe_one() {
    let mut other = plan();
    for entry in &mut other.variants[1].timeline {
        if let Action::Deploy(deploy) = &mut entry.action {
            deploy.leaving.deregister = Deregister::Reload;
        }
    }
    let summary = run(&other);
    let runs = [LabelledRun { label: "results/drain/1", plan: &other, summary: &summary }];
    let text = render_page(&runbook::compose(BalancerKind::Nginx, &operations(), &runs));
    assert!(text.contains("the times are missing"), "{text}");
}

#[test]
fn a_log_that_could_not_say_is_not_one_that_said_nothing() {
    let silent = |log: AccessLog| {
        runbook_of(|[control, _]| {
            control.books.access_log = log;
            control.dropped.iter_mut().for_each(|group| group.logged.clear());
        })
    };
    let (whole, lost) = (silent(AccessLog::Compared), silent(AccessLog::Lost));
    assert!(whole.contains("no line in the log × 39") && !whole.contains("log n/a"), "{whole}");
    assert!(lost.contains("log n/a × 39") && !lost.contains("no line in the log"), "{lost}");
}

#[test]
fn a_pool_that_is_named_like_a_setting_is_not_one() {
    let mut plan = plan();
    for variant in &mut plan.variants {
        variant.topology.pools[0].name = "sessions".into();
        variant.topology.pools[0].backends[0].id = "tls".into();
    }
    let text = |plan: &SavedPlan| {
        let summary = run(plan);
        render_page(&writeup::compose(
            &[LabelledRun { label: "results/drain/1", plan, summary: &summary }],
            &[],
            Detail::Full,
        ))
    };
    let without = text(&plan);
    assert!(!without.contains("## Sessions") && !without.contains("## What TLS costs"), "{without}");
    plan.variants[0].topology.listener.tls = Tls::Terminate;
    assert!(text(&plan).contains("## What TLS costs"));
}

#[test]
fn shares_and_losses_that_cannot_be_trusted_are_struck_beside_the_algorithms() {
    let mut plan = plan();
    plan.variants[1].topology.balance = Balance::LeastConnections;
    let mut broken = cell(DRAINED);
    broken.requests.remove(100);
    let cells = vec![summarise(&plan, &cell(CONTROL)), summarise(&plan, &broken)];
    let summary = judge(&plan, &environment(), cells, vec![]);
    let runs = [LabelledRun { label: "results/drain/1", plan: &plan, summary: &summary }];
    let text = render_page(&writeup::compose(&runs, &[], Detail::Full));
    let section = text.split("\n## ").find(|section| section.starts_with("Round robin against")).unwrap();
    let of = |variant: &str| section.lines().find(|line| line.contains(&format!("| {variant} |"))).unwrap();
    assert!(of(CONTROL).contains("| 39 | web-1 ") && !of(CONTROL).contains("~~"), "{section}");
    assert!(of(DRAINED).contains("| ~~0~~ | ~~web-1 "), "{section}");
}

#[test]
fn a_dossier_needs_the_fewest_scenarios_that_fill_its_pages() {
    let (drain, mut layers) = (plan(), layers());
    layers.scenario = "layers".into();
    layers.variants.iter_mut().for_each(|variant| variant.timeline.clear());
    // It has what a deploy has to show, in more variants, and a backend that dies.
    let mut both = plan();
    both.scenario = "both".into();
    let again = both.variants[0].clone();
    both.variants.push(model::plan::Variant { name: "again".into(), ..again });
    let all = [drain.clone(), layers.clone(), both];
    let chosen: Vec<&str> = dossier::scenarios(&all).iter().map(|plan| plan.scenario.as_str()).collect();
    assert_eq!(chosen, [drain.scenario.as_str(), layers.scenario.as_str()]);
}

#[test]
fn the_first_page_of_a_dossier_lists_its_files_and_says_when_a_run_did_not_pass() {
    let drain = plan();
    let mut failed = run(&drain);
    failed.verdict = report::Verdict::Failed;
    let files = [DossierFile { path: "writeup.md".into(), what: "the write-up, one printed page".into() }];
    let page = |run: &RunSummary| render_page(&dossier::index(&[run], &files, "rig dossier study --seed=7"));
    assert!(page(&failed).contains("0 of 1 runs PASSED"), "{}", page(&failed));
    insta::assert_snapshot!(page(&run(&drain)));
}
