//! `rig completions`: the completion script for a shell.

use clap::CommandFactory;

use crate::cli::{Cli, Completions};
use crate::exit::{Exit, Failure, print};

/// Prints the script.
pub(crate) fn perform(wanted: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(wanted.shell, &mut Cli::command(), "rig", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Held)
}
