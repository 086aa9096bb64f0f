//! What rig says about itself, anywhere.

use std::path::Path;

use serde::Deserialize;

use crate::RIG;

#[derive(Deserialize)]
struct List {
    scenarios: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[test]
fn bundled_scenarios_can_be_had_by_name_where_there_is_no_checkout() {
    let rig = RIG.idle();
    let list: List = rig.command(["list", "--format", "json"]).ends().read();
    let names: Vec<String> = list.scenarios.into_iter().map(|it| it.name).collect();
    assert!(names.iter().any(|name| name == "drain"), "{names:?}");
    let valid = rig.command(["validate"]).args(&names).exits(0);
    assert_eq!(valid.out.lines().count(), names.len(), "{valid}");
    rig.command(["validate", "drian"]).exits(2).complains("did you mean `drain`?");
}

#[test]
fn the_schema_is_the_one_that_editors_find_beside_the_scenarios() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/schema.json");
    let printed = RIG.idle().command(["schema"]).ends();
    assert_eq!(printed.out, std::fs::read_to_string(committed).unwrap());
}

#[test]
fn shells_can_complete_and_every_command_has_a_manual_page_and_examples() {
    let rig = RIG.idle();
    for shell in ["bash", "zsh", "fish"] {
        rig.command(["completions", shell]).ends().says("fail-on");
    }
    rig.command(["man", "pages"]).exits(0);
    let help = rig.command(["--help"]).ends().out;
    let commands =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What is indented further is the rest of a description.
    let names = commands.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    let mut seen = 0;
    for name in names {
        rig.command([name, "--help"]).ends().says("Example");
        assert!(rig.path().join(format!("pages/rig-{name}.1")).exists(), "rig {name} has no page");
        seen += 1;
    }
    assert!(seen > 8, "{help}");
}

#[test]
fn any_figure_of_a_run_is_a_picture_by_itself() {
    let rig = RIG.idle();
    let drain = concat!(env!("CARGO_MANIFEST_DIR"), "/../../results/reference/drain/summary.json");
    let report = |words: &[&str]| rig.command(["report", drain]).args(words);
    report(&["--format", "svg", "--figure", "p99"]).exits(0).says(">drain: p99</text>");
    report(&["--format", "svg", "--figure"]).exits(0).says(">drain: dropped</text>");
    report(&["--figure", "p99"]).exits(2).complains("add --format svg");
    report(&["--format", "svg", "--figure", "p98"])
        .exits(2)
        .complains("there is no metric `p98`; did you mean");
    let missing = report(&["--format", "svg", "--figure", "sessions_lost"]).exits(2);
    missing.complains("that figure was not measured: drain: the load of");
}
