//! A pool that is found by its name: what each balancer is told of it, and what it says.

use model::plan::{Plan, Variant};
use model::scenario::{Choice, Scenario};

use super::*;

/// The only variant of a scenario with a pool that is found by DNS beside one that is not.
fn variant(balancer: &str) -> Result<Variant, String> {
    let text = format!(
        "name: found\nquestion: Is it found?\nbalancers: [{balancer}]\ntopology:\n  pools:\n    \
         web: {{ backends: 2, discovery: {{ dns: {{ ttl: 3s }} }} }}\n    api: {{ backends: 2 }}\n  \
         routes: {{ all: {{ path: /, to: web }}, api: {{ path: /api, to: api }} }}\n\
         load: {{ rate: 100/s, for: 30s }}\n\
         timeline: {{ rollout: {{ at: 4s, deploy: {{ pool: web, drain: 8s, new_address: true }} }} }}\n"
    );
    let scenario = Scenario::parse("found.yaml", &text, &[]).map_err(|problems| problems.to_string())?;
    let plan = Plan::build(&scenario, &catalog(), &Choice::default()).map_err(|it| it.to_string())?;
    Ok(plan.variants[0].clone())
}

const ABLE: [(BalancerKind, &str); 4] = [
    (BalancerKind::Nginx, "nginx@1.27.3"),
    (BalancerKind::Haproxy, "haproxy"),
    (BalancerKind::Envoy, "envoy"),
    (BalancerKind::Caddy, "caddy"),
];

fn files(kind: BalancerKind, variant: &Variant) -> (Site, Vec<ConfigFile>) {
    let site = example_site(variant, variant.balancers[0]);
    let rotation = Rotation::initial(&variant.topology);
    let files = adapter(kind).files(&variant.topology, &site, &rotation, &Templates::embedded()).unwrap();
    (site, files)
}

#[test]
fn a_pool_with_a_name_is_rendered_by_it_and_no_address_of_its_backends_is() {
    for (kind, name) in ABLE {
        let variant = variant(name).unwrap();
        let (site, files) = files(kind, &variant);
        let text: String = files.iter().map(|file| file.text.as_str()).collect();
        assert!(text.contains("web.rig.test"), "{kind}: {text}");
        for backend in &variant.topology.pool("web").unwrap().backends {
            let address = site.address_of(&backend.id);
            assert!(!text.contains(&format!("{}", address.ip())), "{kind} names {address}: {text}");
            assert!(!files.iter().any(|file| file.path.ends_with(&backend.id)), "{kind} has a flag for it");
        }
        assert!(text.contains(&site.address_of("api-1").ip().to_string()), "{kind}: {text}");
        assert_eq!(adapter(kind).misfits(&variant.topology, &site, &files), [], "{kind}");
    }
}

#[test]
fn a_template_that_does_not_name_the_pool_is_a_misfit() {
    for (kind, name) in ABLE {
        let variant = variant(name).unwrap();
        let (site, mut files) = files(kind, &variant);
        files.iter_mut().for_each(|file| file.text = file.text.replace("web.rig.test", "web.example"));
        let found = adapter(kind).misfits(&variant.topology, &site, &files);
        assert!(found.iter().any(|misfit| misfit.what.contains("web-1, web-2")), "{kind}: {found:?}");
    }
}

#[test]
fn when_it_asks_again_is_among_the_settings() {
    let said = |kind: BalancerKind, name: &str| {
        let variant = variant(name).unwrap();
        let (site, files) = files(kind, &variant);
        let arguments = adapter(kind).arguments(&variant.topology, &site, &files);
        let templates = &Templates::embedded();
        let rendered =
            Rendered { variant: &variant, files: &files, arguments: &arguments, templates, version: None };
        let settings = adapter(kind).read_back().unwrap().settings(&rendered);
        let of = |name: &str| settings.iter().find(|it| it.name == name).unwrap().rendered.clone();
        assert!(of("deregister").contains("removed from DNS"), "{kind}");
        of("discovery")
    };
    let [nginx, haproxy, envoy, caddy] = ABLE.map(|(kind, name)| said(kind, name));
    assert!(nginx.contains("ipv6=off") && nginx.contains("resolve"), "{nginx}");
    assert!(haproxy.contains("timeout resolve 3s; hold valid 3s"), "{haproxy}");
    assert!(envoy.contains("respect_dns_ttl: true") && envoy.contains("envoy.clusters.dns"), "{envoy}");
    assert!(caddy.contains("refresh 3s"), "{caddy}");
}

#[test]
fn what_can_not_find_it_is_refused_with_the_reason() {
    let refused = |name| variant(name).unwrap_err();
    assert!(refused("nginx").contains("nginx@1.27.3"), "{}", refused("nginx"));
    assert!(refused("nginx@1.26").contains("once, when it starts"), "{}", refused("nginx@1.26"));
    assert!(refused("traefik").contains("no provider"), "{}", refused("traefik"));
}

#[test]
fn haproxys_places_are_the_backends_whose_addresses_they_have() {
    let site = files(BalancerKind::Haproxy, &variant("haproxy").unwrap()).0;
    let answer = format!(
        "# pxname,svname,scur,status,addr\nweb,place1,3,UP,{}\nweb,place2,0,MAINT (resolution),\n\
         web,place3,0,MAINT (resolution),127.9.9.9:1\napi,api-1,0,UP,{}\n",
        site.address_of("web-2"),
        site.address_of("api-1"),
    );
    let view = (adapter(BalancerKind::Haproxy).view().unwrap().read)(&answer, &site).unwrap();
    let seen: Vec<_> = view.iter().map(|it| (it.backend.as_str(), it.up, it.in_flight)).collect();
    assert_eq!(seen, [("web-2", true, 3), ("api-1", true, 0)]);
}
