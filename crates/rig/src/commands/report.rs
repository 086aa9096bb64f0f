//! `rig report`: prints saved runs again, from their records or, where only that was kept, from their summary.

use std::path::Path;

use anyhow::Context;
use report::RunSummary;
use store::SavedRun;

use super::judged::{Judged, exit, judged, overview, rendered};
use crate::cli::Report;
use crate::exit::{Exit, Failure, print};

/// Prints the report and exits as the runs themselves did.
pub(crate) fn perform(wanted: &Report) -> Result<Exit, Failure> {
    let runs = wanted.runs.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    print(&match (runs.as_slice(), wanted.runs.as_slice()) {
        ([run], [path]) => rendered(run, path, &wanted.output),
        (several, _) => overview(several, &wanted.output)?,
    })?;
    Ok(runs.iter().map(|judged| exit(&judged.run, false)).max().unwrap_or(Exit::Held))
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
