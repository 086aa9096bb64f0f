//! `rig dossier`: runs what write-up and runbooks need, and writes everything that one hands over.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use engine::balancer::{Templates, adapter};
use engine::preflight::preflight;
use model::identity::BalancerName;
use model::operations::Whereabouts;
use model::plan::SavedPlan;
use model::scenario::Choice;
use model::shell;
use report::document::Detail;
use report::dossier::{self, DossierFile};
use report::run::LabelledRun;
use report::{RunSummary, render_page, runbook, writeup};
use tokio::sync::watch;

use super::judged::{PAGE, exit};
use super::planning::{Planned, bundled_plans, plans, templates};
use super::run::{Done, controlled, run};
use super::saved::ReadRun;
use crate::cli::{self, Dossier};
use crate::exit::{Exit, Failure, print_plain, tell};

/// What a reader opens first.
const INDEX: &str = "README.md";

/// Runs the scenarios, and writes the files.
pub(crate) fn perform(wanted: &Dossier) -> Result<Exit, Failure> {
    let index = wanted.directory.join(INDEX);
    if index.exists() && !wanted.force {
        let taken = anyhow::anyhow!("{} is there already", index.display());
        return Err(Failure::usage(taken).help("name another directory, or add --force"));
    }
    let bundled = bundled_plans()?;
    let plans = planned(wanted, &dossier::scenarios(&bundled))?;
    let templates = templates(None, plans.iter().map(|planned| &planned.plan))?;
    for planned in &plans {
        preflight(&planned.plan, &templates).map_err(Failure::usage)?;
    }
    let (paths, mut worst) =
        controlled(async |interrupted| runs(wanted, &plans, &templates, interrupted).await)?;
    let read = paths.iter().map(|path| ReadRun::from(path)).collect::<Result<Vec<ReadRun>, Failure>>()?;
    for run in &read {
        worst = worst.max(exit(&run.summary, false));
    }
    if read.is_empty() {
        return Err(Failure::interrupted());
    }
    let files = write(wanted, &bundled, &read, &paths)?;
    let listed: String = files.iter().map(|path| format!("{}\n", path.display())).collect();
    print_plain(&listed)?;
    Ok(worst)
}

/// The plans, for the balancers that the user named, or for those that all of `scenarios` name.
fn planned(wanted: &Dossier, scenarios: &[&SavedPlan]) -> Result<Vec<Planned>, Failure> {
    let of = |plan: &&SavedPlan| {
        plan.variants.iter().flat_map(|variant| variant.balancers.iter().copied()).collect::<BTreeSet<_>>()
    };
    let mut shared: Option<BTreeSet<BalancerName>> = None;
    for own in scenarios.iter().map(of) {
        shared =
            Some(shared.map_or_else(|| own.clone(), |shared| shared.intersection(&own).copied().collect()));
    }
    let balancers = match wanted.balancer.as_slice() {
        [] => shared.unwrap_or_default().into_iter().collect(),
        named => named.to_vec(),
    };
    let choice = Choice { balancers: Some(balancers), seed: wanted.seed, ..Choice::default() };
    let paths: Vec<PathBuf> = scenarios.iter().map(|plan| PathBuf::from(&plan.scenario)).collect();
    plans(&paths, &[], &choice)
}

/// Runs one scenario after another; returns where the runs are, and the worst exit code of those that broke off.
async fn runs(
    wanted: &Dossier,
    plans: &[Planned],
    templates: &Templates,
    interrupted: watch::Receiver<bool>,
) -> Result<(Vec<PathBuf>, Exit), Failure> {
    let settings = cli::Run {
        jobs: wanted.jobs,
        ..cli::Run::of_another_command(wanted.runtime, wanted.pull, &wanted.out, wanted.quiet)
    };
    let (mut paths, mut worst) = (Vec::new(), Exit::Held);
    for (number, planned) in plans.iter().enumerate() {
        if *interrupted.borrow() {
            return Err(Failure::interrupted());
        }
        if !wanted.quiet {
            tell(&format!(
                "\n{}/{} {}: {}",
                number + 1,
                plans.len(),
                planned.plan.scenario,
                planned.plan.question
            ));
        }
        let Done { path, broken, .. } = run(&settings, planned, templates, interrupted.clone()).await?;
        if let Some(failure) = broken {
            worst = worst.max(failure.exit);
            tell(&format!("error: {}: {}", planned.plan.scenario, failure.text()));
        }
        paths.push(path);
    }
    Ok((paths, worst))
}

