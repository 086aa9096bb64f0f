//! Why a program can't be used.

use std::path::PathBuf;

use super::Program;
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
                program.variable(),
                program.executable
            )),
            ProgramError::Broken { .. } => None,
        }
    }
}
