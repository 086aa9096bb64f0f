//! `rig compare`: runs balancers side by side, or compares two saved runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::balancer::Templates;
use engine::balancer::catalog;
use engine::preflight::preflight;
use model::identity::BalancerName;
use model::plan::SavedPlan;
use model::scenario::Choice;
use report::compare::{self, LEAST_REPEATS, RunComparison, Strictness};
use report::render_comparisons;
use tokio::sync::watch;

use super::judged::{exit, style};
use super::planning::{Planned, plans, templates};
use super::run::{Done, controlled, run};
use super::saved::ReadRun;
use crate::bundled;
use crate::cli::{self, Compare};
use crate::exit::{Exit, Failure, print, tell};

mod targets;

use targets::Targets;

/// Compares what the user names.
pub(crate) fn perform(wanted: &Compare) -> Result<Exit, Failure> {
    match Targets::of(&wanted.targets)? {
        Targets::Runs(paths) => saved(wanted, &paths),
        Targets::Balancers { balancers, scenarios } => {
            if wanted.force {
                return Err(Failure::usage(anyhow::anyhow!(
                    "--force is for saved runs; the cells of one run are always comparable"
                )));
            }
            let jobs = jobs(wanted, &balancers, &scenarios)?;
            let templates =
                templates(wanted.proxy_configs.as_deref(), jobs.iter().map(|job| &job.planned.plan))?;
            for job in &jobs {
                preflight(&job.planned.plan, &templates).map_err(Failure::usage)?;
            }
            controlled(async |interrupted| {
                side_by_side(wanted, &balancers, &jobs, &templates, interrupted).await
            })
        }
    }
}

/// Two saved runs.
fn saved(wanted: &Compare, [a, b]: &[PathBuf; 2]) -> Result<Exit, Failure> {
    if wanted.repeat.is_some() || wanted.seed.is_some() || !wanted.sets.is_empty() {
        return Err(Failure::usage(anyhow::anyhow!(
            "--repeat, --seed and --set apply to new runs of balancers, not to saved runs"
        )));
    }
    let (a, b) = (ReadRun::from(a)?, ReadRun::from(b)?);
    let strictness = if wanted.force { Strictness::Forced } else { Strictness::Alike };
    let comparisons = compare::runs(a.run(), b.run(), strictness, &catalog()).map_err(Failure::usage)?;
    show(wanted, &comparisons)?;
    Ok(exit(&a.summary, false).max(exit(&b.summary, false)))
}

/// A scenario to run.
struct CompareTask {
    /// The part that all balancers can run.
    planned: Planned,
    /// The whole scenario.
    whole: SavedPlan,
}

/// The plans of the scenarios for the balancers. If none is named, those of all bundled scenarios with a shared variant.
fn jobs(
    wanted: &Compare,
    balancers: &[BalancerName],
    scenarios: &[String],
) -> Result<Vec<CompareTask>, Failure> {
    let paths: Vec<PathBuf> = match scenarios {
        [] => bundled::all().iter().map(|(name, _)| PathBuf::from(name)).collect(),
        named => named.iter().map(PathBuf::from).collect(),
    };
    let choice = Choice {
        balancers: Some(balancers.to_vec()),
        variants: None,
        repeats: Some(wanted.repeat.unwrap_or(LEAST_REPEATS as u32)),
        seed: wanted.seed,
        ..Choice::default()
    };
    let mut jobs = Vec::new();
    // Of all bundled ones, some ask for what one of them lacks.
    let (paths, others) = match scenarios {
        [] => about(&paths, wanted, &choice)?,
        _ => (paths, Vec::new()),
    };
    let left_out =
        |path: &Path| format!("no variant of {} runs on all of {}", path.display(), names(balancers));
    others.iter().for_each(|path| tell(&format!("left out: {}", left_out(path))));
    for Planned { path, plan: whole, .. } in plans(&paths, &wanted.sets, &choice)? {
        let shared =
            whole.variants.iter().filter(|variant| balancers.iter().all(|k| variant.balancers.contains(k)));
        let shared: Vec<String> = shared.map(|variant| variant.name.clone()).collect();
        if shared.is_empty() {
            let none = left_out(&path);
            if !scenarios.is_empty() {
                return Err(Failure::usage(anyhow::anyhow!(none)));
            }
            tell(&format!("left out: {none}"));
            continue;
        }
        let choice = Choice { variants: Some(shared), ..choice.clone() };
        for planned in plans(&[path], &wanted.sets, &choice)? {
            jobs.push(CompareTask { planned, whole: (*whole).clone() });
        }
    }
    Ok(jobs)
}

