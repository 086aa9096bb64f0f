//! One file per command.

mod agent;
mod clean;
mod compare;
mod completions;
mod doctor;
mod images;
mod judged;
mod leftovers;
mod list;
mod man;
mod render;
mod report;
mod reproduce;
mod run;
mod runbook;
mod runtime;
mod saved;
mod schema;
mod up;
mod validate;
mod writeup;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use engine::templates::Templates;
use model::plan::Plan;
use model::scenario::{Choice, LONGEST_FILE, Problems, Scenario, Set};

use crate::bundled;
use crate::cli::{Cli, Command};
use crate::exit::{Failure, LaidOut, with_causes};
use crate::trace;

/// Runs the command.
pub(crate) fn perform(cli: Cli) -> Result<ExitCode, Failure> {
    trace::begin();
    let exit = match cli.command {
        Command::Run(wanted) => run::perform(&wanted)?,
        Command::Validate(wanted) => validate::perform(&wanted)?,
        Command::Render(wanted) => render::perform(&wanted)?,
        Command::Up(wanted) => up::perform(&wanted)?,
        Command::Report(wanted) => report::perform(&wanted)?,
        Command::Compare(wanted) => compare::perform(&wanted)?,
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

/// A scenario to run, and how the user asked for it.
struct Planned {
    /// As the user wrote it.
    path: PathBuf,
    /// The changes by --set.
    sets: Vec<Set>,
    /// The chosen balancers, variants and repeats.
    choice: Choice,
    document: Scenario,
    plan: Plan,
}

/// The templates in `directory`, and built-in ones for those that it lacks.
fn templates(directory: Option<&Path>) -> Result<Templates, Failure> {
    directory.map_or_else(|| Ok(Templates::embedded()), Templates::with_directory).map_err(Failure::usage)
}

/// Reads scenarios and builds their plans; reports the problems of all of them at once.
fn plans(paths: &[PathBuf], sets: &[Set], choice: &Choice) -> Result<Vec<Planned>, Failure> {
    let (mut plans, mut broken) = (Vec::new(), Vec::new());
    for path in paths {
        match plan(path, sets, choice) {
            Ok((document, plan)) => {
                let (path, sets, choice) = (path.clone(), sets.to_vec(), choice.clone());
                plans.push(Planned { path, sets, choice, document, plan });
            }
            Err(failure) => broken.push(with_causes(&failure.error)),
        }
    }
    if broken.is_empty() { Ok(plans) } else { Err(Failure::usage(LaidOut(broken.join("\n\n")))) }
}

/// Reads a scenario and builds its plan.
fn plan(path: &Path, sets: &[Set], choice: &Choice) -> Result<(Scenario, Plan), Failure> {
    let (name, text) = text(path)?;
    let scenario = Scenario::parse(&name, &text, sets).map_err(|found| problems(&found))?;
    let plan =
        Plan::build(&scenario, &engine::balancer::catalog(), choice).map_err(|found| problems(&found))?;
    Ok((scenario, plan))
}

/// The text of the file at `path`, or of the bundled scenario of that name, and its name for messages.
fn text(path: &Path) -> Result<(String, String), Failure> {
    let bytes = match (store::read_bounded(path, LONGEST_FILE as u64), bundled::find(path)) {
        (Ok(bytes), _) => bytes,
        (Err(_), Some((name, text))) => return Ok((format!("{name} (bundled)"), text.to_owned())),
        (Err(error), None) => {
            let mut message = format!("the scenario {} can't be read: {error}", path.display());
            if path.components().count() == 1 && path.extension().is_none() {
                message += "\n  help: `rig list` shows the names of the bundled scenarios";
            }
            return Err(Failure::usage(anyhow::anyhow!(message)));
        }
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::usage(anyhow::anyhow!("{} is not valid UTF-8 at byte {at}", path.display()))
    })?;
    Ok((path.display().to_string(), text))
}

fn problems(problems: &Problems) -> Failure {
    let text = if wants_colour() { problems.coloured() } else { problems.to_string() };
    Failure::usage(LaidOut(text))
}

/// Whether standard error is a terminal whose user has not declined colours.
pub(crate) fn wants_colour() -> bool {
    use std::io::IsTerminal;
    let declined = std::env::var_os("NO_COLOR").is_some() || std::env::args_os().any(|a| a == "--no-color");
    std::io::stderr().is_terminal() && !declined
}
