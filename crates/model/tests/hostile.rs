//! Whatever a scenario's text is, validation ends, and ends without a panic.

use std::fs;
use std::path::Path;

use model::catalog::Catalog;
use model::plan::Plan;
use model::scenario::{Choice, Scenario, Set};
use proptest::prelude::*;

fn drain() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/drain.yaml"))
        .expect("the scenario is bundled")
}

/// Validates and, if there are problems, renders them: places must lie within their sources.
fn validate(text: &str, sets: &[Set]) -> bool {
    let plan = Scenario::parse("hostile.yaml", text, sets)
        .and_then(|scenario| Plan::build(&scenario, &Catalog::default(), &Choice::default()));
    match plan {
        Ok(_) => true,
        Err(problems) => {
            assert!(problems.iter().all(|problem| problem.place.line() > 0 && problem.place.column() > 0));
            assert!(problems.to_string().contains("error: "));
            false
        }
    }
}

/// Cuts `drain.yaml` anywhere and puts something in place of what is cut.
fn mutations() -> impl Strategy<Value = Vec<(usize, usize, String)>> {
    let piece = prop_oneof![
        Just(String::new()),
        "[ \\n\\t:,{}\\[\\]#&*!|>'\"%@`~-]{1,4}",
        "[a-z0-9./%-]{1,8}",
        Just("null".to_owned()),
        Just("é×\u{1F600}".to_owned()),
        Just("99999999999999999999s".to_owned()),
    ];
    prop::collection::vec((any::<usize>(), 0..12_usize, piece), 1..6)
}

fn mutate(text: &str, mutations: &[(usize, usize, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, cut, piece) in mutations {
        let at = at % (chars.len() + 1);
        let end = (at + cut).min(chars.len());
        chars.splice(at..end, piece.chars());
    }
    chars.into_iter().collect()
}

proptest! {
    #[test]
    fn no_mutation_of_a_scenario_makes_validation_panic(mutations in mutations()) {
        validate(&mutate(&drain(), &mutations), &[]);
    }

    #[test]
    fn no_text_at_all_makes_validation_panic(text in "\\PC{0,200}") {
        validate(&text, &[]);
    }

    #[test]
    fn no_set_makes_validation_panic(text in "[a-z.]{0,12}=\\PC{0,20}") {
        if let Ok(set) = text.parse::<Set>() {
            validate(&drain(), &[set]);
        }
    }
}

#[test]
fn the_text_that_is_mutated_is_sound() {
    assert!(validate(&drain(), &[]));
}

#[test]
fn a_file_beyond_the_size_limit_is_refused_unread() {
    let long = format!("{}# {}\n", drain(), "x".repeat(256 * 1024));
    let problems = Scenario::parse("long.yaml", &long, &[]).unwrap_err();
    assert!(problems.iter().next().unwrap().message.contains("the limit is 262144"));
}

#[test]
fn of_very_many_problems_only_the_first_are_gathered() {
    let keys: String = (0..200).map(|n| format!("unknown-{n}: 1\n")).collect();
    let text = format!("{}{keys}", drain());
    let problems = Scenario::parse("many.yaml", &text, &[])
        .and_then(|scenario| Plan::build(&scenario, &Catalog::default(), &Choice::default()))
        .unwrap_err();
    assert_eq!(problems.iter().count(), 100);
    assert!(problems.to_string().ends_with("error: there may be more than these 100 problems"));
}
