//! The sentence above every report, told from the plan alone.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use model::catalog::Catalog;
use model::experiment::experiment;
use model::plan::Plan;
use model::scenario::{Choice, Scenario, Set};

const SMALL: &str = "name: small\nquestion: Is it told?\ntopology:\n  pools: { web: { backends: 3, latency: \
                     { uniform: [50ms, 400ms], tail: { share: 2%, at: 800ms } } } }\n  routes: { all: { path: /, \
                     to: web } }\nload: { rate: 400/s, for: 20s, timeout: 5s, fresh_connections: 10% }\n";

fn told(text: &str, sets: &[&str]) -> String {
    let sets: Vec<Set> = sets.iter().map(|set| set.parse().unwrap()).collect();
    let scenario = Scenario::parse("small.yaml", &format!("{SMALL}{text}"), &sets).unwrap();
    let plan = Plan::build(&scenario, &Catalog::default(), &Choice::default());
    experiment(&plan.unwrap_or_else(|problems| panic!("{problems}")))
}

#[test]
fn it_says_the_load_who_serves_and_what_happens() {
    let text = "timeline: { rollout: { at: 4s, deploy: { pool: web, drain: off } } }\n";
    assert_eq!(
        told(text, &[]),
        "400 requests/s (constant) for 20 s, timeout 5 s, 10 % on fresh connections, against 3 backends that take \
         50–400 ms (2 %: 800 ms); at 4 s the pool web is replaced one by one, without draining"
    );
}

#[test]
fn what_variants_have_in_common_is_said_once() {
    let text = "timeline: { rollout: { at: 4s, deploy: { pool: web, drain: off } } }\nvariants:\n  without: {}\n  \
                with: { timeline: { rollout: { deploy: { drain: 2s } } } }\n  slow: { load: { rate: 20/s } }\n  \
                quiet: { timeline: { rollout: null } }\n";
    assert_eq!(
        told(text, &[]),
        "400 requests/s (constant) for 20 s, timeout 5 s, 10 % on fresh connections (without, with, quiet), or 20 requests/s (constant) for \
         20 s, timeout 5 s, 10 % on fresh connections (slow), against 3 backends that take 50–400 ms (2 %: 800 ms); at 4 s the pool web is \
         replaced one by one, without draining (without, slow), or drained until idle, 2 s at most (with)"
    );
}

#[test]
fn a_number_is_not_parted_from_its_unit_and_reused_connections_are_told() {
    let text = "variants:\n  fresh: {}\n  reused: { load: { fresh_connections: 0% } }\n  fewer: { load: { fresh_connections: 5% } }\n";
    assert_eq!(
        told(text, &[]),
        "400 requests/s (constant) for 20 s, timeout 5 s, 10 % on fresh connections (fresh), or on reused connections (reused), or \
         5 % on fresh connections (fewer), against 3 backends that take 50–400 ms (2 %: 800 ms)"
    );
    let text = "variants:\n  short: {}\n  long: { load: { timeout: 5s500ms } }\n  slow: { load: { timeout: 5s, for: 30s } }\n";
    let text = text.replace("5s500ms", "5500ms");
    assert_eq!(
        told(&text, &[]),
        "400 requests/s (constant) for 20 s, timeout 5 s, 10 % on fresh connections (short), or 20 s, timeout 5.5 s, 10 % on fresh \
         connections (long), or 30 s, timeout 5 s, 10 % on fresh connections (slow), against 3 backends that take 50–400 ms (2 %: 800 ms)"
    );
    let text = "timeline: { leave: { at: 4s, crash: web-1, for: 3s } }\nvariants:\n  short: {}\n  long: { timeline: { leave: { for: null } } }\n";
    let told = told(text, &[]);
    assert!(told.ends_with("at 4 s web-1 is killed for 3 s (short), or killed (long)"), "{told}");
    let text = "timeline: { leave: { at: 4s, jitter: 200ms, crash: web-1 } }\nvariants:\n  short: {}\n  long: { timeline: { leave: { \
                jitter: 800ms } } }\n";
    let told = self::told(text, &[]);
    let end =
        "between 4 s and 4.2 s web-1 is killed (short), or between 4 s and 4.8 s web-1 is killed (long)";
    assert!(told.ends_with(end), "{told}");
}

#[test]
fn overrides_are_in_it_and_so_is_everything_else_that_makes_the_load() {
    let text = "timeline:\n  first: { at: 1500ms, crash: web-1, for: 3s }\n  then: { after: first, reload: { times: 2, \
                every: 1s } }\n";
    let sets = [
        "load.rate=0.5/s",
        "load.arrivals=poisson",
        "load.fresh_connections=10%",
        "load.mix={ light: { share: 95% }, heavy: { share: 5%, path: /big, cost: 20x } }",
        "topology.pools.web.at_once=4",
        "topology.pools.web.latency={ uniform: null, tail: null, fixed: 1500ms }",
    ];
    assert_eq!(
        told(text, &sets),
        "0.5 requests/s (Poisson arrivals) for 20 s, timeout 5 s, 10 % on fresh connections, against 3 \
         backends that take 1.5 s for 4 at once; 95 % light (GET /), 5 % heavy (GET /big, 20 times the work); at \
         1.5 s web-1 is killed for 3 s; after first the balancer is reloaded 2 times, every 1 s"
    );
}

#[test]
fn unlike_backends_and_pools_are_told_apart() {
    let text = "";
    let sets = [
        "topology.pools={ web: { latency: { uniform: null, tail: null, fixed: 20ms }, backends: { a: { slower: 10x }, b: {}, c: {} } }, api: { \
         backends: 1, latency: { uniform: [900ms, 2s] } } }",
        "topology.routes.api={ path: /api, to: api }",
        "topology.listener={ layer: 4 }",
    ];
    let told = told(text, &sets);
    assert!(
        told.contains(
            "against the pools web (1 backend that takes 200 ms and 2 that take 20 ms) and api (1 backend that takes \
             900 ms–2 s); the listener works at layer 4"
        ),
        "{told}"
    );
}
