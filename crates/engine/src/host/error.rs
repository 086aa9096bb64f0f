//! What this machine refuses.

use std::path::PathBuf;

use crate::help::Help;

/// Why something could not be had of this machine.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No free address for a component.
    #[error("{address} is taken by another program")]
    AddressBusy {
        /// The address.
        address: String,
        /// What to do.
        help: String,
    },
    /// The run's certificates could not be made.
    #[error("certificates could not be made: {0}")]
    Certificates(String),
}

impl HostError {
    /// For `map_err` on file operations.
    pub(crate) fn file<E: From<HostError>>(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> E {
        let path = path.into();
        move |source| HostError::File { path, source }.into()
    }
}

impl Help for HostError {
    fn help(&self) -> Option<String> {
        match self {
            HostError::AddressBusy { help, .. } => Some(help.clone()),
            HostError::File { .. } | HostError::Certificates(_) => None,
        }
    }
}
