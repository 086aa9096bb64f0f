//! What rig says about itself, anywhere.

use std::path::Path;

use serde_json::Value;

use crate::harness::{rig, said};

#[test]
fn bundled_scenarios_can_be_had_by_name_where_there_is_no_checkout() {
    let nowhere = tempfile::tempdir().unwrap();
    let list = said(&mut rig(nowhere.path(), &["list", "--format", "json"]));
    let list: Value = serde_json::from_str(&list.out).unwrap();
    let names: Vec<_> =
        list["scenarios"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"drain"), "{names:?}");
    let valid = said(&mut rig(nowhere.path(), &[&["validate"], names.as_slice()].concat()));
    assert_eq!((valid.code, valid.out.lines().count()), (0, names.len()), "{}", valid.err);
    let unknown = said(&mut rig(nowhere.path(), &["validate", "drian"]));
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("rig list"), "{}", unknown.err);
}

#[test]
fn the_schema_is_the_one_that_editors_find_beside_the_scenarios() {
    let nowhere = tempfile::tempdir().unwrap();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/schema.json");
    assert_eq!(said(&mut rig(nowhere.path(), &["schema"])).out, std::fs::read_to_string(committed).unwrap());
}

#[test]
fn shells_can_complete_and_every_command_has_a_manual_page_and_examples() {
    let nowhere = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = said(&mut rig(nowhere.path(), &["completions", shell]));
        assert!(script.out.contains("fail-on"), "{shell}");
    }
    assert_eq!(said(&mut rig(nowhere.path(), &["man", "pages"])).code, 0);
    let help = said(&mut rig(nowhere.path(), &["--help"])).out;
    let commands =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What is indented further is the rest of a description.
    let names = commands.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    let mut seen = 0;
    for name in names {
        let help = said(&mut rig(nowhere.path(), &[name, "--help"])).out;
        assert!(help.contains("Example"), "rig {name} --help shows no example");
        assert!(nowhere.path().join(format!("pages/rig-{name}.1")).exists(), "rig {name} has no page");
        seen += 1;
    }
    assert!(seen > 8, "{help}");
}
