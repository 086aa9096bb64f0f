//! Backends that are removed and added under load, and a reload that forgets who is leaving.

use testing::{Haproxy, Nginx, books_balance, counts_are_trusted, deploy};

use crate::RIG;

#[test]
#[ignore = "takes long: make test-rest"]
fn who_joins_and_who_leaves_costs_nothing_where_it_is_drained_and_something_where_it_is_not() {
    let short =
        RIG.beside_others().run("scale").on([Nginx]).set("load.for", "5s").set("load.warmup", "500ms");
    let run = short.set("variants.in-undrained.timeline.in.at", "1s").variants(["out-and-in"]).json();
    let [undrained, drained] = ["in-undrained", "out-and-in"].map(|variant| run.cell(Nginx, variant));
    assert!(undrained.counts.dropped > 0, "{run}");
    assert_eq!(drained.counts.dropped, 0, "{:?}", drained.dropped);
    let scaled = |cell| deploy(cell).scaling;
    assert_eq!((scaled(undrained).removed, scaled(undrained).additions), (1, 0));
    assert_eq!((scaled(drained).removed, scaled(drained).added), (1, 1));
    assert!(drained.backends["web-4"].share > 0.0, "{:?}", drained.backends);
    for cell in [undrained, drained] {
        books_balance(cell);
        counts_are_trusted(cell);
    }
}

const FORGETS: &str = "
name: forgets
question: What does a reload make of a backend that is being drained?
balancers: [haproxy]
topology:
  pools: { web: { backends: 3, latency: { uniform: [20ms, 100ms] } } }
  routes: { all: { path: /, to: web } }
load: { rate: 200/s, for: 3s, warmup: 500ms, timeout: 1s }
timeline:
  in: { at: 500ms, remove: { backend: web-3, drain: 1s, until: window } }
  reload: { at: 1s, reload: { keeps: configuration } }
variants:
  forgotten: {}
  saved: { timeline: { reload: { reload: { keeps: state } } } }
control: [ forgotten.dropped > 0 ]
expect: [ saved.dropped == 0 ]
";

#[test]
fn a_reload_from_the_configuration_forgets_a_drain_and_one_with_the_servers_state_does_not() {
    let rig = RIG.beside_others();
    rig.write("forgets.yaml", FORGETS);
    let run = rig.run_file("forgets.yaml").json();
    let [forgotten, saved] = ["forgotten", "saved"].map(|variant| deploy(run.cell(Haproxy, variant)));
    // The deregistration held until the reload, which forgot it.
    assert_eq!(forgotten.replacements[0].late_arrivals, 0, "{run}");
    assert!(forgotten.replacements[0].arrivals_after_deregistration > Some(10), "{run}");
    assert_eq!((saved.replacements[0].late_arrivals, saved.scaling.removed), (0, 1), "{run}");
    run.exits(0);
}

const HUNDRED: &str = "
name: hundred
question: Can a pool have a hundred backends?
balancers: [haproxy]
topology:
  pools: { web: { backends: 100, latency: 5ms } }
  routes: { all: { path: /, to: web } }
load: { rate: 500/s, for: 2s, warmup: 500ms, timeout: 2s }
variants: { plain: {} }
expect: [ plain.dropped == 0 ]
";

#[test]
fn a_hundred_backends_serve_and_looking_at_them_does_not_hold_up_the_generator() {
    let rig = RIG.beside_others();
    rig.write("hundred.yaml", HUNDRED);
    let run = rig.run_file("hundred.yaml").json();
    let cell = run.cell(Haproxy, "plain");
    assert_eq!(cell.backends.values().filter(|share| share.requests >= 9).count(), 100, "{run}");
    assert_eq!(cell.counts.dropped, 0, "{run}");
    books_balance(cell);
    counts_are_trusted(cell);
}
