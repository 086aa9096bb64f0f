//! What the scratch files of a cell hold whose rig was killed: they are read as they would have been at the cell's end.

use std::path::{Path, PathBuf};

use model::component::Component;
use model::identity::Incarnation;
use model::ledger::Execution;
use store::CellDir;

use crate::cell::{CellError, read_ledger};
use crate::program::{STDERR_FILE, STDOUT_FILE};

/// What backends of the cell received and finished, as far as they wrote it.
///
/// # Errors
/// A ledger that can't be read.
pub fn executions(dir: &CellDir) -> Result<Vec<Execution>, CellError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir.scratch()).into_iter().flatten().flatten() {
        // The directory of `web-1/2` is `web-1.2`.
        let name = entry.file_name().to_string_lossy().into_owned();
        let incarnation = name
            .rsplit_once('.')
            .and_then(|(backend, generation)| Some(Incarnation::new(backend, generation.parse().ok()?)));
        let ledger = entry.path().join("ledger.ndjson");
        if let Some(incarnation) = incarnation.filter(|_| ledger.is_file()) {
            found.extend(read_ledger(&incarnation, &ledger)?.executions);
        }
    }
    found.sort_by_key(|execution| execution.received);
    Ok(found)
}

/// Moves what is worth keeping from the cell's scratch files to its records, and removes the rest, keys included.
///
/// # Errors
/// Files that can't be read, written or removed.
pub fn keep(dir: &CellDir) -> Result<(), CellError> {
    if !dir.has_ledger() {
        dir.write_ledger(&executions(dir)?)?;
    }
    let balancer = dir.scratch().join(Component::Balancer.to_string());
    let from = |name: &str| balancer.join(name);
    let log = from("access.log");
    if log.is_file() && !dir.access_log().exists() {
        dir.keep_access_log(&log)?;
    }
    for (from, to) in
        [(from(STDOUT_FILE), dir.path().join(STDOUT_FILE)), (from(STDERR_FILE), dir.balancer_log())]
    {
        copy_if_new(&from, &to)?;
    }
    std::fs::remove_dir_all(dir.scratch()).map_err(CellError::file(dir.scratch()))
}

fn copy_if_new(from: &Path, to: &PathBuf) -> Result<(), CellError> {
    match from.is_file() && !to.exists() {
        true => std::fs::copy(from, to).map(drop).map_err(CellError::file(to)),
        false => Ok(()),
    }
}
