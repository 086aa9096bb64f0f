use model::catalog::Capability;
use model::plan::Plan;
use model::scenario::{Choice, Scenario};

use super::*;

/// What `kind` has rendered for it with this listener, all files in one, and its settings.
fn rendered(kind: BalancerKind, listener: &str) -> (String, Vec<Setting>) {
    let text = format!(
        "name: rendered\nquestion: What is rendered?\nbalancers: [{kind}]\ntopology:\n  \
         pools: {{ web: {{ backends: 2 }} }}\n  routes: {{ all: {{ path: /, to: web }} }}\n  \
         listener: {{ {listener} }}\nload: {{ rate: 100/s, for: 10s }}\n"
    );
    let scenario = Scenario::parse("rendered.yaml", &text, &[]).unwrap_or_else(|why| panic!("{why}"));
    let plan = Plan::build(&scenario, &catalog(), &Choice::default()).unwrap_or_else(|why| panic!("{why}"));
    let variant = &plan.variants[0];
    let (rotation, site) =
        (Rotation::initial(&variant.topology), example_site(variant, variant.balancers[0]));
    let files = adapter(kind).files(&variant.topology, &site, &rotation, &Templates::embedded()).unwrap();
    let arguments = adapter(kind).arguments(&variant.topology, &site, &files);
    let templates = &Templates::embedded();
    let settings = adapter(kind).read_back().unwrap().settings(&Rendered {
        variant,
        files: &files,
        arguments: &arguments,
        templates,
        version: None,
    });
    (files.into_iter().map(|file| file.text).collect::<Vec<_>>().join("\n"), settings)
}

/// The balancers whose settings are read back.
fn configured() -> impl Iterator<Item = BalancerKind> {
    BalancerKind::ALL.into_iter().filter(|kind| adapter(*kind).read_back().is_some())
}

const KEY: &str = "/run/rig/certificates/server.pem";
const AUTHORITY: &str = "/run/rig/certificates/authority.pem";

#[test]
fn without_tls_nothing_is_said_of_it() {
    for kind in configured() {
        let (text, settings) = rendered(kind, "layer: 7");
        assert!(!text.contains("ssl") && !text.contains("/certificates/"), "{text}");
        assert!(!settings.iter().any(|setting| setting.name.starts_with("tls")), "{kind}");
    }
}

#[test]
fn the_balancer_has_the_key_only_where_it_ends_tls_and_the_authority_only_where_it_verifies() {
    for kind in configured() {
        let forwards = catalog().lacks(kind, Capability::Layer4).is_none();
        let of = |listener: &str| forwards || !listener.contains("layer: 4");
        for (listener, key, authority) in [
            ("tls: terminate", true, false),
            ("tls: reencrypt", true, true),
            (
                "layer: 4, tls: passthrough",
                false,
                matches!(kind, BalancerKind::Haproxy | BalancerKind::Envoy),
            ),
        ]
        .into_iter()
        .filter(|(listener, ..)| of(listener))
        {
            let (text, settings) = rendered(kind, listener);
            assert_eq!(text.contains(KEY), key, "{kind} {listener}: {text}");
            // nginx sends no probes, and Traefik's are connections without TLS.
            assert_eq!(text.contains(AUTHORITY), authority, "{kind} {listener}: {text}");
            assert!(settings.iter().any(|setting| setting.name == "tls"), "{kind} {listener}");
        }
    }
}

#[test]
fn whoever_speaks_tls_with_backends_verifies_their_name() {
    for (kind, verification, name) in [
        (BalancerKind::Nginx, "proxy_ssl_verify on;", "proxy_ssl_name rig.test;"),
        (BalancerKind::Haproxy, "verify required", "verifyhost rig.test"),
        (BalancerKind::Envoy, "trusted_ca", "matcher: {exact: rig.test}"),
        (BalancerKind::Caddy, "tls_trust_pool file {", "tls_server_name rig.test"),
        (BalancerKind::Traefik, "rootCAs: [\"/run/", "serverName: \"rig.test\""),
    ] {
        let (text, _) = rendered(kind, "tls: reencrypt");
        assert!(text.contains(verification) && text.contains(name), "{text}");
    }
}

#[test]
fn what_passes_through_is_looked_at_for_the_name_that_is_asked_for() {
    for (kind, looked_at) in [
        (BalancerKind::Nginx, "ssl_preread on;"),
        (BalancerKind::Haproxy, "req.ssl_sni"),
        (BalancerKind::Envoy, "server_names: [\"rig.test\"]"),
        (BalancerKind::Traefik, "rule: \"HostSNI(`rig.test`)\""),
    ] {
        let (text, _) = rendered(kind, "layer: 4, tls: passthrough");
        assert!(text.contains(looked_at), "{text}");
    }
}
