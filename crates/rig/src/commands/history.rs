//! `rig history`: saved runs with their verdicts, and a figure over them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use model::scenario::suggestion;
use report::run::LabelledRun;
use report::{RunSummary, over_time, recording, render_table};

use super::judged::style;
use super::saved::ReadRun;
use crate::cli::{History, HistoryFormat};
use crate::exit::{Exit, Failure, print, tell};

/// Prints the runs below the directory of results, oldest first.
pub(crate) fn perform(wanted: &History) -> Result<Exit, Failure> {
    let paths = store::runs(&wanted.out).map_err(Failure::environment)?;
    let nothing = || {
        Failure::usage(anyhow::anyhow!("there is no run in {}", wanted.out.display()))
            .help("rig run drain, or name another directory with --out")
    };
    if paths.is_empty() {
        return Err(nothing());
    }
    let known: BTreeSet<&str> = paths.iter().filter_map(|path| scenario(path)).collect();
    if let Some(unknown) = wanted.scenarios.iter().find(|name| !known.contains(name.as_str())) {
        let error = anyhow::anyhow!("{} has no run of a scenario `{unknown}`", wanted.out.display());
        return Err(Failure::usage(error).help(suggestion(unknown, known)));
    }
    let mut read = Vec::new();
    for path in last_of_each(&paths, wanted) {
        match ReadRun::as_it_ended(path) {
            Ok(run) => read.push(run),
            // Killed, running, or of another version: the others are listed all the same.
            Err(error) => tell(&format!("warning: left out: {error:#}")),
        }
    }
    let runs: Vec<LabelledRun<'_>> = read.iter().map(ReadRun::run).collect();
    if runs.is_empty() {
        return Err(nothing());
    }
    let trends = wanted.figure.as_ref().map(|figure| over_time::follow(&runs, figure));
    print(&match (wanted.format, trends) {
        (HistoryFormat::Openmetrics, _) => {
            recording(&runs.iter().map(|run| run.summary).collect::<Vec<&RunSummary>>())
        }
        (HistoryFormat::Json, None) => json(&serde_json::json!({ "runs": over_time::list(&runs) })),
        (HistoryFormat::Json, Some(trends)) => json(&serde_json::json!({ "trends": trends })),
        (HistoryFormat::Table, None) => {
            render_table(&over_time::listing(&over_time::list(&runs)), style(wanted.no_color))
        }
        (HistoryFormat::Table, Some(trends)) if trends.is_empty() => {
            return Err(Failure::usage(anyhow::anyhow!("none of these runs has that figure"))
                .help("rig report RUN --format csv has a column for each figure of a run"));
        }
        (HistoryFormat::Table, Some(trends)) => {
            let tables =
                trends.iter().map(|trend| render_table(&over_time::table(trend), style(wanted.no_color)));
            tables.collect::<Vec<_>>().join("\n")
        }
    })?;
    Ok(Exit::Held)
}

/// Of each wanted scenario the last runs, in the order of `paths`.
fn last_of_each<'p>(paths: &'p [PathBuf], wanted: &History) -> Vec<&'p PathBuf> {
    let is_wanted = |path: &&PathBuf| {
        wanted.scenarios.is_empty() || wanted.scenarios.iter().any(|name| scenario(path) == Some(name))
    };
    let found: Vec<&PathBuf> = paths.iter().filter(is_wanted).collect();
    let later =
        |place: usize| found[place + 1..].iter().filter(|it| scenario(it) == scenario(found[place])).count();
    let is_last = |place: &usize| wanted.last.is_none_or(|last| later(*place) < last);
    (0..found.len()).filter(is_last).map(|place| found[place]).collect()
}

/// The scenario of the run at `path`, as directories say it.
fn scenario(path: &Path) -> Option<&str> {
    path.parent()?.file_name()?.to_str()
}

fn json(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}
