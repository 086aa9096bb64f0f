//! What a load may be: its connections, and the statuses that its classes expect.

use super::*;

#[test]
fn what_a_class_costs_counts_when_connections_are_too_few() {
    let with = |connections: u32| {
        format!(
            "name: small\nquestion: Does it build?\ntopology:\n  pools: {{ web: {{ backends: 3, latency: 100ms }} }}\n  routes: {{ all: {{ \
             path: /, to: web }} }}\nload:\n  rate: 100/s\n  for: 10s\n  connections: {connections}\n  mix: {{ light: {{ share: \
             90% }}, heavy: {{ share: 10%, cost: 20x }} }}\n"
        )
    };
    let built = |connections| build("small.yaml", &with(connections), &[], &Choice::default());
    // 100/s × 100 ms × (0.9 + 0.1 × 20).
    let plan = built(29).unwrap();
    assert_eq!(plan.variants[0].traffic.mix[1].cost, Factor(20.0));
    assert!(built(28).unwrap_err().to_string().contains("keeps 29 requests in flight"));
}

#[test]
fn a_cap_that_the_scenario_leaves_open_never_binds_or_is_the_machines() {
    let open = small_with("");
    let (own, traffic) =
        (small_with("variants: { a: { load: { connections: 500 } } }\n"), &open.variants[0].traffic);
    assert_eq!((traffic.connections, traffic.connections_from), (1191, Cap::Load));
    assert_eq!(own.variants[0].traffic.connections_from, Cap::Scenario);
    assert_eq!(open.carried(1191), open);
    assert_eq!(own.carried(10), own, "what the scenario asks for is had, or refused");
    for (carried, connections) in [(1190, 1190), (64, 64), (0, 64)] {
        let lowered = open.carried(carried);
        let traffic = &lowered.variants[0].traffic;
        assert_eq!((traffic.connections, traffic.connections_from), (connections, Cap::Machine));
    }
    // More than one address has ports for.
    let much = small_with("variants: { a: { load: { rate: 20000/s, for: 1s } } }\n");
    let traffic = &much.variants[0].traffic;
    assert_eq!((traffic.connections, traffic.connections_from), (64_512, Cap::Machine));
}

/// A help that is followed and refused again is no help.
#[test]
fn too_few_connections_are_told_what_is_accepted() {
    for (rate, latency) in
        [("400/s", "20ms"), ("5000/s", "2s"), ("20000/s", "3s"), ("20000/s", "4s"), ("7000/s", "10s")]
    {
        for connections in ["1", "7", "8192", "64512"] {
            let with = |connections: Option<&str>| {
                let load = format!("load={{rate: {rate}, for: 2s, warmup: 0s, timeout: 20s}}");
                let latency = format!("topology.pools.web.latency={latency}");
                let connections = connections.map(|it| format!("load.connections={it}"));
                let sets: Vec<String> = [load, latency].into_iter().chain(connections).collect();
                let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
                let small = "name: small\nquestion: Does it build?\ntopology:\n  pools: { web: { backends: 3 } }\n  \
                             routes: { all: { path: /, to: web } }\n";
                build("small.yaml", small, &sets, &Choice::default()).map_err(|problems| problems.to_string())
            };
            let Err(refused) = with(Some(connections)) else { continue };
            assert_eq!(refused.contains("leave `connections` out"), with(None).is_ok(), "{refused}");
        }
    }
}

#[test]
fn a_class_expects_the_statuses_that_it_names_or_its_route() {
    let plan = small_with(
        "variants:\n  a:\n    topology: { routes: { all: { expect_status: [2xx, 404] } } }\n    load: { mix: { a: { share: \
         50% }, b: { share: 50%, expect_status: 3xx } } }\n  none: {}\n",
    );
    let [a, none] = plan.variants.as_slice() else { panic!("two variants") };
    let of = |class: &RequestClass| class.expect_status.as_ref().map(ToString::to_string);
    assert_eq!(
        a.traffic.mix.iter().map(of).collect::<Vec<_>>(),
        [Some("[2xx, 404]".into()), Some("3xx".into())]
    );
    assert_eq!(of(&none.traffic.mix[0]), None);
    let statuses = a.traffic.mix[0].expect_status.as_ref().unwrap();
    let contained: Vec<u16> =
        [199, 200, 299, 300, 403, 404, 405].into_iter().filter(|it| statuses.contain(*it)).collect();
    assert_eq!(contained, [200, 299, 404]);
}
