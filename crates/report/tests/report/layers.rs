//! The stages of the report are folders, and each uses only itself and those before it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every folder, the first one first.
const STAGES: [&str; 6] = ["analysis", "measure", "figure", "judge", "compose", "dialect"];
/// What all of them may use: how numbers are written.
const BASE: &str = "numbers";

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every file below `directory`.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("it is there").flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// What follows `crate::` anywhere in `text`, comments and documentation aside: the first name of each path.
fn used(text: &str) -> BTreeSet<String> {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let code: String = code.collect::<Vec<_>>().join("\n");
    let first = |rest: &str| {
        rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '{').collect::<String>()
    };
    code.split("crate::").skip(1).map(first).collect()
}

#[test]
fn every_stage_uses_only_those_before_it() {
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (place, stage) in STAGES.into_iter().enumerate() {
        for path in files(&source().join(stage)) {
            for name in used(&fs::read_to_string(&path).unwrap()) {
                let known = STAGES.iter().position(|stage| *stage == name);
                let allowed = known.is_some_and(|used| used <= place) || name == BASE;
                assert!(allowed, "{} is in stage {stage}, and uses crate::{name}", path.display());
                seen.entry(stage).or_default().insert(name);
            }
        }
    }
    // Each stage but the first starts from one before it, or this test looks for the wrong thing.
    for stage in &STAGES[1..] {
        assert!(seen[stage].iter().any(|name| name != stage && name != BASE), "{stage} uses no other stage");
    }
    assert_eq!(used(&fs::read_to_string(source().join(format!("{BASE}.rs"))).unwrap()), BTreeSet::new());
}

#[test]
fn every_file_is_in_a_stage() {
    let entries = fs::read_dir(source()).unwrap().map(|entry| entry.unwrap());
    let mut found: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    found.sort();
    let mut expected: Vec<String> = STAGES.map(str::to_owned).to_vec();
    expected.extend([format!("{BASE}.rs"), "lib.rs".to_owned()]);
    expected.sort();
    assert_eq!(found, expected);
}
