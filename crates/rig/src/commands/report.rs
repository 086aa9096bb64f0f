//! `rig report`: a saved run, rendered again from its records.

use anyhow::Context;
use store::SavedRun;

use super::judged::{exit, judged, rendered};
use crate::cli::Report;
use crate::exit::{Exit, Failure, print};

/// Prints the report and ends as the run itself would have.
pub(crate) fn perform(wanted: &Report) -> Result<Exit, Failure> {
    let saved = SavedRun::open(&wanted.run)
        .with_context(|| format!("{} can't be reported", wanted.run.display()))
        .map_err(Failure::usage)?;
    let run = judged(&saved).map_err(Failure::environment)?;
    print(&rendered(&run, &wanted.output))?;
    Ok(exit(&run, false))
}
