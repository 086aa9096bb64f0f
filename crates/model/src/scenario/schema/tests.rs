//! The schema is what the readers read: each scenario that is at hand is read, and what is asked of each of its values
//! is compared with what is described for that place.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::document::document;
use super::form::{Form, Section, Unless};
use super::{reference, schema};
use crate::catalog::Catalog;
use crate::plan::{Plan, Variant};
use crate::scenario::asked::Want;
use crate::scenario::build::{variant, variant_patches, whole};
use crate::scenario::problem::Found;
use crate::scenario::reader::Item;
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
fn corpus() -> Vec<(String, String)> {
    let folders = ["../../scenarios", "tests/valid", "../rig/tests/end_to_end/scenarios"];
    let files = folders.iter().flat_map(|folder| files(folder, ".yaml"));
    files.map(|file| (file.display().to_string(), fs::read_to_string(file).unwrap())).collect()
}

/// The merged document of each variant.
fn documents(scenario: &Scenario) -> Vec<(String, Node)> {
    let found = Found::default();
    let patches = variant_patches(Item::document(scenario.document(), &found));
    patches.iter().map(|(name, patch)| ((*name).to_owned(), scenario.variant(name, patch))).collect()
}

fn read(document: &Node, found: &Found) -> Option<Variant> {
    let read = variant("any", Item::document(document, found), &NOTHING_MISSING, &Choice::default());
    read.filter(|_| found.is_empty())
}

/// Something that a reader asked for, and at which path.
struct Asking {
    path: Vec<String>,
    want: Want,
}

/// What is asked of `node` and of everything below it.
fn gather(node: &Node, path: &mut Vec<String>, found: &Found, into: &mut Vec<Asking>) {
    into.extend(found.asked.of(node).into_iter().map(|want| Asking { path: path.clone(), want }));
    let mut below = |name: &str, node: &Node, into: &mut Vec<Asking>| {
        path.push(name.to_owned());
        gather(node, path, found, into);
        path.pop();
    };
    match &node.value {
        Value::Map(entries) => entries.iter().for_each(|(key, node)| below(&key.text, node, into)),
        Value::List(items) => items.iter().for_each(|item| below("[]", item, into)),
        Value::Null | Value::Scalar(_) => {}
    }
}

/// Everything that readers ask while they read the scenario.
fn asked(name: &str, text: &str) -> Vec<Asking> {
    let scenario = Scenario::parse(name, text, &[]).unwrap();
    Plan::build(&scenario, &NOTHING_MISSING, &Choice::default())
        .unwrap_or_else(|problems| panic!("{problems}"));
    let mut all = Vec::new();
    for (_, document) in documents(&scenario) {
        let found = Found::default();
        read(&document, &found).unwrap();
        gather(&document, &mut Vec::new(), &found, &mut all);
    }
    let found = Found::default();
    let item = Item::document(scenario.document(), &found);
    variant_patches(item);
    whole(item, &[], &NOTHING_MISSING);
    let mut of_the_whole = Vec::new();
    gather(scenario.document(), &mut Vec::new(), &found, &mut of_the_whole);
    // A patch is asked for the keys that it must not have; what it may have is read where it is merged.
    all.extend(
        of_the_whole.into_iter().filter(|asking| asking.path.len() < 2 || asking.path[0] != "variants"),
    );
    all
}

/// A form, with a name of its own.
type Place = (String, Form);

fn alternatives((name, form): Place) -> Vec<Place> {
    match form {
        Form::Either(forms) => forms
            .into_iter()
            .enumerate()
            .flat_map(|(n, form)| alternatives((format!("{name}|{n}"), form)))
            .collect(),
        form => vec![(name, form)],
    }
}

/// Where the keys of a section lie.
fn keys(section: &Section) -> impl Iterator<Item = Place> {
    section.keys.iter().map(|key| (format!("{}.{}", section.title, key.name), key.form.clone()))
}

