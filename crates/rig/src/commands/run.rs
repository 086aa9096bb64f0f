//! `rig run`: every cell of a scenario, one after the other, then the verdict.

use std::collections::BTreeMap;

use anyhow::Context;
use engine::cell::{End, Order};
use engine::runtime::Runtime;
use engine::runtime::process::ProcessRuntime;
use engine::templates::Templates;
use model::identity::CellId;
use model::outcome::OutcomeKind;
use model::plan::{Plan, SavedPlan};
use model::scenario::{Choice, Scenario};
use report::{CellSummary, Format, latency_log, render, summarise, verdict_json};
use store::{SavedRun, StoreError};
use tokio::sync::watch;

use super::judged::{SAVED, exit, judged, rendered};
use super::plan;
use crate::cli::{self, RuntimeName};
use crate::environment;
use crate::exit::{Exit, Failure, print};
use crate::interrupt;
use crate::progress::{CellProgress, Show};

/// Runs the scenario.
pub(crate) fn perform(wanted: &cli::Run) -> Result<Exit, Failure> {
    let choice = Choice {
        balancers: (!wanted.choice.balancer.is_empty()).then(|| wanted.choice.balancer.clone()),
        variants: (!wanted.choice.variant.is_empty()).then(|| wanted.choice.variant.clone()),
        repeats: wanted.choice.repeat,
        seed: wanted.choice.seed,
    };
    let (scenario, plan) = plan(&wanted.scenario, &wanted.choice.sets, &choice)?;
    // One thread: the kernel ties the children's lives to the thread that spawns them.
    let controller =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::environment)?;
    controller.block_on(run(wanted, &scenario, &plan))
}

async fn run(wanted: &cli::Run, scenario: &Scenario, plan: &Plan) -> Result<Exit, Failure> {
    let interrupted = interrupt::requested()?;
    environment::raise_open_files();
    let executable = std::env::current_exe().map_err(Failure::environment)?;
    let launched = || ProcessRuntime::new(executable.clone());
    if !wanted.quiet {
        eprintln!("{}", runtime_line(wanted.runtime, &launched()));
    }
    let mut builds = BTreeMap::new();
    for cell in plan.cells() {
        if !builds.contains_key(cell.balancer.name()) {
            let build = launched().describe(cell.balancer).await.map_err(Failure::environment)?;
            builds.insert(cell.balancer.name().to_owned(), build);
        }
    }
    let environment = environment::gather(builds);
    let stored = store::Run::create(&wanted.out, plan, scenario.text(), &environment)
        .with_context(|| format!("results can't be written to {}", wanted.out.display()))
        .map_err(Failure::environment)?;
    let cells = interleaved(plan);
    let mut broken = None;
    for (number, cell) in cells.iter().enumerate() {
        let progress = CellProgress::begin(Show::for_stderr(wanted.quiet), cell, number + 1, cells.len());
        let runtime = launched();
        match one(&runtime, wanted, plan, &stored, cell, &interrupted, &progress).await {
            Ok(End::Interrupted) => break,
            Ok(End::Completed | End::Failed(_)) => {}
            Err(failure) => {
                progress.finish("could not be run");
                broken = Some(failure);
                break;
            }
        }
    }
    let stopped = *interrupted.borrow();
    if stopped {
        stored.write_interrupted().map_err(Failure::environment)?;
    }
    let summary = match conclude(&stored) {
        Ok(summary) => summary,
        // What broke first says more than that the rest couldn't be written either.
        Err(error) => return Err(broken.unwrap_or_else(|| Failure::environment(error))),
    };
    // What was measured before something broke is not lost with it.
    if broken.is_none() || summary.cells.iter().any(|cell| cell.counts.scheduled > 0) {
        print(&rendered(&summary, &wanted.output))?;
    }
    if !wanted.quiet {
        eprintln!("\nrecords: {}", stored.path().display());
    }
    match broken {
        Some(failure) => Err(failure),
        None => Ok(exit(&summary, wanted.strict)),
    }
}

/// Runs one cell, and sums it up.
async fn one(
    runtime: &ProcessRuntime,
    wanted: &cli::Run,
    plan: &Plan,
    stored: &store::Run,
    cell: &CellId,
    interrupted: &watch::Receiver<bool>,
    progress: &CellProgress,
) -> Result<End, Failure> {
    let templates =
        wanted.proxy_configs.as_deref().map_or_else(Templates::embedded, Templates::with_directory);
    let dir = stored.cell(cell).map_err(Failure::environment)?;
    let order = Order {
        plan,
        cell,
        dir: &dir,
        templates: &templates,
        listen: wanted.listen,
        interrupted: interrupted.clone(),
        watcher: &|observation| progress.observe(observation),
    };
    let end = engine::cell::run(runtime, &order).await.map_err(Failure::environment)?;
    let saved = SavedRun::open(stored.path()).map_err(Failure::environment)?;
    let records = saved.records(cell).map_err(Failure::environment)?.records;
    let summary = summarise(saved.plan(), &records);
    dir.write_summary(&summary).map_err(Failure::environment)?;
    dir.write_latency_log(&latency_log(saved.plan(), &records)).map_err(Failure::environment)?;
    progress.finish(&match &end {
        End::Completed => result_line(&summary),
        End::Failed(why) => format!("failed: {}", why.lines().next().unwrap_or_default()),
        End::Interrupted => "interrupted".to_owned(),
    });
    Ok(end)
}

/// Judges the whole run from its saved records, and writes what `rig report` would print and the verdict alone.
fn conclude(stored: &store::Run) -> Result<report::RunSummary, StoreError> {
    let summary = judged(&SavedRun::open(stored.path())?)?;
    stored.write_report("summary.json", &render(&summary, Format::Json, SAVED))?;
    stored.write_report("verdict.json", &verdict_json(&summary))?;
    stored.write_report("report.md", &render(&summary, Format::Markdown, SAVED))?;
    Ok(summary)
}

/// One line about a cell that has ended.
fn result_line(cell: &CellSummary) -> String {
    let counts = &cell.counts;
    format!("{} scheduled, {} ok, {} dropped", counts.scheduled, counts.of(OutcomeKind::Ok), counts.dropped)
}

/// Which runtime, and why: the first line of output.
fn runtime_line(wanted: RuntimeName, runtime: &impl Runtime) -> String {
    let why = match wanted {
        RuntimeName::Process => "as asked",
        RuntimeName::Auto => "auto: this version has no other",
    };
    format!("runtime: {} ({why})", runtime.name())
}

/// The cells in an order drawn from the seed, so that a machine that changes in mid-run favours nobody.
fn interleaved(plan: &SavedPlan) -> Vec<CellId> {
    let mut cells: Vec<(f64, CellId)> = plan
        .cells()
        .into_iter()
        .zip(0..)
        .map(|(cell, n)| (agent::draw::uniform(plan.seed, agent::draw::Decision::CellOrder, n), cell))
        .collect();
    cells.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    cells.into_iter().map(|(_, cell)| cell).collect()
}
