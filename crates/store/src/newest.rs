//! The runs below a directory of results: all of them, and the newest of each scenario.

use std::path::{Path, PathBuf};

use crate::error::StoreError;
use crate::run::{LATEST, PLAN};
use crate::unfinished::directories;

/// The newest run of each scenario below `results`, in the order of names: the one that `latest` points to, else the last by
/// its time. Without `results` there is none.
///
/// # Errors
/// A directory that can't be read.
pub fn newest(results: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    for scenario in directories(results)? {
        let latest = scenario.join(LATEST);
        let runs = directories(&scenario)?;
        // Names sort by time.
        found.extend(
            std::iter::once(latest).chain(runs.into_iter().rev()).find(|run| run.join(PLAN).is_file()),
        );
    }
    Ok(found)
}

/// Every run below `results`, by scenario and time. Links such as `latest` are not followed. Without `results` there is
/// none.
///
/// # Errors
/// A directory that can't be read.
pub fn runs(results: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    for scenario in directories(results)? {
        found.extend(directories(&scenario)?.into_iter().filter(|run| run.join(PLAN).is_file()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_link_wins_and_without_it_the_last_run_that_is_one() {
        let results = tempfile::tempdir().unwrap();
        assert!(newest(&results.path().join("nowhere")).unwrap().is_empty());
        for run in ["a/20260101T000000Z", "a/20260102T000000Z", "b/20260101T000000Z", "b/20260102T000000Z"] {
            fs::create_dir_all(results.path().join(run)).unwrap();
            fs::write(results.path().join(run).join(PLAN), "{}").unwrap();
        }
        fs::create_dir_all(results.path().join("b/20260103T000000Z")).unwrap();
        fs::create_dir_all(results.path().join("empty")).unwrap();
        std::os::unix::fs::symlink("20260101T000000Z", results.path().join("a/latest")).unwrap();
        let expected = ["a/latest", "b/20260102T000000Z"].map(|path| results.path().join(path));
        assert_eq!(newest(results.path()).unwrap(), expected);
        let all = ["a/20260101T000000Z", "a/20260102T000000Z", "b/20260101T000000Z", "b/20260102T000000Z"];
        assert_eq!(runs(results.path()).unwrap(), all.map(|path| results.path().join(path)));
        assert!(runs(&results.path().join("nowhere")).unwrap().is_empty());
    }
}
