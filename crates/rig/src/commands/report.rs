//! `rig report`: prints saved runs again, from their records or, where only that was kept, from their summary.

use std::path::Path;

use anyhow::Context;
use report::{Format, RunSummary, render_figure};
use store::SavedRun;

use super::judged::{Judged, exit, judged, overview, rendered};
use crate::cli::{FigureChoice, Report};
use crate::exit::{Exit, Failure, print};

/// Prints the report and exits as the runs themselves did.
pub(crate) fn perform(wanted: &Report) -> Result<Exit, Failure> {
    let runs = wanted.runs.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    print(&match (runs.as_slice(), wanted.runs.as_slice()) {
        (runs, _) if wanted.figure.is_some() => figure(runs, wanted)?,
        ([run], [path]) => rendered(run, path, &wanted.output),
        (several, _) => overview(several, &wanted.output)?,
    })?;
    Ok(runs.iter().map(|judged| exit(&judged.run, false)).max().unwrap_or(Exit::Held))
}

/// The picture of the figure that is asked for.
fn figure(runs: &[Judged], wanted: &Report) -> Result<String, Failure> {
    if wanted.output.format != Format::Svg {
        return Err(Failure::usage(anyhow::anyhow!("--figure is a picture")).help("add --format svg"));
    }
    let asked = match &wanted.figure {
        Some(FigureChoice::Named(figure)) => Some(figure),
        Some(FigureChoice::Own) | None => None,
    };
    let runs: Vec<&RunSummary> = runs.iter().map(|judged| &judged.run).collect();
    render_figure(&runs, asked).map_err(|no| {
        let help = "docs/metrics.md says what each figure needs; `--format csv` prints all that the run has";
        Failure::usage(anyhow::anyhow!("that figure was not measured: {}", no.0)).help(help)
    })
}

/// A run is judged again from its records. A summary was judged when it was made, and says what was found then.
fn read(path: &Path) -> Result<Judged, Failure> {
    if path.is_file() {
        let run: RunSummary = store::read_versioned(path)
            .with_context(|| format!("{} can't be read as the summary of a run", path.display()))
            .map_err(Failure::usage)?;
        return Ok(Judged { run, series: Vec::new() });
    }
    let saved = SavedRun::open(path)
        .with_context(|| format!("{} can't be reported{}", path.display(), advice(path)))
        .map_err(Failure::usage)?;
    judged(&saved, Vec::new()).map_err(Failure::environment)
}

fn advice(path: &Path) -> String {
    let summary = path.join("summary.json");
    match summary.is_file() {
        true => format!(" again; `rig report {}` prints what was found then", summary.display()),
        false => String::new(),
    }
}
