//! `rig writeup`: a page about what runs showed.

use model::plan::SavedPlan;
use model::scenario::Choice;
use report::document::Detail;
use report::run::LabelledRun;
use report::{render_page, writeup};

use super::planning::plan;
use super::saved;
use crate::bundled;
use crate::cli::Writeup;
use crate::exit::{Exit, Failure, print};

/// Prints the write-up.
pub(crate) fn perform(wanted: &Writeup) -> Result<Exit, Failure> {
    let read = saved::read(&wanted.runs)?;
    if read.is_empty() {
        return Err(Failure::usage(anyhow::anyhow!("there is no run in results/ yet"))
            .help("rig run scenarios/*.yaml, or name the directories of runs"));
    }
    let runs: Vec<LabelledRun<'_>> = read.iter().map(saved::ReadRun::run).collect();
    let of_bundled =
        |(name, _): &(&str, &str)| Ok((*plan(name.as_ref(), &[], &Choice::default())?.1).clone());
    let bundled = bundled::all().iter().map(of_bundled).collect::<Result<Vec<SavedPlan>, Failure>>()?;
    let detail = if wanted.full { Detail::Full } else { Detail::Brief };
    print(&render_page(&writeup::compose(&runs, &bundled, detail)))?;
    Ok(Exit::Held)
}
