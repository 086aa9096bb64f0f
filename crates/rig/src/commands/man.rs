//! `rig man`: the manual pages, from the same words as `--help`.

use anyhow::Context;
use clap::CommandFactory;

use crate::cli::{Cli, Man};
use crate::exit::{Exit, Failure};

/// Writes a page for rig and one for each command.
pub(crate) fn perform(wanted: &Man) -> Result<Exit, Failure> {
    let write = || {
        std::fs::create_dir_all(&wanted.directory)?;
        clap_mangen::generate_to(Cli::command(), &wanted.directory)
    };
    write()
        .with_context(|| format!("manual pages can't be written to {}", wanted.directory.display()))
        .map_err(Failure::environment)?;
    Ok(Exit::Held)
}
