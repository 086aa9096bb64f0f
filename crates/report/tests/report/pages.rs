//! The write-up and the runbook.

use model::catalog::BalancerKind;
use model::operations::{Operations, Signal};
use model::plan::SavedPlan;
use model::timeline::Drain;
use model::topology::Layer;
use report::run::Run;
use report::{RunSummary, judge, render_page, runbook, summarise, writeup};

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
        Run { label: "results/drain/1", plan: &drain, summary: &of_drain },
        Run { label: "results/layers/2", plan: &layers, summary: &of_layers },
    ];
    insta::assert_snapshot!(render_page(&writeup::compose(&runs, &[plan(), two_pools()])));
}

#[test]
fn what_no_run_has_is_named_with_the_scenario_that_would_show_it() {
    let drain = plan();
    let summary = run(&drain);
    let runs = [Run { label: "results/drain/1", plan: &drain, summary: &summary }];
    let mut other = two_pools();
    other.scenario = "two-pools".into();
    let text = render_page(&writeup::compose(&runs, &[other]));
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
    let runs = [Run { label: "results/drain/1", plan: &drain, summary: &summary }];
    let text = render_page(&writeup::compose(&runs, &[]));
    let section = text.split("\n## ").find(|section| section.starts_with("The drain window")).unwrap();
    let (before, figures) = section.split_once("\n| ").unwrap();
    assert!(before.contains("INVALID: not all of this run can be trusted"), "{section}");
    assert!(figures.contains("~~368 ms~~"), "{section}");
}

fn operations() -> Operations {
    let signal = |command: &str| Signal { command: command.into(), reading: "Read it twice." };
    Operations {
        names: "ADMIN: the socket.",
        distribution: signal("ask ADMIN | shares"),
        health: signal("ask ADMIN | health"),
        drain: signal("ask ADMIN | drain"),
        errors: signal("ask ADMIN | errors"),
        take_out: "take BACKEND out".into(),
        put_back: "put BACKEND back".into(),
        log_words: &[("502", "the backend broke it off")],
    }
}

#[test]
fn a_runbook_of_a_run() {
    let drain = plan();
    let summary = run(&drain);
    let runs = [Run { label: "results/drain/1", plan: &drain, summary: &summary }];
    insta::assert_snapshot!(render_page(&runbook::compose(BalancerKind::Nginx, &operations(), &runs)));
}

#[test]
fn without_a_run_the_commands_stand_and_every_figure_is_missing() {
    let text = render_page(&runbook::compose(BalancerKind::Envoy, &operations(), &[]));
    assert!(text.contains("every figure is missing"), "{text}");
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
    let runs = [Run { label: "results/drain/1", plan: &short, summary: &summary }];
    let text = render_page(&runbook::compose(BalancerKind::Nginx, &operations(), &runs));
    let first = text.split("\n1. ").nth(1).expect("there is a first check");
    assert!(first.starts_with("Did the drain window end before the slowest request?"), "{first}");
}