/// Those of `paths` that the balancers can be asked, and those that they can't because of what one of them lacks.
fn about(
    paths: &[PathBuf],
    wanted: &Compare,
    choice: &Choice,
) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Failure> {
    let (mut about, mut others) = (Vec::new(), Vec::new());
    for path in paths {
        let this = std::slice::from_ref(path);
        match plans(this, &wanted.sets, choice) {
            Ok(_) => about.push(path.clone()),
            Err(_) if plans(this, &wanted.sets, &Choice::default()).is_ok() => others.push(path.clone()),
            Err(failure) => return Err(failure),
        }
    }
    Ok((about, others))
}

fn names(balancers: &[BalancerName]) -> String {
    balancers.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
}

/// Runs the scenarios one after another, and prints their tables at the end.
async fn side_by_side(
    wanted: &Compare,
    balancers: &[BalancerName],
    jobs: &[CompareTask],
    templates: &Templates,
    interrupted: watch::Receiver<bool>,
) -> Result<Exit, Failure> {
    if !wanted.quiet {
        tell(&amount(jobs));
    }
    let settings = settings(wanted);
    let (mut comparisons, mut failures, mut worst) = (Vec::new(), Vec::new(), Exit::Held);
    for (number, job) in jobs.iter().enumerate() {
        if *interrupted.borrow() {
            break;
        }
        if !wanted.quiet {
            let plan = &job.planned.plan;
            tell(&format!("\n{}/{} {}: {}", number + 1, jobs.len(), plan.scenario, plan.question));
        }
        let broken = match run(&settings, &job.planned, templates, interrupted.clone()).await {
            Ok(Done { path, broken, .. }) => {
                let read = ReadRun::from(&path)?;
                worst = worst.max(exit(&read.summary, false));
                if !read.summary.cells.is_empty() {
                    comparisons.push(compare::balancers(read.run(), balancers, &job.whole, &catalog()));
                }
                broken
            }
            Err(failure) => Some(failure),
        };
        // The other scenarios may still run.
        if let Some(failure) = broken {
            worst = worst.max(failure.exit);
            failures.push(format!("{}: {}", job.planned.plan.scenario, failure.text()));
        }
    }
    show(wanted, &comparisons)?;
    if !failures.is_empty() {
        tell(&format!("error: {}", failures.join("\nerror: ")));
    }
    Ok(worst)
}

/// How much there is to run, in words.
fn amount(jobs: &[CompareTask]) -> String {
    let took = match load(jobs).as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    };
    let scenarios = if jobs.len() == 1 { "1 scenario".into() } else { format!("{} scenarios", jobs.len()) };
    let cells: usize = jobs.iter().map(|job| job.planned.plan.cells().len()).sum();
    format!("{scenarios}, {cells} cells: {took} of load, plus the time to start and stop them")
}

/// How long the loads of all cells take, one after another.
fn load(jobs: &[CompareTask]) -> Duration {
    let cells = jobs.iter().flat_map(|job| job.planned.plan.cells().into_iter().map(move |cell| (job, cell)));
    let traffics =
        cells.filter_map(|(job, cell)| job.planned.plan.variant(&cell.variant).map(|v| v.traffic.clone()));
    traffics.map(|traffic| traffic.warmup.0 + traffic.duration.0).sum()
}

/// The settings as arguments of `rig run`.
fn settings(wanted: &Compare) -> cli::Run {
    let run = cli::Run::of_another_command(wanted.runtime, wanted.pull, &wanted.out, wanted.quiet);
    cli::Run {
        choice: cli::Choice { repeat: wanted.repeat, seed: wanted.seed, ..run.choice },
        proxy_configs: wanted.proxy_configs.clone(),
        ..run
    }
}

fn show(wanted: &Compare, comparisons: &[RunComparison]) -> Result<(), Failure> {
    print(&render_comparisons(comparisons, wanted.format, style(wanted.no_color)))
}

/// Whether `path` is a saved run.
fn is_run(path: &Path) -> bool {
    path.join("plan.json").is_file()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn the_help_says_what_runs_and_how_long_it_takes() {
        let mut cli = Cli::command();
        let help = cli.find_subcommand_mut("compare").unwrap().render_long_help().to_string();
        let words: Vec<&str> = help.split_whitespace().collect();
        let help = words.join(" ");
        for (name, _) in bundled::all() {
            assert!(help.contains(name), "the help of compare does not name {name}");
        }
        let parsed = Cli::try_parse_from(["rig", "compare", "nginx", "envoy", "--repeat", "1"]).unwrap();
        let Command::Compare(wanted) = parsed.command else { panic!("no comparison") };
        let balancers = ["nginx", "envoy"].map(|name| name.parse().unwrap());
        let jobs = jobs(&wanted, &balancers, &[]).map_err(|failure| failure.error).unwrap();
        let minutes = format!("about {:.0} minutes of load per repeat", load(&jobs).as_secs_f64() / 60.0);
        assert!(help.contains(&minutes), "it takes {minutes}: {help}");
    }
}
