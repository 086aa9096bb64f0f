//! `rig doctor`: what rig can run on this machine, and how to fix what it can't.

mod containers;
mod results;
mod view;

use std::path::Path;

use engine::checkup::Check;
use engine::components::programs;
use engine::host::checkup::{loopback, machine};
use engine::program::{Program, installed};

use super::judged::style;
use crate::cli::{Doctor, ListFormat, RESULTS};
use crate::environment;
use crate::exit::{Exit, Failure, print};
use crate::interrupt;
use crate::progress::{Preparation, Show};

/// Checks that belong together.
#[derive(Debug)]
struct CheckSection {
    /// Its name for programs.
    name: &'static str,
    /// Its title for people.
    title: &'static str,
    /// The balancers that it can run, if it is a runtime.
    runs: Option<Vec<&'static str>>,
    checks: Vec<Check>,
}

/// Everything that was checked.
#[derive(Debug)]
struct Checkup {
    /// Whether at least one runtime can run at least one balancer.
    can_run: bool,
    sections: Vec<CheckSection>,
}

/// Checks, and prints the findings.
pub(crate) fn perform(wanted: &Doctor) -> Result<Exit, Failure> {
    // One thread: the kernel ties the children's lives to the thread that spawns them.
    let controller =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::environment)?;
    let checkup = controller.block_on(async {
        let mut interrupted = interrupt::requested()?;
        tokio::select! {
            checkup = checkup(Path::new(RESULTS)) => checkup.map(Some),
            _ = interrupted.wait_for(|stop| *stop) => Ok(None),
        }
    })?;
    let Some(checkup) = checkup else { return Ok(Exit::Interrupted) };
    print(&match wanted.format {
        ListFormat::Table => view::render(&checkup, style(wanted.no_color)),
        ListFormat::Json => json(&checkup),
    })?;
    Ok(if checkup.can_run { Exit::Held } else { Exit::Environment })
}

fn json(checkup: &Checkup) -> String {
    let section = |section: &CheckSection| serde_json::json!({ "name": section.name, "runs": section.runs, "checks": section.checks });
    let sections: Vec<_> = checkup.sections.iter().map(section).collect();
    format!("{:#}\n", serde_json::json!({ "can_run": checkup.can_run, "sections": sections }))
}

async fn checkup(results: &Path) -> Result<Checkup, Failure> {
    let executable = std::env::current_exe().map_err(Failure::environment)?;
    // As `rig run` does, so that the limits are the same.
    environment::raise_open_files();
    let sections = vec![
        CheckSection { name: "machine", title: "This machine", runs: None, checks: machine() },
        processes().await,
        {
            let progress = Preparation::begin(Show::for_stderr(false), "containers");
            containers::section(executable, results, &|words| progress.tell(words)).await
        },
        results::section(results),
    ];
    let can_run = sections.iter().filter_map(|section| section.runs.as_ref()).any(|runs| !runs.is_empty());
    Ok(Checkup { can_run, sections })
}

async fn processes() -> CheckSection {
    let loopback = loopback();
    let executables = installed::checks(programs()).await;
    let runs = if loopback.has_failed() { Vec::new() } else { usable(&executables) };
    let checks = executables.into_iter().map(|(_, check)| check).chain([loopback]).collect();
    CheckSection { name: "process", title: "Process runtime", runs: Some(runs), checks }
}

/// Of what every scenario needs one of, the balancers: those whose checks have not failed.
fn usable(checks: &[(&'static Program, Check)]) -> Vec<&'static str> {
    let able =
        checks.iter().filter(|(program, check)| program.needed_because.is_none() && !check.has_failed());
    able.map(|(program, _)| program.name).collect()
}
