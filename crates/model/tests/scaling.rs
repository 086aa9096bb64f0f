//! What may be removed and added depends on what else is out by then.

use model::catalog::{BalancerKind, Capability, Catalog, Lack};
use model::plan::Plan;
use model::scenario::{Choice, Scenario};

#[test]
fn a_backend_is_removed_beside_another_that_is_out_only_where_that_can_be() {
    let lack = Lack::always(Capability::LiveDeregisterSeveral, "one at a time");
    let catalog = Catalog { missing: vec![(BalancerKind::Nginx, lack)], ..Catalog::default() };
    let scaled = |entries: &str| {
        let text = format!(
            "name: scaled\nquestion: Who is out?\nbalancers: [nginx]\ntopology:\n  pools: {{ web: {{ backends: 3, spares: 1 }} }}\n  \
             routes: {{ all: {{ path: /, to: web }} }}\nload: {{ rate: 100/s, for: 10s }}\ntimeline: {{ {entries} }}\n"
        );
        let scenario = Scenario::parse("scaled.yaml", &text, &[]).unwrap();
        Plan::build(&scenario, &catalog, &Choice::default()).map_err(|problems| problems.to_string())
    };
    let removed = "in: { WHEN, remove: { backend: web-1, drain: auto } }";
    // The spare is out until it has been added, and the clock says nothing of when that is.
    for when in ["at: 2s", "after: other"] {
        let entries = format!(
            "other: {{ at: 1s, curl: {{ path: / }} }}, out: {{ at: 2s, add: {{ backend: web-4 }} }}, {}",
            removed.replace("WHEN", when)
        );
        let refused = scaled(&entries).unwrap_err();
        assert!(
            refused.contains("take `web-1` out while it runs where web-4 may be out as well"),
            "{refused}"
        );
    }
    let entries =
        format!("out: {{ at: 2s, add: {{ backend: web-4 }} }}, {}", removed.replace("WHEN", "after: out"));
    assert_eq!(scaled(&entries).unwrap().variants[0].additions().count(), 1);
    let by_reload = removed.replace("WHEN", "at: 2s").replace("auto", "auto, deregister: reload");
    assert_eq!(scaled(&by_reload).unwrap().variants[0].removals().count(), 1);
}
