//! `rig report`: prints saved runs again, from their records.

use std::path::Path;

use anyhow::Context;
use store::SavedRun;

use super::judged::{Judged, exit, judged, overview, rendered};
use crate::cli::Report;
use crate::exit::{Exit, Failure, print};

/// Prints the report and exits as the runs themselves did.
pub(crate) fn perform(wanted: &Report) -> Result<Exit, Failure> {
    let runs = wanted.runs.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    print(&match runs.as_slice() {
        [run] => rendered(run, &wanted.output),
        several => overview(several, &wanted.output)?,
    })?;
    Ok(runs.iter().map(|judged| exit(&judged.run, false)).max().unwrap_or(Exit::Held))
}

fn read(path: &Path) -> Result<Judged, Failure> {
    let saved = SavedRun::open(path)
        .with_context(|| format!("{} can't be reported", path.display()))
        .map_err(Failure::usage)?;
    judged(&saved).map_err(Failure::environment)
}
