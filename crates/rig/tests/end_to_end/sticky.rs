//! Sessions across a deploy, with a real Redis: lost from memory, kept in the store, and known from who was asked.

use testing::{CellSummary, Envoy, Haproxy, Holding, Invocation, Sandbox, books_balance, deploy};

use crate::RIG;

/// The control and some deploys of the scenario, on one balancer and in a short form.
fn short<const N: usize>(rig: &Sandbox, variants: [&str; N]) -> Invocation {
    let deploys = ["cookie-deploy", "redis-deploy", "jwt-deploy", "jwt-key-replaced"];
    let run = rig.run("sticky-sessions").on([Envoy]).variants(variants).at_once();
    let run = run.set("variants.even.load.for", "500ms").set("variants.undrained-deploy.load.for", "3500ms");
    deploys.iter().fold(run, |run, variant| run.set(&format!("variants.{variant}.load.for"), "4s"))
}

fn lost(cell: &CellSummary) -> u64 {
    cell.users.unwrap().sessions.unwrap().lost
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_deploy_loses_sessions_from_memory_and_none_from_redis() {
    let rig = RIG.beside_others();
    let run = short(&rig, ["redis-deploy", "cookie-deploy"]).json();
    run.exits(0);
    let [even, memory, redis] =
        ["even", "cookie-deploy", "redis-deploy"].map(|variant| run.cell(Envoy, variant));
    for cell in [even, memory, redis] {
        books_balance(cell);
    }
    assert!(lost(even) > 0);
    assert!(lost(memory) > 0);
    assert_eq!((deploy(redis).replaced, lost(redis)), (3, 0));
    // The store ended with its cell, gracefully, and what backends signed with is nowhere.
    let history: String = rig.histories().into_iter().map(|history| history.text).collect();
    assert!(history.contains(r#""component":"redis/1","status":"exit status: 0""#), "{history}");
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_store_that_keeps_nothing_turns_the_claim_red() {
    let forgetful = short(&RIG.beside_others(), ["redis-deploy"]);
    let run = forgetful.set("variants.redis-deploy.topology.pools.web.sessions", "memory").json();
    run.exits(1);
    assert_eq!(*run.claim(Envoy, "even.sessions_lost > 0"), Holding::Held);
    assert_eq!(*run.claim(Envoy, "redis-deploy.sessions_lost == 0"), Holding::Failed);
}

#[test]
fn a_missing_redis_stops_only_what_needs_it() {
    let run = RIG.idle().run("sticky-sessions").on([Haproxy]).variants(["redis-deploy"]).loud();
    run.env("RIG_REDIS", "/nonexistent").exits(3).complains("RIG_REDIS names it");
}
