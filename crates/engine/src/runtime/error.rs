//! Why a runtime could not do what it was asked to.

use super::docker::DockerError;
use crate::help::Help;
use crate::host::HostError;
use crate::program::ProgramError;

/// Why a runtime could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// This machine refused something.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A program can't be used.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A Docker engine, or what should run on it, could not be had.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// A program could not be launched.
    #[error("{component} could not be launched: {source}")]
    Launch {
        /// Which component.
        component: String,
        /// Why.
        source: std::io::Error,
    },
    /// The runtime can't do it; a plan that needs it is not run.
    #[error("`{verb}` is not possible on {of}: {reason}")]
    Incapable {
        /// The verb.
        verb: &'static str,
        /// The pod.
        of: String,
        /// Why.
        reason: &'static str,
    },
    /// A component's processes could not be ended.
    #[error("processes that a component left behind can't be ended: {pids:?}")]
    LeftBehind {
        /// Which.
        pids: Vec<i32>,
    },
}

impl RuntimeError {
    /// Whether a program is not there, rather than broken.
    pub fn is_absence(&self) -> bool {
        matches!(
            self,
            RuntimeError::Program(ProgramError::Missing { .. } | ProgramError::NoSuchVersion { .. })
                | RuntimeError::Docker(DockerError::NoImage { .. })
        )
    }
}

impl Help for RuntimeError {
    fn help(&self) -> Option<String> {
        match self {
            RuntimeError::Host(error) => error.help(),
            RuntimeError::Program(error) => error.help(),
            RuntimeError::Docker(error) => error.help(),
            RuntimeError::Launch { .. }
            | RuntimeError::Incapable { .. }
            | RuntimeError::LeftBehind { .. } => None,
        }
    }
}
