//! Whatever a scenario's text is, validation ends, and ends without a panic.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use model::catalog::Catalog;
use model::claim::{Claim, Reading};
use model::plan::Plan;
use model::scenario::{Choice, Problems, Scenario, Set, explain, schema};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

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

/// The texts of all bundled scenarios.
static BUNDLED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let files = fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("it can be read").path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|it| it == "yaml")).collect();
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).expect("it can be read")).collect()
});

/// Every key of the language.
static KEYS: LazyLock<Vec<String>> = LazyLock::new(|| {
    fn gather(schema: &Value, into: &mut BTreeSet<String>) {
        let properties = schema.get("properties").and_then(Value::as_object);
        into.extend(properties.into_iter().flat_map(|properties| properties.keys().cloned()));
        schema.as_object().into_iter().flat_map(|map| map.values()).for_each(|below| gather(below, into));
    }
    let mut keys = BTreeSet::new();
    gather(&serde_json::from_str(&schema()).expect("the schema is JSON"), &mut keys);
    keys.into_iter().collect()
});

/// The keys that lead to each value below `node`.
fn paths(node: &Value, path: &[String], into: &mut Vec<Vec<String>>) {
    for (key, below) in node.as_object().into_iter().flatten() {
        let path = [path, std::slice::from_ref(key)].concat();
        paths(below, &path, into);
        into.push(path);
    }
}

/// A bundled scenario, and a value for one of its keys, or for one beside it.
fn sets() -> impl Strategy<Value = (String, Set)> {
    let value = prop_oneof![
        "[0-9]{1,6}(ms|s|us|/s|%|KiB|x|B)?",
        "[a-z0-9_-]{1,12}",
        "\\PC{0,20}",
        "\\{ [a-z_]{1,8}: [a-z0-9%]{1,6} \\}",
        prop::sample::select(vec!["null", "{}", "[]", "off", "default", "true", "auto", "0s", "[web-1]"])
            .prop_map(str::to_owned),
        prop::sample::select(&**KEYS).prop_map(|key| format!("{{ {key}: 5s }}")),
    ];
    let beside = prop::option::weighted(0.3, prop::sample::select(&**KEYS));
    (prop::sample::select(&**BUNDLED), any::<Index>(), beside, value).prop_map(|(text, at, beside, value)| {
        let options = serde_saphyr::options! { strict_booleans: true };
        let document = serde_saphyr::from_str_with_options(&text, options).expect("it is YAML");
        let mut all = Vec::new();
        paths(&document, &[], &mut all);
        let mut path = at.get(&all).clone();
        if let (Some(last), Some(beside)) = (path.last_mut(), beside) {
            *last = beside;
        }
        (text, Set { path, value })
    })
}

fn plan(text: &str, sets: &[Set]) -> Result<Plan, Problems> {
    Scenario::parse("set.yaml", text, sets)
        .and_then(|scenario| Plan::build(&scenario, &Catalog::default(), &Choice::default()))
}

fn names(plan: &Plan) -> Vec<String> {
    plan.variants.iter().map(|variant| variant.name.clone()).collect()
}

proptest! {
    #[test]
    fn whatever_is_set_is_explained_as_it_is_planned_or_refused_at_a_place((text, set) in sets()) {
        match plan(&text, std::slice::from_ref(&set)) {
            Ok(changed) => {
                prop_assert_eq!(names(&changed), names(&plan(&text, &[]).unwrap()));
                let explained = explain(&changed);
                let again = plan(&explained, &[]);
                prop_assert_eq!(again.map_err(|problems| format!("{problems}\n{explained}")), Ok(changed));
            }
            Err(problems) => {
                prop_assert!(problems.iter().next().is_some());
                for problem in problems.iter() {
                    prop_assert!(problem.place.line() > 0 && problem.place.column() > 0);
                    prop_assert!(["set.yaml", "command line"].contains(&problem.place.source()));
                }
                // What is wrong with the value itself is shown with its key.
                let own = problems.iter().any(|problem| problem.place.source() == "command line");
                let shown = problems.to_string().contains(&format!("--set {}", set.path[0]));
                prop_assert!(shown || !own);
            }
        }
    }

    #[test]
    fn a_claim_is_read_as_it_is_written_or_refused_at_a_place(
        (text, mutations) in (prop::sample::select(&**CLAIMS), mutations())
    ) {
        for text in [mutate(&text, &mutations), mutate(&text, &mutations[..1]), text] {
            match text.parse::<Claim>() {
                Ok(claim) => {
                    prop_assert_eq!(claim.text.parse::<Claim>(), Ok(claim.clone()));
                    for reading in claim.readings() {
                        prop_assert_eq!(&reading.to_string().parse::<Reading>(), &Ok(reading.clone()));
                    }
                }
                Err(error) => {
                    prop_assert!(text.get(error.bytes.clone()).is_some(), "{error:?} of {text:?}");
                    prop_assert!(!error.message.is_empty());
                }
            }
        }
    }
}

/// Every claim of the bundled scenarios.
static CLAIMS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let plans = BUNDLED.iter().map(|text| plan(text, &[]).expect("it is sound"));
    let texts = |plan: Plan| {
        let claims = plan.control.iter().chain(&plan.expect);
        claims.map(|claim| claim.text.clone()).collect::<Vec<_>>()
    };
    plans.flat_map(texts).collect()
});
