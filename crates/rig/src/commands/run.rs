//! `rig run`: runs every cell of a scenario, one after the other, then prints the verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::PathBuf;

use anyhow::Context;
use engine::balancer::{Templates, program_of};
use engine::capacity;
use engine::cell::find_curl;
use engine::components::{SERVICES, Service};
use engine::help::Help;
use engine::host::limits::ProcessLimits;
use engine::preflight::preflight;
use engine::program::ProgramVersion;
use engine::room::Room;
use engine::runtime::docker::{DockerRuntime, Engine};
use engine::runtime::process::ProcessRuntime;
use engine::runtime::{Runtime, RuntimeError};
use model::catalog::Release;
use model::identity::CellId;
use model::plan::{Need, Plan, SavedPlan, SkippedBalancer, Variant};
use model::scenario::Choice;
use report::{Format, render, verdict_json};
use store::{SavedRun, StoreError};
use tokio::sync::watch;

use super::cells::{Cells, Containers, EndedCells, Processes};
use super::judged::{Judged, MeasuredCell, PAGE, SAVED, exit, judged, overview, rendered};
use super::leftovers;
use super::planning::{Planned, plans, templates};
use super::reproduce;
use super::runtime::{self, Chosen, MissingProgram};
use super::targets;
use crate::cli::{self, Jobs, RuntimeName};
use crate::environment;
use crate::exit::{Exit, Failure, print, tell};
use crate::interrupt;
use crate::progress::Show;

/// Processors that a cell may keep busy beside one for each generator: balancer and backends.
const PROCESSORS_OF_OTHERS: usize = 2;

/// Runs the scenarios, after checking all of them.
pub(crate) fn perform(wanted: &cli::Run) -> Result<Exit, Failure> {
    let plans = planned(wanted)?;
    let templates = templates(wanted.proxy_configs.as_deref(), plans.iter().map(|planned| &planned.plan))?;
    for planned in &plans {
        targets::check(&planned.plan, &wanted.allow_target, wanted.max_rate)?;
        preflight(&planned.plan, &templates).map_err(Failure::usage)?;
    }
    controlled(async |interrupted| match plans.as_slice() {
        [planned] => alone(wanted, planned, &templates, interrupted).await,
        several => together(wanted, several, &templates, interrupted).await,
    })
}

/// The plans of the scenarios on the command line.
pub(super) fn planned(wanted: &cli::Run) -> Result<Vec<Planned>, Failure> {
    let choice = Choice {
        balancers: (!wanted.choice.balancer.is_empty()).then(|| wanted.choice.balancer.clone()),
        variants: (!wanted.choice.variant.is_empty()).then(|| wanted.choice.variant.clone()),
        repeats: wanted.choice.repeat,
        seed: wanted.choice.seed,
        fail_on: wanted.fail_on.clone(),
        ..Choice::default()
    };
    plans(&wanted.scenarios, &wanted.choice.sets, &choice)
}

/// Runs `work` in a place where cells can run, with the flag that the user wants to stop.
pub(super) fn controlled<T>(
    work: impl AsyncFnOnce(watch::Receiver<bool>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    // One thread: the kernel ties the children's lives to the thread that spawns them.
    let controller =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::environment)?;
    controller.block_on(async {
        let interrupted = interrupt::requested()?;
        environment::raise_open_files();
        work(interrupted).await
    })
}

/// Runs one scenario, and prints its report.
async fn alone(
    wanted: &cli::Run,
    planned: &Planned,
    templates: &Templates,
    interrupted: watch::Receiver<bool>,
) -> Result<Exit, Failure> {
    let Done { judged, path, broken } = run(wanted, planned, templates, interrupted).await?;
    // What was measured before an error is still worth printing.
    if broken.is_none() || judged.run.cells.iter().any(|cell| cell.counts.scheduled > 0) {
        print(&rendered(&judged, &path, &wanted.output))?;
    }
    broken.map_or_else(|| Ok(exit(&judged.run, wanted.strict)), Err)
}

