//! Processes that are still there.

use std::path::Path;

/// Every process that works in `directory` or below, as its command line. All of rig's do; none changes it.
pub fn processes_below(directory: &Path) -> Vec<String> {
    let directory = directory.canonicalize().expect("the directory is there");
    std::fs::read_dir("/proc")
        .expect("/proc can be read")
        .flatten()
        .filter(|entry| entry.path().join("cwd").read_link().is_ok_and(|cwd| cwd.starts_with(&directory)))
        .map(|entry| {
            let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            format!("{} {}", entry.file_name().display(), String::from_utf8_lossy(&words).replace('\0', " "))
        })
        .collect()
}

/// Processes of the process groups `groups` (a balancer's workers are in its group) that still run.
pub fn alive(groups: &[u32]) -> Vec<String> {
    let stat = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    std::fs::read_dir("/proc")
        .expect("/proc can be read")
        .flatten()
        .filter_map(|entry| stat(entry.file_name().to_str()?))
        .filter(|stat| {
            // pid (comm) state ppid pgrp …; comm may hold anything, even parentheses.
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            let group = fields.get(2).and_then(|group| group.parse().ok()).unwrap_or(0);
            fields.first() != Some(&"Z") && groups.contains(&group)
        })
        .collect()
}
