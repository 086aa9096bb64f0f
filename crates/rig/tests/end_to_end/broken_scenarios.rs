//! Broken input: exit 2, a located message, and nothing left lying about.

use crate::harness::{files, rig, said};

/// Every broken scenario of the language's own tests, through the binary.
#[test]
fn every_broken_scenario_exits_2_with_a_located_message_and_leaves_nothing() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/broken");
    let mut seen = 0;
    for path in files(directory.as_ref()).iter().filter(|path| path.extension().is_some_and(|e| e == "yaml"))
    {
        // Some are broken only together with a `--set`, which stands in them as a comment.
        let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        let sets: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# set: ")).collect();
        let dir = tempfile::tempdir().unwrap();
        let mut command = rig(dir.path(), &["run", path.to_str().unwrap()]);
        for set in sets {
            command.args(["--set", set]);
        }
        let ended = said(&mut command);
        assert_eq!(ended.code, 2, "{}: {}", path.display(), ended.err);
        assert!(ended.err.starts_with("error: "), "{}: {}", path.display(), ended.err);
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
        assert_eq!((ended.out.as_str(), files(dir.path()).len()), ("", 0), "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 25, "only {seen} broken scenarios found");
}

#[test]
fn a_file_that_is_missing_or_no_text_exits_2() {
    let dir = tempfile::tempdir().unwrap();
    let missing = said(&mut rig(dir.path(), &["run", "nowhere.yaml"]));
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("nowhere.yaml"), "{}", missing.err);
    std::fs::write(dir.path().join("binary.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    let binary = said(&mut rig(dir.path(), &["validate", "binary.yaml"]));
    assert_eq!(binary.code, 2);
    assert!(binary.err.contains("binary.yaml"), "{}", binary.err);
}

#[test]
fn an_unknown_balancer_or_flag_exits_2_and_names_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let ended = said(&mut rig(dir.path(), &["run", "x.yaml", "--balancer", "apache"]));
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("nginx, haproxy and envoy"), "{}", ended.err);
    assert_eq!(said(&mut rig(dir.path(), &["run", "x.yaml", "--no-such-flag"])).code, 2);
}

#[test]
fn bundled_scenarios_are_valid_and_render_for_every_balancer() {
    let dir = tempfile::tempdir().unwrap();
    let bundled = files(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios").as_ref());
    for path in bundled.iter().filter(|path| path.extension().is_some_and(|e| e == "yaml")) {
        let path = path.to_str().unwrap();
        assert_eq!(said(&mut rig(dir.path(), &["validate", path])).code, 0, "{path}");
        for balancer in ["nginx", "haproxy", "envoy"] {
            let ended = said(&mut rig(dir.path(), &["render", path, "--balancer", balancer]));
            assert_eq!(ended.code, 0, "{path} {balancer}: {}", ended.err);
            assert!(ended.out.contains("127.0.1.1"), "{path} {balancer} has no listener");
        }
    }
}

#[test]
fn what_is_no_regular_file_or_has_no_end_is_named_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    std::fs::write(dir.path().join("long.yaml"), "#".repeat(300 << 10)).unwrap();
    for (file, why) in [
        ("/dev/zero", "it is a device, not a regular file"),
        ("fifo.yaml", "it is a pipe, not a regular file"),
        ("long.yaml", "it holds more than the 262144 bytes that are read of it"),
    ] {
        let ended = said(&mut rig(dir.path(), &["validate", file]));
        assert_eq!(ended.code, 2, "{file}: {}", ended.err);
        assert!(ended.err.contains(file) && ended.err.contains(why), "{}", ended.err);
    }
}
