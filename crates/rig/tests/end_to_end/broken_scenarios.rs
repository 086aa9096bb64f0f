//! Broken input: exit 2, a located message, and nothing left lying about.

use std::path::{Path, PathBuf};

use testing::{BalancerKind, files};

use crate::RIG;

/// Every scenario of a directory.
fn scenarios_of(directory: &str) -> Vec<PathBuf> {
    let is_one = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml");
    files(Path::new(directory)).into_iter().filter(is_one).collect()
}

/// Every broken scenario of the language's own tests, through the binary.
#[test]
fn every_broken_scenario_exits_2_with_a_located_message_and_leaves_nothing() {
    let broken = scenarios_of(concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/broken"));
    for path in &broken {
        // Some are broken only together with a `--set`, which stands in them as a comment.
        let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        let sets = text.lines().filter_map(|line| line.strip_prefix("# set: "));
        let run = RIG.idle().command([Path::new("run"), path]);
        let run = sets.fold(run, |run, set| run.args(["--set", set]));
        let ended = run.exits(2).says_nothing().leaves_nothing();
        assert!(ended.err.starts_with("error: "), "{}: {ended}", path.display());
        assert!(!ended.err.contains("panicked"), "{}: {ended}", path.display());
    }
    assert!(broken.len() >= 25, "only {} broken scenarios found", broken.len());
}

#[test]
fn a_file_that_is_missing_or_no_text_exits_2() {
    let rig = RIG.idle();
    rig.command(["run", "nowhere.yaml"]).exits(2).complains("nowhere.yaml");
    rig.command(["run", "drian"]).exits(2).complains("did you mean `drain`?");
    rig.command(["run", "xyzzy"]).exits(2).complains("known here: `canary`, `defaults`, ");
    rig.write("binary.yaml", [0xff, 0xfe, 0x00]);
    rig.command(["validate", "binary.yaml"]).exits(2).complains("binary.yaml");
}

#[test]
fn an_unknown_balancer_or_flag_exits_2_and_names_what_there_is() {
    let rig = RIG.idle();
    let unknown = rig.command(["run", "drain", "--balancer", "apache"]).exits(2);
    unknown.complains("there is no balancer `apache`").complains("`nginx`, `haproxy`, `envoy`");
    rig.command(["run", "x.yaml", "--no-such-flag"]).exits(2);
}

#[test]
fn bundled_scenarios_are_valid_and_render_for_their_balancers() {
    let rig = RIG.idle();
    let bundled = scenarios_of(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios"));
    assert!(!bundled.is_empty());
    for path in &bundled {
        rig.command([Path::new("validate"), path]).exits(0);
        let text = std::fs::read_to_string(path).unwrap();
        let listed = text.lines().find(|line| line.starts_with("balancers:")).unwrap();
        for balancer in BalancerKind::ALL.into_iter().filter(|it| listed.contains(it.name())) {
            rig.command([Path::new("render"), path]).on([balancer]).exits(0).says("127.0.1.1");
        }
    }
}

#[test]
fn what_is_no_regular_file_or_has_no_end_is_named_and_not_waited_for() {
    let rig = RIG.idle();
    let fifo = rig.path().join("fifo.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    rig.write("long.yaml", "#".repeat(300 << 10));
    for (file, why) in [
        ("/dev/zero", "it is a device, not a regular file"),
        ("fifo.yaml", "it is a pipe, not a regular file"),
        ("long.yaml", "it holds more than the 262144 bytes that are read of it"),
    ] {
        rig.command(["validate", file]).exits(2).complains(file).complains(why);
    }
}
