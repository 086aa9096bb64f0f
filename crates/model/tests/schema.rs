//! The schema as editors use it: it takes every scenario that rig takes, and shows what is plainly wrong.

mod against_the_schema;

use std::fs;
use std::path::Path;

use against_the_schema::wrong;

#[test]
fn every_valid_scenario_validates() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for folder in ["../../scenarios", "tests/valid", "../rig/tests/end_to_end/scenarios"] {
        for entry in fs::read_dir(here.join(folder)).unwrap() {
            let file = entry.unwrap().path();
            if file.extension().is_some_and(|extension| extension == "yaml") {
                assert_eq!(
                    wrong(&fs::read_to_string(&file).unwrap()),
                    Vec::<String>::new(),
                    "{}",
                    file.display()
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 10);
}

#[test]
fn what_is_plainly_wrong_is_shown() {
    let sound = "name: a\nquestion: b\ntopology: { pools: { web: { backends: 3 } }, routes: { all: { path: /, to: web } } }\n\
                 load: { rate: 100/s, for: 10s }\n";
    assert_eq!(wrong(sound), Vec::<String>::new());
    for (place, text) in [
        ("an unknown key", format!("{sound}sead: 1\n")),
        ("a missing key", sound.replace("question: b\n", "")),
        ("a missing unit", sound.replace("10s", "10")),
        ("a misspelt word", sound.replace("backends: 3", "backends: 3, on_term: exot")),
        ("a number beyond its limits", sound.replace("backends: 3", "backends: 300")),
        ("no load, and no variant that brings it", sound.lines().take(3).collect::<Vec<_>>().join("\n")),
        (
            "two times of one entry",
            format!("{sound}timeline: {{ a: {{ at: 1s, after: b, crash: web-1 }} }}\n"),
        ),
        ("no action", format!("{sound}timeline: {{ a: {{ at: 1s }} }}\n")),
        ("an unknown key in a patch", format!("{sound}variants: {{ a: {{ load: {{ rat: 1/s }} }} }}\n")),
        ("what no variant may change", format!("{sound}variants: {{ a: {{ name: b }} }}\n")),
    ] {
        assert_ne!(wrong(&text), Vec::<String>::new(), "{place} is not seen");
    }
}
