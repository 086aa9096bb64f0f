//! What `--set` changes, and what it can't.

use model::catalog::Catalog;
use model::plan::Plan;
use model::scenario::{Choice, Scenario, Set};
use model::timeline::Drain;
use model::units::{Rate, Span};

const TEXT: &str = "name: sets
question: What does a set change?
topology: { pools: { web: { backends: 3 } }, routes: { all: { path: /, to: web } } }
load: { rate: 100/s, for: 10s, connections: 50 }
timeline: { rollout: { at: 1s, deploy: { pool: web, drain: auto } } }
variants:
  with-drain: {}
  calm: { timeline: { rollout: null } }
  busy: { load: { rate: 200/s, connections: null } }
";

fn build(sets: &[&str]) -> Result<Plan, String> {
    let sets: Vec<Set> = sets.iter().map(|set| set.parse().expect("a key and a value")).collect();
    let scenario = Scenario::parse("sets.yaml", TEXT, &sets).map_err(|problems| problems.to_string())?;
    Plan::build(&scenario, &Catalog::default(), &Choice::default()).map_err(|problems| problems.to_string())
}

fn plan(sets: &[&str]) -> Plan {
    build(sets).unwrap_or_else(|problems| panic!("{sets:?}: {problems}"))
}

/// Its rates, connections and first entries' times, variant by variant.
fn rates(plan: &Plan) -> Vec<Rate> {
    plan.variants.iter().map(|variant| variant.traffic.rate).collect()
}

#[test]
fn a_set_inside_a_variant_wins_over_its_patch_and_changes_no_other() {
    assert_eq!(rates(&plan(&[])), [100.0, 100.0, 200.0].map(Rate));
    assert_eq!(rates(&plan(&["variants.busy.load.rate=300/s"])), [100.0, 100.0, 300.0].map(Rate));
    assert_eq!(rates(&plan(&["variants.with-drain={ load: { rate: 7/s } }"])), [7.0, 100.0, 200.0].map(Rate));
    let both = plan(&["load.rate=9/s", "variants.calm.load.rate=8/s"]);
    assert_eq!(rates(&both), [9.0, 8.0, 9.0].map(Rate));
    let removed = plan(&["variants.with-drain.timeline.rollout=null"]);
    let deploys: Vec<_> = removed.variants.iter().map(|variant| variant.deploys().count()).collect();
    assert_eq!(deploys, [0, 0, 1]);
    let back = plan(&["variants.calm.timeline.rollout={ at: 2s, deploy: { pool: web, drain: 300ms } }"]);
    assert_eq!(
        back.variants[1].deploys().next().map(|deploy| deploy.leaving.drain),
        Some(Drain::For(Span::millis(300)))
    );
    let set = plan(&["variants.busy.load.connections=77"]);
    assert_eq!(set.variants.iter().map(|v| v.traffic.connections).collect::<Vec<_>>(), [50, 50, 77]);
}

#[test]
fn a_set_for_all_wins_over_patches_and_brings_nothing_back_that_a_variant_removed() {
    let all = plan(&["load.connections=77", "timeline.rollout.deploy.drain=300ms"]);
    assert_eq!(all.variants.iter().map(|v| v.traffic.connections).collect::<Vec<_>>(), [77, 77, 77]);
    let drains: Vec<_> =
        all.variants.iter().map(|v| v.deploys().next().map(|deploy| deploy.leaving.drain)).collect();
    let drain = Some(Drain::For(Span::millis(300)));
    assert_eq!(drains, [drain, None, drain]);
}

#[test]
fn a_set_makes_no_variant_and_removes_none() {
    for (set, message, help) in [
        (
            "variants.with-drian.load.rate=1/s",
            "there is no variant `with-drian`",
            "did you mean `with-drain`?",
        ),
        ("variants.new={ load: { rate: 1/s } }", "there is no variant `new`", "known here: `with-drain`"),
        ("variants={ new: {} }", "`variants` can't be set as a whole", "variants.NAME"),
        ("variants=null", "`variants` can't be set as a whole", "variants.NAME"),
        ("variants.calm=null", "the variant `calm` can't be replaced or removed", "--variant"),
        ("variants.calm.seed=3", "a variant cannot change `seed`", "it belongs to the whole scenario"),
        ("variants.calm.laod.rate=1/s", "unknown key `laod`", "did you mean `load`?"),
    ] {
        let refused = build(&[set]).expect_err(set);
        assert!(refused.contains(message) && refused.contains(help), "{set}: {refused}");
        assert!(refused.contains("command line"), "{set}: {refused}");
    }
}

#[test]
fn a_set_outside_of_variants_wins_in_every_one_over_what_it_patches() {
    let plan = plan(&["load.rate=800/s", "repeat=3"]);
    assert_eq!((plan.repeats, rates(&plan)), (3, [800.0; 3].map(Rate).to_vec()));
}
