//! What can go wrong with files; every error names the path.

use std::io;
use std::path::{Path, PathBuf};

/// Why results could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or directory could not be written, e.g. because the disk is full.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or directory could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A directory isn't that of a run.
    #[error("{} is not a saved run: {missing} is missing", path.display())]
    NotARun {
        /// The directory.
        path: PathBuf,
        /// The file that a run would have.
        missing: &'static str,
    },
    /// A run holds nothing of that cell.
    #[error("{} has no cell {cell}", path.display())]
    NoSuchCell {
        /// The run.
        path: PathBuf,
        /// The cell's name.
        cell: String,
    },
    /// A file does not hold what its name says.
    #[error("{}:{line}: {reason}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The run was saved in another version of the format.
    #[error("{}: schema {found}, but this rig reads schema {wanted}", path.display())]
    Schema {
        /// The file of the plan or the summary.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version that this rig reads.
        wanted: u32,
    },
    /// A name that would leave the results directory, or a time that isn't one.
    #[error("`{found}` cannot be used as {wanted}")]
    Name {
        /// What it was meant to be.
        wanted: &'static str,
        /// The text.
        found: String,
    },
    /// Too many runs were begun within one second.
    #[error("{} exists, and so do its numbered successors", path.display())]
    TooManyRuns {
        /// The directory of the first of them.
        path: PathBuf,
    },
}

impl StoreError {
    /// For `map_err`: writing `path` failed.
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.to_path_buf();
        move |source| StoreError::Write { path, source }
    }

    /// For `map_err`: reading `path` failed.
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.to_path_buf();
        move |source| StoreError::Read { path, source }
    }
}
