//! Cells whose components had no end: they run, or rig was killed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cell::CellDir;
use crate::error::StoreError;
use crate::run::CELLS;

/// Every cell below `results` whose components' directory ([`CellDir::scratch`]) is still there, in the order of
/// paths. Links such as `latest` are not followed. Without `results` there is none.
///
/// # Errors
/// A directory that can't be read.
pub fn unfinished(results: &Path) -> Result<Vec<CellDir>, StoreError> {
    let mut found = Vec::new();
    for scenario in directories(results)? {
        for run in directories(&scenario)? {
            let cells = directories(&run.join(CELLS))?;
            found.extend(cells.into_iter().map(CellDir::at).filter(|cell| cell.scratch().is_dir()));
        }
    }
    Ok(found)
}

/// The directories in `path`, in order; none if it isn't there.
pub(crate) fn directories(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::read(path)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::read(path))?;
        if entry.file_type().map_err(StoreError::read(path))?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_did_not_end_are_found_once_and_those_that_did_are_not() {
        let results = tempfile::tempdir().unwrap();
        assert!(unfinished(&results.path().join("nowhere")).unwrap().is_empty());
        let run = results.path().join("drain/20261122T135148Z");
        let killed = run.join("cells/nginx.with-drain.1");
        fs::create_dir_all(killed.join("run/balancer")).unwrap();
        fs::create_dir_all(run.join("cells/nginx.with-drain.2/config")).unwrap();
        fs::write(results.path().join("README.md"), "").unwrap();
        std::os::unix::fs::symlink("20261122T135148Z", results.path().join("drain/latest")).unwrap();
        let paths: Vec<PathBuf> =
            unfinished(results.path()).unwrap().iter().map(|cell| cell.path().to_owned()).collect();
        assert_eq!(paths, [killed]);
    }
}
