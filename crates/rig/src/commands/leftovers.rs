//! What killed runs left in a results directory: the directories in which components worked.

use std::fs;
use std::path::{Path, PathBuf};

use engine::host::owner::{OwnerState, state_of};
use store::{CellDir, StoreError, unfinished};

/// How the homes of `rig up` begin, below the results.
pub(super) const UP: &str = "up-";

/// Files of a run, live or dead.
pub(super) enum Leftover {
    /// A cell whose components' directory still exists.
    Cell(CellDir),
    /// The files of a `rig up`.
    Up(PathBuf),
}

impl Leftover {
    /// The directory that is useless once its owner is gone.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Leftover::Cell(cell) => cell.scratch(),
            Leftover::Up(home) => home.clone(),
        }
    }

    /// Whether its owner lives.
    pub(super) fn owner_state(&self) -> OwnerState {
        match (state_of(&self.path()), self) {
            // It names no owner: its rig was killed before it could, or was an older version.
            (OwnerState::Unknown, Leftover::Cell(cell)) if !names_an_owner(&self.path()) => {
                if is_open(&cell.history()) { OwnerState::Lives } else { OwnerState::Gone }
            }
            (state, _) => state,
        }
    }

    /// Removes it, after moving its records to the cell's results.
    pub(super) fn remove(&self) -> anyhow::Result<()> {
        match self {
            Leftover::Cell(cell) => engine::salvage::keep(cell)?,
            Leftover::Up(home) => fs::remove_dir_all(home)?,
        }
        Ok(())
    }
}

/// All of them in `results`, also those of live runs.
pub(super) fn all(results: &Path) -> Result<Vec<Leftover>, StoreError> {
    let mut found: Vec<Leftover> = unfinished(results)?.into_iter().map(Leftover::Cell).collect();
    let entries = fs::read_dir(results).into_iter().flatten().flatten();
    let ups = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(UP) && names_an_owner(&entry.path()));
    found.extend(ups.map(|entry| Leftover::Up(entry.path())));
    Ok(found)
}

/// Those in `results` whose owner is gone.
pub(super) fn dead(results: &Path) -> Vec<Leftover> {
    // Commands that need to read it report the error.
    let all = all(results).unwrap_or_default();
    all.into_iter().filter(|leftover| leftover.owner_state() == OwnerState::Gone).collect()
}

fn names_an_owner(directory: &Path) -> bool {
    directory.join("owner").is_file()
}

/// Whether a process of this user has `file` open: rig keeps a cell's history open as long as the cell lives.
fn is_open(file: &Path) -> bool {
    let Ok(file) = fs::canonicalize(file) else { return false };
    let names_it = |descriptor: fs::DirEntry| fs::read_link(descriptor.path()).is_ok_and(|open| open == file);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    // Other users' processes can't be read, and a process may end meanwhile.
    let tables = processes.filter_map(|process| fs::read_dir(process.path().join("fd")).ok());
    tables.flatten().flatten().any(names_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_open_while_somebody_has_it_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.ndjson");
        let file = fs::File::create(&path).unwrap();
        assert!(is_open(&path));
        drop(file);
        assert!(!is_open(&path));
    }

    #[test]
    fn what_a_living_rig_uses_is_spared_and_what_a_dead_one_left_is_removed() {
        let results = tempfile::tempdir().unwrap();
        let [living, dead] = ["nginx.a.1", "nginx.b.1"].map(|cell| {
            let cell = results.path().join("drain/20261122T135148Z/cells").join(cell);
            fs::create_dir_all(cell.join("run/web-1.1")).unwrap();
            let line = "{\"received\":{\"n\":0,\"id\":7,\"at\":5}}\n";
            fs::write(cell.join("run/web-1.1/ledger.ndjson"), line).unwrap();
            cell
        });
        engine::host::owner::mark(&living.join("run")).unwrap();
        let found = super::dead(results.path());
        assert_eq!(found.iter().map(Leftover::path).collect::<Vec<_>>(), [dead.join("run")]);
        found[0].remove().unwrap();
        assert!(!dead.join("run").exists());
        let ledger = fs::File::open(dead.join("ledger.ndjson.zst")).unwrap();
        let ledger = std::io::read_to_string(zstd::Decoder::new(ledger).unwrap()).unwrap();
        assert_eq!(ledger.lines().count(), 1);
        assert!(super::dead(results.path()).is_empty());
        assert!(living.join("run").exists());
    }
}
