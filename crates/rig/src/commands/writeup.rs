//! `rig writeup`: a page about what runs showed.

use report::document::Detail;
use report::run::LabelledRun;
use report::{render_page, writeup};

use super::planning::bundled_plans;
use super::saved;
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
    let bundled = bundled_plans()?;
    let detail = if wanted.full { Detail::Full } else { Detail::Brief };
    print(&render_page(&writeup::compose(&runs, &bundled, detail)))?;
    Ok(Exit::Held)
}
