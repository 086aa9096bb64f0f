//! The last lines of logs, for errors.

use std::path::PathBuf;

/// Bytes at the end of a log in which its last lines are looked for.
const LAST_BYTES: u64 = 64 << 10;

/// The last `count` lines of `files` together, each on an indented line of its own.
pub(super) fn last_lines(files: impl Iterator<Item = PathBuf>, count: usize) -> String {
    let ends = files.filter_map(|file| store::read_end(&file, LAST_BYTES).ok());
    let text: Vec<String> = ends.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    let lines: Vec<&str> = text.iter().flat_map(|text| text.lines()).collect();
    let last = lines[lines.len().saturating_sub(count)..].iter().map(|line| format!("    {line}"));
    last.collect::<Vec<_>>().join("\n")
}
