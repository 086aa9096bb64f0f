//! The results directory: free space, and what killed runs left.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use engine::checkup::Check;
use engine::host::owner::OwnerState;
use engine::room::{free_disk, nearest, size};
use rustix::fs::{Access, access};

use super::super::leftovers::{self, Leftover};
use super::CheckSection;

const GIB: u64 = 1 << 30;

/// Checks the results' directory.
pub(super) fn section(results: &Path) -> CheckSection {
    let mut checks = vec![place(results)];
    match leftovers::all(results) {
        Ok(found) => checks.extend(listed(results, &found)),
        Err(error) => checks.push(Check::failed(
            "killed runs",
            error.to_string(),
            "ls -l results/*/*/cells   # shows who owns them",
        )),
    }
    CheckSection { name: "results", title: "Results", runs: None, checks }
}

fn place(results: &Path) -> Check {
    let there = nearest(results);
    let named = std::path::absolute(results).unwrap_or_else(|_| results.to_owned());
    let named = named.display();
    if let Err(error) = access(there, Access::WRITE_OK) {
        let fix = "rig run SCENARIO --out DIR   # a directory that you may write to";
        return Check::failed("directory", format!("{named} can't be written: {error}"), fix);
    }
    match free_disk(there) {
        Some(free) => room(&format!("{named}: "), free),
        None => Check::not_checked("directory", format!("{named}: the system does not say what is free")),
    }
}

/// Judges the free bytes.
fn room(named: &str, free: u64) -> Check {
    let found = format!("{named}{} free", size(free));
    if free < GIB {
        Check::limits("directory", found, "du -sh results/*/* | sort -h   # shows which runs to delete")
    } else {
        Check::ok("directory", found)
    }
}

fn listed(results: &Path, leftovers: &[Leftover]) -> Vec<Check> {
    let name = "killed runs";
    let checks: Vec<Check> = leftovers.iter().filter_map(|it| leftover(name, results, it)).collect();
    if checks.is_empty() { vec![Check::ok(name, "none has left files")] } else { checks }
}

/// `None`: its owner lives.
fn leftover(name: &str, results: &Path, leftover: &Leftover) -> Option<Check> {
    let path = leftover.path();
    let found = format!("{}: {}", path.display(), size(bytes(&path)));
    let user = rustix::process::geteuid();
    let owner = fs::metadata(&path).ok()?.uid();
    if !user.is_root() && owner != user.as_raw() {
        let why = format!("{found}, owned by user {owner}: can't tell whether that run is live");
        return Some(Check::not_checked(name, why));
    }
    let unseen = match leftover.owner_state() {
        OwnerState::Lives => return None,
        OwnerState::Gone => "",
        OwnerState::Unknown => " --unseen",
    };
    let out = results.display().to_string().replace('\'', r"'\''");
    Some(Check::limits(name, found, format!("rig clean --out '{out}'{unseen}")))
}

/// Bytes in files below `directory`; unreadable files count as nothing.
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

#[cfg(test)]
mod tests {
    use super::*;
    use engine::checkup::CheckState;

    #[test]
    fn less_than_a_gibibyte_is_little() {
        assert_eq!(room("", GIB).state, CheckState::Ok);
        let little = room("results: ", GIB - 1);
        assert_eq!(little.state, CheckState::Limits);
        assert_eq!(little.found, "results: 1024.0 MiB free");
    }
}
