//! Rules of style that are worth a test.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use model::catalog::BalancerKind;
use serde_json::Value;

#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/imports.rs"]
mod imports;

/// A file that is longer deserves a second thought about where its lines belong.
const LONGEST_FILE: usize = 450;

/// What each crate may use of the others.
const MAY_USE: [(&str, &[&str]); 10] = [
    ("model", &[]),
    ("agent", &["model"]),
    ("load", &["model", "agent"]),
    ("backend", &["model", "agent"]),
    ("dns", &["model", "agent"]),
    ("store", &["model"]),
    ("engine", &["model", "agent", "store"]),
    ("report", &["model"]),
    ("testing", &["model", "engine", "report", "store"]),
    ("rig", &["model", "agent", "load", "backend", "dns", "store", "engine", "report", "testing"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Dependencies of the workspace along these kinds of edges, with their versions and features.
fn tree(edges: &str) -> Vec<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "tree",
        "--workspace",
        "--locked",
        "--offline",
        "--no-dedupe",
        "--prefix=none",
        "--format={p} {f}",
    ]);
    let output = cargo.args(["--edges", edges]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut lines: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    lines.dedup();
    lines
}

/// Otherwise most of them are built twice, and tests do not run what users run.
#[test]
fn a_build_and_its_tests_share_their_dependencies() {
    let tested = tree("normal,build,dev");
    let other: Vec<_> = tree("normal,build").into_iter().filter(|built| !tested.contains(built)).collect();
    assert_eq!(other, [""; 0], "say in crates/testing/Cargo.toml which features the tests add");
}

/// Elsewhere no command would run it.
#[test]
fn what_takes_long_is_where_make_test_rest_looks() {
    let reason = concat!("takes long: ", "make test-rest");
    for (path, text) in sources() {
        let is_looked_at =
            ["alone", "end_to_end"].map(|name| path.starts_with(format!("crates/rig/tests/{name}")));
        assert!(is_looked_at.contains(&true) || !text.contains(reason), "{}", path.display());
    }
}

/// Every Rust file below `crates/`, with its text.
fn sources() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut directories = vec![root().join("crates")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(root()).unwrap().to_owned(), text);
            }
        }
    }
    found
}

/// A crate's name in the code: on crates.io the plain ones are others'.
fn plain(package: &str) -> &str {
    if package == "rig-lab" { "rig" } else { package.strip_prefix("rig-lab-").unwrap_or(package) }
}

#[test]
fn dependencies_point_one_way() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let members: Vec<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    for package in metadata["packages"].as_array().unwrap() {
        let name = plain(package["name"].as_str().unwrap());
        let (_, allowed) = MAY_USE.iter().find(|(known, _)| *known == name).expect("a crate without a place");
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = plain(dependency["name"].as_str().unwrap());
            assert!(!members.contains(&used) || allowed.contains(&used), "{name} must not use {used}");
        }
    }
}

/// Folders in which files still use each other in circles.
const CIRCULAR: [&str; 8] = [
    "load/src",
    "model/src",
    "model/src/scenario/keys",
    "report/src/compose/writeup",
    "report/src/dialect",
    "report/src/measure",
    "store/src",
    "testing/src",
];

#[test]
fn parts_of_a_folder_use_each_other_one_way() {
    let sources = sources();
    let mut found = Vec::new();
    for (name, _) in MAY_USE {
        let root = PathBuf::from(format!("crates/{name}/src"));
        let of_the_crate: Vec<(&Path, &str)> = sources
            .iter()
            .filter(|(path, _)| !is_test(path))
            .filter_map(|(path, text)| Some((path.strip_prefix(&root).ok()?, text.as_str())))
            .collect();
        for (folder, circle) in imports::circles(&of_the_crate) {
            let folder = format!("{name}/{folder}");
            assert!(CIRCULAR.contains(&folder.as_str()), "in {folder}: {circle}");
            found.push(folder);
        }
    }
    found.sort();
    assert_eq!(found, CIRCULAR, "a folder has no circle any more: it needs no exception");
}

