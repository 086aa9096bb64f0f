//! What the declarations of keys can't guarantee by themselves, tried with each scenario that is at hand.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{document, reference, schema};
use crate::catalog::Catalog;
use crate::plan::{Plan, Variant};
use crate::scenario::build::{variant, variant_patches};
use crate::scenario::problem::Found;
use crate::scenario::reader::Item;
use crate::scenario::shape::{Outline, Shape, Unless};
use crate::scenario::tree::{Node, Value};
use crate::scenario::{Choice, Scenario, Set};

const NOTHING_MISSING: Catalog = Catalog { missing: Vec::new(), signs: Vec::new() };

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(here().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    files.sort();
    files
}

/// Bundled scenarios, and what tests have of valid ones.
fn corpus() -> Vec<(String, Scenario)> {
    let folders = ["../../scenarios", "tests/valid", "../rig/tests/end_to_end/scenarios"];
    let parsed = |file: PathBuf| {
        let (name, text) = (file.display().to_string(), fs::read_to_string(&file).unwrap());
        let scenario = Scenario::parse(&name, &text, &[]).unwrap();
        (name, scenario)
    };
    folders.iter().flat_map(|folder| files(folder, ".yaml")).map(parsed).collect()
}

/// The merged document of each variant.
fn documents(scenario: &Scenario) -> Vec<Node> {
    let found = Found::default();
    let patches = variant_patches(Item::document(scenario.document(), &found), &NOTHING_MISSING);
    patches.iter().map(|(name, patch)| scenario.variant(name, patch)).collect()
}

fn read(document: &Node) -> Option<Variant> {
    let found = Found::default();
    let read = variant("any", Item::document(document, &found), &NOTHING_MISSING, None);
    read.filter(|_| found.is_empty())
}

/// Every map of the language's keys in `node`, with its outline and the keys that lead to it.
fn maps(shape: &Shape, node: &Node, path: &[String], into: &mut Vec<(Outline, Node, Vec<String>)>) {
    let below = |key: &str| [path, &[key.to_owned()]].concat();
    match (shape, &node.value) {
        (Shape::Either(shapes), _) => shapes.iter().for_each(|shape| maps(shape, node, path, into)),
        (Shape::Fields(outline), Value::Map(_)) => {
            into.push((outline.clone(), node.clone(), path.to_vec()));
            for key in &outline.keys {
                if let Some(node) = node.get(key.name) {
                    maps(&key.shape, node, &below(key.name), into);
                }
            }
        }
        (Shape::Named { of, .. }, Value::Map(entries)) => {
            entries.iter().for_each(|(key, node)| maps(of, node, &below(&key.text), into));
        }
        _ => {}
    }
}

fn maps_of(document_node: &Node) -> Vec<(Outline, Node, Vec<String>)> {
    let mut all = Vec::new();
    maps(&Shape::Fields(document()), document_node, &[], &mut all);
    all
}

/// Every section below `shape`, once.
fn sections(shape: &Shape, into: &mut Vec<Outline>) {
    match shape {
        Shape::Fields(outline) if into.iter().all(|known| known.title != outline.title) => {
            into.push(outline.clone());
            outline.keys.iter().for_each(|key| sections(&key.shape, into));
        }
        Shape::Named { of, .. } | Shape::List { of, .. } => sections(of, into),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| sections(shape, into)),
        _ => {}
    }
}

fn all_sections() -> Vec<Outline> {
    let mut all = Vec::new();
    sections(&Shape::Fields(document()), &mut all);
    all
}

/// So that each is read, checked against the schema, explained and read again.
#[test]
fn every_key_is_met_by_a_scenario() {
    let mut met = BTreeSet::new();
    for (_, scenario) in corpus() {
        let whole = [scenario.document().clone()];
        for node in documents(&scenario).iter().chain(&whole) {
            for (outline, node, _) in maps_of(node) {
                let keys = outline.keys.iter().filter(|key| node.get(key.name).is_some());
                met.extend(keys.map(|key| (outline.title, key.name)));
            }
        }
    }
    for section in all_sections() {
        for key in &section.keys {
            let name = (section.title, key.name);
            assert!(met.contains(&name), "{name:?} is in no scenario: give it to tests/valid/every-key.yaml");
        }
    }
    assert!(met.len() > 60, "this test looks for the wrong thing");
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let mut tried = BTreeSet::new();
    for (file, scenario) in corpus() {
        for node in documents(&scenario) {
            let unchanged = read(&node).unwrap();
            for (outline, map, path) in maps_of(&node) {
                for key in outline.keys.iter().filter(|key| map.get(key.name).is_none()) {
                    let Unless::Value(value) = &key.unless_said else { continue };
                    let set = [&path[..], &[format!("{}={value}", key.name)]].concat().join(".");
                    let patch = Set::patches(&[set.parse().unwrap()]).unwrap().remove(0);
                    // Beside what else is written it may mean nothing, and is refused.
                    if let Some(changed) = read(&node.patched(patch.node())) {
                        assert_eq!(changed, unchanged, "{set} is not the default in {file}");
                        tried.insert((outline.title, key.name));
                    }
                }
            }
        }
    }
    for section in all_sections() {
        let with_defaults = section.keys.iter().filter(|key| matches!(key.unless_said, Unless::Value(_)));
        for key in with_defaults.filter(|key| !["seed", "repeat"].contains(&key.name)) {
            let name = (section.title, key.name);
            assert!(
                tried.contains(&name),
                "no scenario leaves out {name:?}: let tests/valid/bare.yaml lead to it"
            );
        }
    }
}

#[test]
fn a_plan_has_the_seed_and_repeats_that_the_schema_says() {
    let text = fs::read_to_string(here().join("tests/valid/bare.yaml")).unwrap();
    let plan = |sets: &[Set]| {
        let scenario = Scenario::parse("bare", &text, sets).unwrap();
        Plan::build(&scenario, &NOTHING_MISSING, &Choice::default()).unwrap()
    };
    let stated = document().keys.into_iter().filter(|key| ["seed", "repeat"].contains(&key.name));
    let sets: Vec<Set> = stated
        .map(|key| match key.unless_said {
            Unless::Value(value) => format!("{}={value}", key.name).parse().unwrap(),
            other => panic!("{}: {other:?}", key.name),
        })
        .collect();
    assert_eq!(sets.len(), 2);
    assert_eq!(plan(&[]), plan(&sets));
}

#[test]
fn what_is_committed_is_current() {
    for (file, text) in [("scenarios/schema.json", schema()), ("docs/scenario-reference.md", reference())] {
        let committed = fs::read_to_string(here().join("../..").join(file)).unwrap_or_default();
        let differs = committed.lines().zip(text.lines()).find(|(committed, printed)| committed != printed);
        assert!(committed == text, "{file} is not what rig prints: make schema; first, {differs:?}");
    }
}

#[test]
fn every_bundled_scenario_names_the_schema_to_editors() {
    for file in files("../../scenarios", ".yaml") {
        let text = fs::read_to_string(&file).unwrap();
        let modeline = "# yaml-language-server: $schema=schema.json";
        assert_eq!(text.lines().next(), Some(modeline), "{}", file.display());
    }
}