/// Runs several scenarios, and prints an overview. Each has its report in its results.
async fn together(
    wanted: &cli::Run,
    plans: &[Planned],
    templates: &Templates,
    interrupted: watch::Receiver<bool>,
) -> Result<Exit, Failure> {
    let (mut runs, mut failures, mut worst) = (Vec::new(), Vec::new(), Exit::Held);
    for (number, planned) in plans.iter().enumerate() {
        let plan = &planned.plan;
        if *interrupted.borrow() {
            break;
        }
        if !wanted.quiet {
            tell(&format!("\n{}/{} {}: {}", number + 1, plans.len(), plan.scenario, plan.question));
        }
        let broken = match run(wanted, planned, templates, interrupted.clone()).await {
            Ok(Done { judged, broken, .. }) => {
                worst = worst.max(exit(&judged.run, wanted.strict));
                runs.push(judged);
                broken
            }
            Err(failure) => Some(failure),
        };
        // The other scenarios may still run.
        if let Some(failure) = broken {
            worst = worst.max(failure.exit);
            failures.push(format!("{}: {}", plan.scenario, failure.text()));
        }
    }
    print(&overview(&runs, &wanted.output)?)?;
    if !failures.is_empty() {
        tell(&format!("error: {}", failures.join("\nerror: ")));
    }
    Ok(worst)
}

/// The result of one scenario.
pub(super) struct Done {
    pub(super) judged: Judged,
    /// The directory of its records.
    pub(super) path: PathBuf,
    /// Why it did not run to its end.
    pub(super) broken: Option<Failure>,
}

/// Runs every cell of the plan, and judges.
pub(super) async fn run(
    wanted: &cli::Run,
    planned: &Planned,
    templates: &Templates,
    interrupted: watch::Receiver<bool>,
) -> Result<Done, Failure> {
    let plan = &planned.plan;
    if let Some(controls) = beside_the_chosen(plan, &wanted.choice.variant).filter(|_| !wanted.quiet) {
        eprintln!("also running, as controls of the chosen variants: {controls}");
    }
    let jobs = jobs(wanted, plan)?;
    let programs = programs(&plan.variants.iter().collect::<Vec<_>>());
    let job = RunTask { wanted, planned, templates, jobs, interrupted: interrupted.clone() };
    if !wanted.quiet && !leftovers::dead(&wanted.out).is_empty() {
        let out = wanted.out.display();
        tell(&format!("killed runs left files in {out}; `rig clean --out {out}` removes them"));
    }
    let show = Show::for_stderr(wanted.quiet);
    let missing = if wanted.skip_missing { MissingProgram::IsLeftOut } else { MissingProgram::IsAnError };
    match runtime::choose(
        runtime_of(wanted.runtime, plan)?,
        wanted.pull,
        &programs,
        missing,
        show,
        interrupted,
    )
    .await?
    {
        None => Err(Failure::interrupted()),
        Some(Chosen::Processes(executable)) => {
            capacity::check(ProcessLimits::here(), plan).map_err(Failure::environment)?;
            let launched = || ProcessRuntime::new(executable.clone());
            let run_cells = async |cells: Cells<'_>| match jobs {
                1 => cells.one_by_one(&launched).await,
                several => cells.at_once(several, &Processes(executable.clone())),
            };
            job.perform(&launched, None, run_cells).await
        }
        Some(Chosen::Docker(engine)) => {
            let launched = || DockerRuntime::new(&engine);
            let run_cells = async |cells: Cells<'_>| match jobs {
                1 => cells.one_by_one(&launched).await,
                several => cells.at_once(several, &Containers(engine.share())),
            };
            let done = job.perform(&launched, Some(&engine), run_cells).await;
            let closed = engine.close().await.map_err(Failure::environment);
            done.map(|mut done| {
                // The results stay, and the first error says more.
                done.broken = done.broken.or(closed.err());
                done
            })
        }
    }
}

/// How many cells run at the same time.
fn jobs(wanted: &cli::Run, plan: &SavedPlan) -> Result<usize, Failure> {
    let one = plan.variants.iter().any(|variant| variant.target.is_some()) || wanted.listen.is_some();
    match wanted.jobs {
        Jobs::Of(several) if several.get() > 1 && one => Err(Failure::usage(anyhow::anyhow!(
            "--jobs {several} needs an address for each cell, and a target, or `--listen`, is one address"
        ))),
        _ if one => Ok(1),
        Jobs::Of(jobs) => Ok(jobs.get()),
        // Commands of the user's own may share a file or a port.
        Jobs::Auto if plan.variants.iter().flat_map(Variant::needs).any(|need| need == Need::Command) => {
            Ok(1)
        }
        Jobs::Auto => {
            let generators =
                plan.variants.iter().map(|variant| variant.traffic.generators).max().unwrap_or(1);
            let per_cell = PROCESSORS_OF_OTHERS + generators as usize;
            Ok((std::thread::available_parallelism().map_or(1, NonZero::get) / per_cell).max(1))
        }
    }
}