/// The catalogue says what they are called, the engine picks the adapter; nothing else tells them apart.
#[test]
fn balancers_are_named_one_by_one_in_two_places_only() {
    let naming: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|(path, _)| !is_test(path))
        .filter(|(_, text)| {
            BalancerKind::ALL.iter().any(|kind| text.contains(&format!("BalancerKind::{kind:?}")))
        })
        .map(|(path, _)| path)
        .collect();
    let places = ["crates/engine/src/balancer/mod.rs", "crates/model/src/catalog.rs"];
    assert_eq!(naming, places.map(PathBuf::from));
}

/// What runs a scenario never reads its name; what shows or stores it doesn't compare it. (The name may also be
/// a word of the language, as `drain` is: looking for quoted names would prove nothing.)
#[test]
fn no_code_depends_on_a_scenarios_name() {
    let mut read = 0;
    for (path, text) in sources().iter().filter(|(path, _)| !is_test(path)) {
        let runs =
            ["engine", "load", "backend", "agent"].iter().any(|c| path.starts_with(format!("crates/{c}")));
        for line in text.lines().filter(|line| reads_the_name(line)) {
            read += 1;
            assert!(!runs, "{} reads a scenario's name: {line}", path.display());
            let compares = ["==", "!=", "match ", "if ", "matches!", "starts_with", ".contains("];
            let compared = compares.iter().find(|form| line.contains(**form));
            assert_eq!(compared, None, "{} compares a scenario's name: {line}", path.display());
        }
    }
    assert!(read > 0, "nothing reads a scenario's name: this test looks for the wrong thing");
}

/// `plan.scenario`, and not `wanted.scenario_file`, `run.scenario()` or the command line's path to the file.
fn reads_the_name(line: &str) -> bool {
    let after = line.split(".scenario").nth(1);
    let field =
        after.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || "_(".contains(c)));
    field && !line.contains("wanted.scenario")
}

#[test]
fn files_have_names_that_say_something_and_a_length_that_can_be_read() {
    for (path, text) in sources() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            !["util", "utils", "common", "helper", "helpers", "misc"].contains(&name),
            "{}",
            path.display()
        );
        let lines = text.lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines", path.display());
    }
}

#[test]
fn main_is_thin_and_every_file_says_what_it_is_for() {
    for (path, text) in sources() {
        assert!(text.starts_with("//!") || is_test(&path), "{} says nothing about itself", path.display());
        if path.ends_with("main.rs") && path.starts_with("crates/rig/src") {
            assert!(text.lines().count() <= 15, "main.rs has grown");
        }
    }
}

/// A module of tests, whose tests' names say what it is for.
fn is_test(path: &Path) -> bool {
    let stem = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
    stem || path.components().any(|part| part.as_os_str() == "tests")
}

/// The type that a line declares.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line =
        line.strip_prefix("pub").map_or(line, |rest| rest.split_once(' ').map_or(rest, |(_, rest)| rest));
    let kinds = ["struct ", "enum ", "trait ", "type "];
    let rest = kinds.iter().find_map(|kind| line.strip_prefix(kind))?;
    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    rest.starts_with(char::is_uppercase).then(|| &rest[..end])
}

#[test]
fn a_type_name_has_one_meaning_in_all_crates() {
    let mut places: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (path, text) in sources() {
        let of_the_product = path.iter().any(|part| part == "src") && !is_test(&path);
        // Arguments are called as their command is.
        if !of_the_product || path.starts_with("crates/rig/src/cli") || path.ends_with("rig/src/cli.rs") {
            continue;
        }
        // An associated type has no meaning of its own, and is indented.
        let types = text.lines().filter(|line| !line.starts_with(' ')).filter_map(declared);
        types.for_each(|name| places.entry(name.to_owned()).or_default().push(path.clone()));
    }
    assert!(places.len() > 300, "this looks for the wrong thing: {}", places.len());
    // What each adapter has is called the same in each.
    let of_an_adapter = |path: &PathBuf| path.starts_with("crates/engine/src/balancer");
    places.retain(|_, paths| {
        paths.iter().filter(|path| !of_an_adapter(path)).count()
            + usize::from(paths.iter().any(of_an_adapter))
            > 1
    });
    assert!(places.is_empty(), "rename one of each: {places:#?}");
}
