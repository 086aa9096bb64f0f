//! Routing by path, header and share, in a short form, and what must turn it red.

use testing::{AccessLog, BALANCERS, CellSummary, Haproxy, Invocation, OutcomeKind, books_balance};

use crate::RIG;

fn routing(cell: &CellSummary) -> &report::routing::Routing {
    cell.routing.as_ref().expect("the load has pools")
}

/// The same with several keys set.
fn with(run: Invocation, sets: &[(&str, &str)]) -> Invocation {
    sets.iter().fold(run, |run, (key, value)| run.set(key, value))
}

#[test]
fn paths_lead_to_their_pools_at_layer_7_and_nowhere_in_particular_at_layer_4() {
    let short = [
        ("load.for", "1500ms"),
        ("load.warmup", "200ms"),
        ("timeline.ask-api.at", "500ms"),
        ("timeline.ask-site.at", "700ms"),
    ];
    let run = with(RIG.beside_others().run("path-routing").at_once(), &short).json();
    run.exits(0);
    for balancer in BALANCERS {
        let [seven, four] = ["layer7", "layer4"].map(|variant| run.cell(balancer, variant));
        let routed = routing(seven);
        assert_eq!((routed.expected, routed.misrouted), (Some(600), 0), "{balancer}");
        assert_eq!((routed.compared, routed.disagreements), (Some(600), 0), "{balancer}");
        assert!(routing(four).misrouted > 100, "{balancer}: {:?}", four.routing);
        // What can't be compared is not: a line per connection says nothing about requests.
        assert_eq!(four.books.access_log, AccessLog::PerConnection, "{balancer}");
        assert_eq!(routing(four).compared, None);
        books_balance(four);
        for cell in [seven, four] {
            // A response from the wrong pool is delivered all the same.
            assert_eq!((cell.counts.of(OutcomeKind::Ok), cell.counts.dropped), (600, 0), "{balancer}");
            let curl = &cell.curls[0];
            assert_eq!(curl.status, "exit status: 0", "{balancer}: {curl:?}");
            assert!(curl.transcript.contains("< x-rig-backend: "), "{balancer}: {curl:?}");
        }
        assert!(seven.curls[0].transcript.contains("x-rig-backend: api-"), "{balancer}");
    }
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_canary_gets_those_who_ask_for_it_and_a_ramp_more_of_the_others() {
    let short = [
        ("load.warmup", "200ms"),
        ("load.timeout", "500ms"),
        ("variants.no-route.load.for", "700ms"),
        ("variants.header.load.for", "1200ms"),
        ("variants.header.timeline", "null"),
        // Traefik may take a second or two for a change.
        ("variants.ramp.load.for", "3500ms"),
        ("variants.ramp.timeline.to-10.at", "400ms"),
        ("variants.ramp.timeline.to-50.at", "800ms"),
    ];
    let run = with(RIG.beside_others().run("canary").at_once(), &short).json();
    run.exits(0);
    for balancer in BALANCERS {
        let phases = &routing(run.cell(balancer, "ramp")).splits[0].phases;
        let asked = phases.iter().filter_map(|phase| phase.to.parts().get(1));
        let asked: Vec<String> = asked.map(|part| part.share.to_string()).collect();
        assert_eq!(asked, ["1%", "10%", "50%"], "{balancer}");
        // Half of some hundred requests: seven standard deviations away from 10 %.
        let [web, canary] = ["web", "canary"].map(|pool| phases[2].client[pool]);
        assert!(canary * 4 > web, "{balancer}: {phases:?}");
        for phase in phases {
            assert_eq!(phase.client, phase.logged, "{balancer}");
        }
        let control = routing(run.cell(balancer, "no-route"));
        assert!(control.misrouted > 0, "{balancer}: {control:?}");
    }
}

#[test]
fn a_misspelt_header_and_swapped_routes_turn_the_verdict() {
    let rig = RIG.beside_others();
    let misspelt = [
        ("load.for", "600ms"),
        ("load.warmup", "200ms"),
        ("load.mix.canary.headers", "{ X-Canary: null, X-Canry: \"true\" }"),
        ("variants.header.timeline", "null"),
        ("variants.ramp.timeline", "null"),
    ];
    let run = with(rig.run("canary").on([Haproxy]).variants(["header"]), &misspelt).json();
    run.exits(1);
    let classes = &routing(run.cell(Haproxy, "header")).classes;
    assert!(classes["canary"].misrouted > 0, "{classes:?}");
    assert_eq!(classes["lower-case"].misrouted, 0, "{classes:?}");

    let swapped = [
        ("load.for", "600ms"),
        ("load.warmup", "200ms"),
        ("timeline", "null"),
        ("topology.routes.api.to", "web"),
        ("topology.routes.site.to", "api"),
    ];
    let run = with(rig.run("path-routing").on([Haproxy]).variants(["layer7"]), &swapped).json();
    run.exits(1);
    let routed = routing(run.cell(Haproxy, "layer7"));
    assert_eq!(Some(routed.misrouted), routed.expected);
}

#[test]
fn a_timeline_that_asks_for_a_curl_that_is_not_there_is_refused_before_the_run() {
    let rig = RIG.idle();
    let missing = rig.run("path-routing").env("RIG_CURL", rig.path().join("curl"));
    missing.exits(3).complains("curl is not installed").leaves_nothing();
}