/// The forms that may stand at `path`.
fn at(path: &[String]) -> Vec<Place> {
    let mut places = vec![("scenario".to_owned(), Form::Fields(document()))];
    for step in path {
        let inner = places.into_iter().flat_map(|(name, form)| match form {
            Form::Fields(section) => {
                keys(&section).filter(|(key, _)| key.ends_with(&format!(".{step}"))).collect()
            }
            Form::Named { of, .. } => vec![(format!("{name}.*"), *of)],
            Form::List { of, .. } if step == "[]" => vec![(format!("{name}[]"), *of)],
            _ => Vec::new(),
        });
        places = inner.flat_map(alternatives).collect();
    }
    places
}

fn is_what(form: &Form, want: &Want) -> bool {
    match (form, want) {
        (Form::Text(_), Want::Text) | (Form::Fields(_), Want::Fields) => true,
        (Form::Words(words), Want::Words(wanted)) => {
            words.iter().collect::<BTreeSet<_>>() == wanted.iter().collect::<BTreeSet<_>>()
        }
        (Form::Quantity { unit, least, most }, Want::Quantity { unit: wanted, least: from, most: to }) => {
            unit == wanted && least == from && most == to
        }
        (Form::Whole(limits), Want::Whole(wanted)) => limits == wanted,
        (Form::List { most, .. }, Want::List { most: wanted })
        | (Form::Named { most, .. }, Want::Named { most: wanted }) => most == wanted,
        (Form::Fields(section), Want::Key { name, .. }) => section.keys.iter().any(|key| key.name == *name),
        _ => false,
    }
}

/// Every place of a form and below it; a section's once.
fn gather_places(place: Place, seen: &mut BTreeSet<&'static str>, into: &mut BTreeSet<String>) {
    for (name, form) in alternatives(place) {
        match form {
            Form::Fields(section) => {
                into.insert(name);
                if seen.insert(section.title) {
                    keys(&section).for_each(|key| gather_places(key, seen, into));
                }
                continue;
            }
            Form::Named { of, .. } => gather_places((format!("{name}.*"), *of), seen, into),
            Form::List { of, .. } => gather_places((format!("{name}[]"), *of), seen, into),
            // It is merged, and read as what it is merged into.
            Form::Patch => continue,
            _ => {}
        }
        into.insert(name);
    }
}

#[test]
fn readers_ask_for_what_the_schema_describes_and_for_all_of_it() {
    let mut described = BTreeSet::new();
    gather_places(("scenario".to_owned(), Form::Fields(document())), &mut BTreeSet::new(), &mut described);
    for (file, text) in corpus() {
        for Asking { path, want } in asked(&file, &text) {
            let fitting: Vec<_> = at(&path).into_iter().filter(|(_, form)| is_what(form, &want)).collect();
            assert!(
                !fitting.is_empty(),
                "readers ask for {want:?} at `{}`, which schema/*.rs does not describe",
                path.join(".")
            );
            described.retain(|place| fitting.iter().all(|(name, _)| name != place));
        }
    }
    assert!(
        described.is_empty(),
        "no reader asks for these, or tests/valid/every-key.yaml does not have them: {described:#?}"
    );
}

