//! One file per command.

mod agent;
mod judged;
mod render;
mod report;
mod run;
mod validate;

use std::path::Path;
use std::process::ExitCode;

use model::plan::Plan;
use model::scenario::{Choice, Problems, Scenario, Set};

use crate::cli::{Cli, Command};
use crate::exit::Failure;
use crate::trace;

/// Performs what the command line says.
pub(crate) fn perform(cli: Cli) -> Result<ExitCode, Failure> {
    trace::begin();
    let exit = match cli.command {
        Command::Run(wanted) => run::perform(&wanted)?,
        Command::Validate(wanted) => validate::perform(&wanted)?,
        Command::Render(wanted) => render::perform(&wanted)?,
        Command::Report(wanted) => report::perform(&wanted)?,
        Command::Agent(wanted) => return agent::perform(wanted),
    };
    Ok(exit.into())
}

/// Reads a scenario and builds its plan.
fn plan(path: &Path, sets: &[Set], choice: &Choice) -> Result<(Scenario, Plan), Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::usage(anyhow::anyhow!("the scenario {} can't be read: {error}", path.display()))
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::usage(anyhow::anyhow!("{}: byte {at} is no UTF-8", path.display()))
    })?;
    let scenario =
        Scenario::parse(&path.display().to_string(), &text, sets).map_err(|found| problems(&found))?;
    let plan =
        Plan::build(&scenario, &engine::balancer::catalog(), choice).map_err(|found| problems(&found))?;
    Ok((scenario, plan))
}

fn problems(problems: &Problems) -> Failure {
    let text = if wants_colour() { problems.coloured() } else { problems.to_string() };
    Failure::usage(anyhow::anyhow!(text))
}

/// Whether standard error is a terminal whose user has not declined colours.
fn wants_colour() -> bool {
    use std::io::IsTerminal;
    let declined = std::env::var_os("NO_COLOR").is_some() || std::env::args_os().any(|a| a == "--no-color");
    std::io::stderr().is_terminal() && !declined
}
