//! What is left of a plan where balancers are not installed.

use model::catalog::{BalancerKind, Catalog};
use model::plan::{NothingToRun, Plan, SkippedBalancer};
use model::scenario::{Choice, Scenario};

const TEXT: &str = "name: skipped
question: What is left?
balancers: [nginx, haproxy]
topology: { pools: { web: { backends: 2 } }, routes: { all: { path: /, to: web } } }
load: { rate: 100/s, for: 10s }
variants: { a: {}, b: { balancers: [haproxy] } }
";

fn without(kinds: &[BalancerKind]) -> Result<Plan, NothingToRun> {
    let scenario = Scenario::parse("skipped.yaml", TEXT, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    let whole = Plan::build(&scenario, &Catalog::default(), &Choice::default());
    let skipped = |kind: &BalancerKind| SkippedBalancer { balancer: (*kind).into(), reason: "gone".into() };
    whole.unwrap_or_else(|problems| panic!("{problems}")).without(kinds.iter().map(skipped).collect())
}

#[test]
fn the_others_go_on_and_a_variant_without_any_is_unavailable() {
    let plan = without(&[BalancerKind::Haproxy]).unwrap_or_else(|nothing| panic!("{nothing}"));
    let cells: Vec<_> = plan.cells().iter().map(ToString::to_string).collect();
    assert_eq!(cells, ["nginx.a.1"]);
    assert_eq!(plan.why_unavailable("b"), Some("none of its balancers is installed"));
    assert_eq!(plan.skipped.len(), 1);
    // What the runtime can't run as well is added to that.
    assert_eq!(plan.within("process", |_| None), Ok(plan));
}

#[test]
fn where_none_is_left_nothing_can_be_run() {
    let nothing = without(&BalancerKind::ALL).err().map(|nothing| nothing.to_string()).unwrap_or_default();
    assert!(nothing.contains("a: none of its balancers is installed"), "{nothing}");
}