/// What local processes have and containers lack, without its being a fault.
const LOCAL: [Need; 2] = [Need::Command, Need::SecondBalancer];

/// A target is asked from this machine, where its users' commands run. Users' commands as backends, and a second process of a
/// balancer, run here as well, unless another runtime is asked for.
pub(super) fn runtime_of(wanted: RuntimeName, plan: &SavedPlan) -> Result<RuntimeName, Failure> {
    let needs: BTreeSet<Need> = plan.variants.iter().flat_map(Variant::needs).collect();
    match (plan.variants.iter().any(|variant| variant.target.is_some()), wanted) {
        (false, RuntimeName::Auto) if needs.iter().any(|need| LOCAL.contains(need)) => {
            Ok(RuntimeName::Process)
        }
        (false, RuntimeName::Auto) if needs.contains(&Need::Image) => Ok(RuntimeName::Docker),
        (false, wanted) => Ok(wanted),
        (true, RuntimeName::Docker) => {
            let message = "a target is asked by a local process: leave --runtime out, or name `process`";
            Err(Failure::usage(anyhow::anyhow!(message)))
        }
        (true, _) => Ok(RuntimeName::Process),
    }
}

/// The programs of balancers, and of the services that some of `variants` needs.
fn programs(variants: &[&Variant]) -> Vec<ProgramVersion> {
    let releases: BTreeSet<Release> = variants.iter().flat_map(|variant| variant.releases()).collect();
    let is_needed = |service: &&Service| variants.iter().any(|it| (service.needed_by)(&it.topology));
    let services = SERVICES.into_iter().filter(is_needed).map(|service| service.program.into());
    releases.into_iter().map(program_of).chain(services).collect()
}

/// The variants that run although they were not chosen, as controls; `None`: there are none.
fn beside_the_chosen(plan: &SavedPlan, chosen: &[String]) -> Option<String> {
    let others = plan.variants.iter().map(|variant| variant.name.as_str());
    let others: Vec<_> = others.filter(|name| !chosen.iter().any(|chosen| chosen == name)).collect();
    (!chosen.is_empty() && !others.is_empty()).then(|| others.join(", "))
}

/// One scenario to run, on any runtime.
struct RunTask<'a> {
    wanted: &'a cli::Run,
    planned: &'a Planned,
    templates: &'a Templates,
    /// How many cells run at the same time.
    jobs: usize,
    interrupted: watch::Receiver<bool>,
}