/// Writes the files, and says which.
fn write(
    wanted: &Dossier,
    bundled: &[SavedPlan],
    read: &[ReadRun],
    paths: &[PathBuf],
) -> Result<Vec<PathBuf>, Failure> {
    let runs: Vec<LabelledRun<'_>> = read.iter().map(ReadRun::run).collect();
    let mut files: Vec<(DossierFile, String)> = Vec::new();
    let mut add = |path: String, what: String, text: String| files.push((DossierFile { path, what }, text));
    let page = |detail| render_page(&writeup::compose(&runs, bundled, detail));
    add("writeup.md".into(), "the write-up, one printed page".into(), page(Detail::Brief));
    add("writeup-full.md".into(), "the same with every table".into(), page(Detail::Full));
    let ran: BTreeSet<_> = runs.iter().flat_map(|run| &run.plan.variants).flat_map(|it| it.kinds()).collect();
    for kind in ran {
        let Some(operated) = adapter(kind).operated() else { continue };
        let text =
            render_page(&runbook::compose(kind, &operated.operations(&Whereabouts::placeholders()), &runs));
        add(format!("runbook-{kind}.md"), format!("one page for on-call about {kind}"), text);
    }
    for (run, path) in read.iter().zip(paths) {
        let text = std::fs::read_to_string(path.join(PAGE)).map_err(Failure::environment)?;
        let what = format!("what {} showed: {}", run.summary.scenario, run.summary.question);
        add(format!("{}.html", run.summary.scenario), what, text);
    }
    let summaries: Vec<&RunSummary> = read.iter().map(|run| &run.summary).collect();
    let listed: Vec<DossierFile> = files.iter().map(|(file, _)| file.clone()).collect();
    let index_text = render_page(&dossier::index(&summaries, &listed, &again(wanted)));
    let index = DossierFile { path: INDEX.into(), what: String::new() };
    std::fs::create_dir_all(&wanted.directory).map_err(|error| unwritten(&wanted.directory, &error))?;
    let mut written = Vec::new();
    for (file, text) in std::iter::once((index, index_text)).chain(files) {
        let path = wanted.directory.join(&file.path);
        store::write_atomic(&path, text.as_bytes()).map_err(Failure::environment)?;
        written.push(path);
    }
    Ok(written)
}

/// The command that makes it again.
fn again(wanted: &Dossier) -> String {
    let mut words = vec!["rig".to_owned(), "dossier".to_owned(), wanted.directory.display().to_string()];
    if !wanted.balancer.is_empty() {
        let names: Vec<&str> = wanted.balancer.iter().map(|name| name.as_str()).collect();
        words.push(format!("--balancer={}", names.join(",")));
    }
    words.extend(wanted.seed.map(|seed| format!("--seed={seed}")));
    shell::line(&words)
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(anyhow::anyhow!("{} can't be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn the_help_says_how_long_its_load_takes() {
        let parsed = Cli::try_parse_from(["rig", "dossier"]).unwrap();
        let Command::Dossier(wanted) = parsed.command else { panic!("no dossier") };
        let bundled = bundled_plans().map_err(|failure| failure.error).unwrap();
        let plans = planned(&wanted, &dossier::scenarios(&bundled)).map_err(|failure| failure.error).unwrap();
        let of = |planned: &Planned| {
            let cells = planned.plan.cells().into_iter();
            let variants = cells.filter_map(|cell| planned.plan.variant(&cell.variant));
            variants.map(|it| it.traffic.warmup.0 + it.traffic.duration.0).sum::<std::time::Duration>()
        };
        let minutes = plans.iter().map(of).sum::<std::time::Duration>().as_secs_f64() / 60.0;
        let said = format!("about {minutes:.0} minutes of load");
        let mut cli = Cli::command();
        let help = cli.find_subcommand_mut("dossier").unwrap().render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(&said), "it takes {said}: {help}");
        assert!(minutes < 8.0 && plans.len() >= 2);
        assert!(plans.iter().all(|planned| planned.plan.balancers().len() >= 3));
    }
}
