//! Why a program can't be used.

use std::path::PathBuf;

use super::named::SETTINGS;
use super::{Program, ProgramVersion};
use crate::help::Help;

/// Why a program can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// Its executable isn't there.
    #[error(
        "{0} is not installed: no `{0}` on PATH, in a system directory or in tools/bin of rig's own checkout{because}{skipped}",
        program.executable,
        because = program.needed_because.map_or_else(String::new, |because| format!(", and {because}"))
    )]
    Missing {
        /// Which.
        program: &'static Program,
        /// Executables that could be somebody else's, in words.
        skipped: String,
    },
    /// No executable of it is of the version that is asked for.
    #[error("{wanted} is not installed: {}", if others.is_empty() { format!("no `{}` was found", wanted.program.executable) } else { others.join("; ") })]
    NoSuchVersion {
        /// What is asked for.
        wanted: ProgramVersion,
        /// Those that were found, each with its version.
        others: Vec<String>,
    },
    /// Its executable does not run.
    #[error("`{}` does not run as {}: {reason}", binary.display(), program.executable)]
    Broken {
        /// Which.
        program: &'static Program,
        /// Its executable, or its image.
        binary: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Help for ProgramError {
    fn help(&self) -> Option<String> {
        match self {
            ProgramError::Missing { program, .. } => Some(format!(
                "run `make setup`, or set {}=/path/to/{}",
                ProgramVersion::from(*program).variable(),
                program.executable
            )),
            ProgramError::NoSuchVersion { wanted, .. } => Some(format!(
                "name it: --program {wanted}=/path/to/{}, or {}=…, or `programs` in {SETTINGS}",
                wanted.program.executable,
                wanted.variable()
            )),
            ProgramError::Broken { .. } => None,
        }
    }
}
