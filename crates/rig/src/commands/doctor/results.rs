//! Where results go: room for more, and what killed runs have left.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use engine::checkup::Check;
use rustix::fs::{Access, access, statvfs};
use store::{CellDir, unfinished};

use super::Section;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// Checks the results' directory.
pub(super) fn section(results: &Path) -> Section {
    let mut checks = vec![place(results)];
    match unfinished(results) {
        Ok(cells) => checks.extend(leftovers(&cells)),
        Err(error) => checks.push(Check::broken(
            "killed runs",
            &error,
            "ls -l results/*/*/cells   # shows whose they are",
        )),
    }
    Section { name: "results", title: "Results", runs: None, checks }
}

/// `path`, or the nearest directory above it that is there.
pub(super) fn nearest(path: &Path) -> &Path {
    let there = path.ancestors().find(|above| above.is_dir());
    // The last ancestor of a relative path is empty, and means the current directory.
    there.unwrap_or(Path::new("."))
}

fn place(results: &Path) -> Check {
    let there = nearest(results);
    let named = std::path::absolute(results).unwrap_or_else(|_| results.to_owned());
    let named = named.display();
    if let Err(error) = access(there, Access::WRITE_OK) {
        let fix = "rig run SCENARIO --out DIR   # a directory that you may write to";
        return Check::failed("directory", format!("{named} can't be written: {error}"), fix);
    }
    match statvfs(there) {
        Ok(disk) => room(&format!("{named}: "), disk.f_bavail.saturating_mul(disk.f_frsize)),
        Err(error) => Check::not_checked("directory", format!("{named}: {error}")),
    }
}

/// By the bytes that are free.
fn room(named: &str, free: u64) -> Check {
    let found = format!("{named}{} are free", size(free));
    if free < GIB {
        Check::limits("directory", found, "du -sh results/*/* | sort -h   # shows which runs to delete")
    } else {
        Check::ok("directory", found)
    }
}

fn leftovers(cells: &[CellDir]) -> Vec<Check> {
    let name = "killed runs";
    let checks: Vec<Check> = cells.iter().filter_map(|cell| leftover(name, cell)).collect();
    if checks.is_empty() { vec![Check::ok(name, "no cell has files of its components left")] } else { checks }
}

/// `None`: the cell is live.
fn leftover(name: &str, cell: &CellDir) -> Option<Check> {
    let scratch = cell.scratch();
    let found = format!("{}: {}", scratch.display(), size(bytes(&scratch)));
    let user = rustix::process::geteuid();
    let owner = fs::metadata(&scratch).ok()?.uid();
    if !user.is_root() && owner != user.as_raw() {
        let why = format!("{found}, of another user (id {owner}): whether that run is live can't be seen");
        return Some(Check::not_checked(name, why));
    }
    if is_open(&cell.history()) {
        return None;
    }
    let fix = format!("rm -r '{}'", scratch.display().to_string().replace('\'', r"'\''"));
    Some(Check::limits(name, found, fix))
}

/// Whether a process of this user has `file` open: rig keeps a cell's history open as long as the cell lives.
fn is_open(file: &Path) -> bool {
    let Ok(file) = fs::canonicalize(file) else { return false };
    let names_it = |descriptor: fs::DirEntry| fs::read_link(descriptor.path()).is_ok_and(|open| open == file);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    // Processes of other users tell nothing, and one may end while one looks.
    let tables = processes.filter_map(|process| fs::read_dir(process.path().join("fd")).ok());
    tables.flatten().flatten().any(names_it)
}

/// Bytes in files below `directory`; what can't be read counts nothing.
fn bytes(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let path: PathBuf = entry.path();
            let meta = entry.metadata().ok()?;
            Some(if meta.is_dir() { bytes(&path) } else { meta.len() })
        })
        .sum()
}

fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= GIB => format!("{:.1} GiB", bytes as f64 / GIB as f64),
        bytes if bytes >= MIB => format!("{:.1} MiB", bytes as f64 / MIB as f64),
        bytes => format!("{:.1} KiB", bytes as f64 / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::checkup::State;

    #[test]
    fn less_than_a_gibibyte_is_little() {
        assert_eq!(room("", GIB).state, State::Ok);
        let little = room("results: ", GIB - 1);
        assert_eq!(little.state, State::Limits);
        assert_eq!(little.found, "results: 1024.0 MiB are free");
    }

    #[test]
    fn a_directory_that_is_not_there_yet_is_judged_by_the_one_above() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(nearest(&directory.path().join("a/b")), directory.path());
        assert_eq!(nearest(Path::new("nonexistent")), Path::new("."));
    }

    #[test]
    fn a_file_is_open_while_somebody_has_it_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.ndjson");
        let file = fs::File::create(&path).unwrap();
        assert!(is_open(&path));
        drop(file);
        assert!(!is_open(&path));
    }
}