/// What the test above can't see is a key that no scenario leads to.
#[test]
fn every_key_that_a_reader_names_is_met() {
    let mut met = BTreeSet::new();
    for (file, text) in corpus() {
        for Asking { want, .. } in asked(&file, &text) {
            if let Want::Key { name, file } = want {
                met.insert((Path::new(file).file_name().unwrap().to_owned(), name.to_owned()));
            }
        }
    }
    let mut named = 0;
    for file in files("src/scenario", ".rs") {
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for verb in [".get(", ".demand(", ".read(", ".require("] {
            for after in text.split(verb).skip(1) {
                let Some(key) = after.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next())
                else {
                    continue;
                };
                named += 1;
                let place = (file.file_name().unwrap().to_owned(), key.to_owned());
                assert!(
                    met.contains(&place),
                    "`{key}` in {place:?} is met by no scenario: give it to tests/valid/every-key.yaml"
                );
            }
        }
    }
    assert!(named > 60, "this test looks for the wrong thing");
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let mut tried = BTreeSet::new();
    for (file, text) in corpus() {
        let scenario = Scenario::parse(&file, &text, &[]).unwrap();
        for (_, document) in documents(&scenario) {
            let found = Found::default();
            let unchanged = read(&document, &found).unwrap();
            let mut all = Vec::new();
            gather(&document, &mut Vec::new(), &found, &mut all);
            for Asking { path, want } in all {
                let Want::Key { name, .. } = want else { continue };
                for (section, value) in defaults(&path, name) {
                    let set: Set =
                        [&path[..], &[format!("{name}={value}")]].concat().join(".").parse().unwrap();
                    let patch = Set::patches(&[set]).unwrap().remove(0);
                    let mut path = path.iter().chain([&name.to_owned()]).cloned().collect::<Vec<_>>();
                    if has(&document, &mut path) {
                        continue;
                    }
                    // Beside what else is written it may mean nothing, and is refused.
                    if let Some(changed) = read(&document.patched(patch.node()), &Found::default()) {
                        assert_eq!(
                            changed, unchanged,
                            "{section}.{name} is not {value} unless {file} says so"
                        );
                        tried.insert(format!("{section}.{name}"));
                    }
                }
            }
        }
    }
    let mut sections = Vec::new();
    every_section(&Form::Fields(document()), &mut sections);
    for section in sections {
        let with_defaults = section.keys.iter().filter(|key| matches!(key.unless_said, Unless::Value(_)));
        for key in with_defaults.filter(|key| !["seed", "repeat"].contains(&key.name)) {
            let name = format!("{}.{}", section.title, key.name);
            assert!(
                tried.contains(&name),
                "no scenario leaves out {name}: let tests/valid/bare.yaml lead to it"
            );
        }
    }
}

#[test]
fn a_plan_has_the_seed_and_repeats_that_the_schema_says() {
    let text = fs::read_to_string(here().join("tests/valid/bare.yaml")).unwrap();
    let plan = |sets: &[&str]| {
        let sets: Vec<Set> = sets.iter().map(|set| set.parse().unwrap()).collect();
        Plan::build(&Scenario::parse("bare", &text, &sets).unwrap(), &NOTHING_MISSING, &Choice::default())
            .unwrap()
    };
    for (section, value) in defaults(&[], "seed").into_iter().chain(defaults(&[], "repeat")) {
        assert_eq!((section, value), ("scenario", "1"));
    }
    assert_eq!(plan(&[]), plan(&["seed=1", "repeat=1"]));
}

/// The default of a key of the map at `path`, with the section's title.
fn defaults(path: &[String], name: &str) -> Vec<(&'static str, &'static str)> {
    let places = at(path).into_iter();
    let sections =
        places.filter_map(|(_, form)| if let Form::Fields(section) = form { Some(section) } else { None });
    sections
        .flat_map(|section| {
            section.keys.into_iter().filter(|key| key.name == name).filter_map(move |key| {
                match key.unless_said {
                    Unless::Value(value) => Some((section.title, value)),
                    _ => None,
                }
            })
        })
        .collect()
}

fn has(node: &Node, path: &mut Vec<String>) -> bool {
    let mut node = Some(node);
    for step in path.drain(..) {
        node = node.and_then(|node| node.get(&step));
    }
    node.is_some()
}

fn every_section(form: &Form, into: &mut Vec<Section>) {
    match form {
        Form::Fields(section) if into.iter().all(|known| known.title != section.title) => {
            into.push(section.clone());
            section.keys.iter().for_each(|key| every_section(&key.form, into));
        }
        Form::Named { of, .. } | Form::List { of, .. } => every_section(of, into),
        Form::Either(forms) => forms.iter().for_each(|form| every_section(form, into)),
        _ => {}
    }
}

#[test]
fn what_is_committed_is_current() {
    for (file, text) in [("scenarios/schema.json", schema()), ("docs/scenario-reference.md", reference())] {
        let committed = fs::read_to_string(here().join("../..").join(file)).unwrap_or_default();
        assert!(committed == text, "{file} is not what rig prints: make schema");
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
