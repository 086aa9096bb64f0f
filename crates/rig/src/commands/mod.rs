//! One file per command.

mod adopt;
mod agent;
mod cells;
mod clean;
mod compare;
mod completions;
mod doctor;
mod dossier;
mod history;
mod images;
mod judged;
mod leftovers;
mod list;
mod man;
mod planning;
mod render;
mod report;
mod reproduce;
mod run;
mod runbook;
mod runtime;
mod saved;
mod schema;
mod targets;
mod up;
mod validate;
mod watch;
mod writeup;

use std::path::Path;
use std::process::ExitCode;

use engine::program::named::take_over;

use crate::cli::{self, Cli, Command};
use crate::exit::Failure;
use crate::trace;

/// Runs the command.
pub(crate) fn perform(cli: Cli) -> Result<ExitCode, Failure> {
    trace::begin();
    if !matches!(cli.command, Command::Agent(_)) {
        take_over(&cli.programs, Path::new("")).map_err(Failure::usage)?;
    }
    let exit = match cli.command {
        Command::Run(wanted) => run::perform(&wanted)?,
        Command::Watch(wanted) => watch::perform(&wanted)?,
        Command::Validate(wanted) => validate::perform(&wanted)?,
        Command::Render(wanted) => render::perform(&wanted)?,
        Command::Adopt(wanted) => adopt::perform(&wanted)?,
        Command::Templates(cli::Templates::Eject(wanted)) => adopt::eject(&wanted)?,
        Command::Up(wanted) => up::perform(&wanted)?,
        Command::Report(wanted) => report::perform(&wanted)?,
        Command::Compare(wanted) => compare::perform(&wanted)?,
        Command::History(wanted) => history::perform(&wanted)?,
        Command::Dossier(wanted) => dossier::perform(&wanted)?,
        Command::Writeup(wanted) => writeup::perform(&wanted)?,
        Command::Runbook(wanted) => runbook::perform(&wanted)?,
        Command::Images(wanted) => images::perform(&wanted)?,
        Command::Doctor(wanted) => doctor::perform(&wanted)?,
        Command::List(wanted) => list::perform(&wanted)?,
        Command::Schema(wanted) => schema::perform(&wanted)?,
        Command::Completions(wanted) => completions::perform(&wanted)?,
        Command::Man(wanted) => man::perform(&wanted)?,
        Command::Clean(wanted) => clean::perform(&wanted)?,
        Command::Agent(wanted) => return agent::perform(wanted),
    };
    Ok(exit.into())
}