impl RunTask<'_> {
    /// Runs every cell by `run_cells`, and judges; `launched` is asked what its runtime can do.
    async fn perform<R: Runtime>(
        &self,
        launched: &impl Fn() -> R,
        engine: Option<&Engine>,
        run_cells: impl AsyncFnOnce(Cells<'_>) -> EndedCells,
    ) -> Result<Done, Failure> {
        let RunTask { wanted, planned, .. } = *self;
        let asked = launched();
        let plan = &planned.plan.within(asked.name(), |need| asked.lacks(need));
        let plan = plan.as_ref().map_err(|nothing| Failure::environment(nothing.clone()))?;
        let plan = &plan.carried(asked.connections());
        let runs = |variant: &&Variant| plan.why_unavailable(&variant.name).is_none();
        if plan.variants.iter().filter(runs).any(Variant::curls) {
            find_curl().map_err(Failure::environment)?;
        }
        let (mut builds, mut absent) = (BTreeMap::new(), BTreeMap::new());
        for program in programs(&plan.variants.iter().filter(runs).collect::<Vec<_>>()) {
            let build = match asked.describe(program).await {
                Ok(build) => build,
                Err(error) if error.is_absence() => {
                    absent.insert(program.to_string(), error);
                    continue;
                }
                Err(error) => return Err(Failure::environment(error)),
            };
            if let Some(remark) = build.remark.as_ref().filter(|_| !wanted.quiet) {
                tell(&format!("{program} is {}: {remark}", build.version));
            }
            builds.insert(program.to_string(), build);
        }
        let plan = &self.without(absent, plan)?;
        Room::of(plan, self.jobs).check(&wanted.out).map_err(Failure::environment)?;
        let mut environment = environment::gather(builds, engine.map(Engine::facts));
        environment.command = reproduce::command(wanted, planned, plan, asked.name());
        environment.templates = preflight(plan, self.templates).map_err(Failure::usage)?;
        let stored = store::RunWriter::create(&wanted.out, plan, planned.document.text(), &environment)
            .with_context(|| format!("results can't be written to {}", wanted.out.display()))
            .map_err(Failure::environment)?;
        let EndedCells { measured, broken } = run_cells(Cells {
            wanted,
            plan,
            stored: &stored,
            templates: self.templates,
            interrupted: self.interrupted.clone(),
            order: interleaved(plan),
        })
        .await;
        let stopped = *self.interrupted.borrow();
        if stopped {
            stored.write_interrupted().map_err(Failure::environment)?;
        }
        let judged = match conclude(&stored, measured) {
            Ok(judged) => judged,
            // The first error says more than the failure to write the rest.
            Err(error) => return Err(broken.unwrap_or_else(|| Failure::environment(error))),
        };
        if !wanted.quiet {
            tell(&format!("\nrecords: {}", stored.path().display()));
        }
        Ok(Done { judged, path: stored.path().to_owned(), broken })
    }

    /// `plan` without the balancers whose programs are `absent`, where the user lets them be skipped; else, the error names what
    /// can be run.
    fn without(&self, mut absent: BTreeMap<String, RuntimeError>, plan: &Plan) -> Result<Plan, Failure> {
        let program = |balancer| {
            let mut releases = plan.variants.iter().filter_map(|variant| variant.release(balancer));
            releases.next().map(|release| program_of(release).to_string())
        };
        let skipped = plan.balancers().into_iter().filter_map(|balancer| {
            let reason = absent.get(&program(balancer)?)?.to_string();
            Some(SkippedBalancer { balancer, reason })
        });
        let skipped: Vec<SkippedBalancer> = skipped.collect();
        let of_balancers: BTreeSet<String> = skipped.iter().filter_map(|it| program(it.balancer)).collect();
        // No balancer can be left out for a service that the backends need.
        let service = absent.keys().find(|name| !of_balancers.contains(*name)).cloned();
        if let Some(error) = service.and_then(|name| absent.remove(&name)) {
            return Err(Failure::environment(error));
        }
        let Some((_, first)) = absent.pop_first() else { return Ok(plan.clone()) };
        let without = plan.without(skipped);
        match without {
            Ok(plan) if self.wanted.skip_missing => {
                if !self.wanted.quiet {
                    for it in &plan.skipped {
                        tell(&format!("skipped: {}", it.reason));
                    }
                }
                Ok(plan)
            }
            Ok(plan) => {
                let rest: Vec<_> = plan.balancers().iter().map(ToString::to_string).collect();
                let help = first.help().map_or_else(String::new, |help| format!("{help}; or run it "));
                let help = format!("{help}on {} with --skip-missing", rest.join(", "));
                Err(Failure::environment(first).help(help))
            }
            Err(_) => Err(Failure::environment(first)),
        }
    }
}

/// Judges the whole run from what was saved, and writes the reports and the verdict.
fn conclude(stored: &store::RunWriter, measured: Vec<MeasuredCell>) -> Result<Judged, StoreError> {
    let judged = judged(&SavedRun::open(stored.path())?, measured)?;
    let reports = [
        ("summary.json", Format::Json),
        ("report.md", Format::Markdown),
        (PAGE, Format::Html),
        ("junit.xml", Format::Junit),
    ];
    for (name, format) in reports {
        stored.write_report(name, &render(judged.illustrated(), format, SAVED))?;
    }
    stored.write_report("verdict.json", &verdict_json(&judged.run))?;
    Ok(judged)
}

/// The cells in an order drawn from the seed, so that a change of the machine during the run favours no balancer. A target
/// is deployed in the order of the scenario: a control comes first where it stands first.
fn interleaved(plan: &SavedPlan) -> Vec<CellId> {
    if plan.variants.iter().any(|variant| variant.target.is_some()) {
        let mut cells = plan.cells();
        cells.sort_by_key(|cell| cell.repeat);
        return cells;
    }
    let mut cells: Vec<(f64, CellId)> = plan
        .cells()
        .into_iter()
        .zip(0..)
        .map(|(cell, n)| (model::draw::uniform(plan.seed, model::draw::Decision::CellOrder, n), cell))
        .collect();
    cells.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    cells.into_iter().map(|(_, cell)| cell).collect()
}
