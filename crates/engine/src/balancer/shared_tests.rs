//! Which part of a pool's requests each backend gets: weights, backups and slow starts, rendered, read back, and refused with the
//! reason where a balancer can't.

use super::read_back_bench::{of, refused, refused_of, settings, variant_of};
use super::*;

const WEIGHTED: &str = "{ web-1: { weight: 3 }, web-2: {} }";
const BACKED_UP: &str = "{ web-1: {}, web-2: {}, web-3: { backup: true }, web-4: { backup: true } }";

fn read(balancer: &str, backends: &str, topology: &str, name: &str) -> String {
    of(&settings(&variant_of(balancer, backends, topology), None), name).to_owned()
}

#[test]
fn weights_are_rendered_where_backends_differ_and_read_back() {
    for (balancer, said, unsaid) in [
        ("nginx", "weight=3 · elsewhere: weight=1", "(nothing: nginx's default, weight=1)"),
        ("haproxy", "weight 3 · elsewhere: weight 1", "(nothing: HAProxy's default, weight 1)"),
        (
            "envoy",
            "load_balancing_weight: 3 · elsewhere: load_balancing_weight: 1",
            "(nothing: Envoy's default, 1)",
        ),
        (
            "caddy",
            "lb_policy weighted_round_robin 3 1 · elsewhere: lb_policy round_robin",
            "(nothing: Caddy's default, 1)",
        ),
        ("traefik", "weight: 3 · elsewhere: weight: 1", "(nothing: Traefik's default, 1)"),
    ] {
        assert_eq!(read(balancer, WEIGHTED, "", "weight"), said, "{balancer}");
        for even in ["2", "{ web-1: { weight: 3 }, web-2: { weight: 3 } }"] {
            assert_eq!(read(balancer, even, "", "weight"), unsaid, "{balancer} {even}");
        }
    }
}

#[test]
fn every_set_of_caddys_upstreams_has_the_weights_of_those_that_are_in_it() {
    let variant = variant_of("caddy", "{ web-1: { weight: 3 }, web-2: {}, web-3: { weight: 2 } }", "");
    let site = example_site(&variant, variant.balancers[0]);
    let rotation = Rotation::initial(&variant.topology);
    let caddy = adapter(BalancerKind::Caddy);
    let files = caddy.files(&variant.topology, &site, &rotation, &Templates::embedded()).unwrap();
    let text = &files[0].text;
    for (snippet, weights, import) in [
        ("pool_0", "3 1 2", "import pool_0 127.0.1.10:20000 127.0.1.11:20000 127.0.1.12:20000"),
        ("pool_0_without_web-1", "1 2", "import pool_0_without_web-1 127.0.1.11:20000 127.0.1.12:20000"),
        ("pool_0_without_web-2", "3 2", "import pool_0_without_web-2 127.0.1.10:20000 127.0.1.12:20000"),
    ] {
        let body = text.split(&format!("({snippet}) {{")).nth(1).unwrap();
        let policy =
            body.lines().find_map(|line| line.trim().strip_prefix("lb_policy weighted_round_robin "));
        assert_eq!(policy, Some(weights), "{text}");
        assert!(text.lines().any(|line| line.trim() == import), "{text}");
    }
}

#[test]
fn a_backup_is_rendered_and_read_back_and_alone_in_no_upstream() {
    for (balancer, said, unsaid) in [
        ("nginx", "(nothing: nginx's default, none) · elsewhere: backup", "(nothing: nginx's default, none)"),
        (
            "haproxy",
            "(nothing: HAProxy's default, none) · elsewhere: backup; option allbackups",
            "(nothing: HAProxy's default, none)",
        ),
        (
            "envoy",
            "(nothing: Envoy's default, none) · elsewhere: priority: 1; policy: {overprovisioning_factor: 400}",
            "(nothing: Envoy's default, none)",
        ),
    ] {
        assert_eq!(read(balancer, BACKED_UP, "", "backup"), said, "{balancer}");
        assert_eq!(read(balancer, "2", "", "backup"), unsaid, "{balancer}");
    }
    let variant = variant_of("nginx", "{ web-1: {}, web-2: { backup: true } }", "");
    let site = example_site(&variant, variant.balancers[0]);
    let rotation = Rotation::initial(&variant.topology);
    let nginx = adapter(BalancerKind::Nginx);
    let files = nginx.files(&variant.topology, &site, &rotation, &Templates::embedded()).unwrap();
    let text = &files[0].text;
    let absent = text.split("upstream web_without_web-1 {").nth(1).unwrap().split('}').next().unwrap();
    assert!(absent.contains("server 127.0.1.10:20000 max_fails=0 down;"), "{absent}");
    assert!(absent.contains("server 127.0.1.11:20000 max_fails=0 backup;"), "{absent}");
}

#[test]
fn a_slow_start_is_rendered_with_what_chooses_and_read_back() {
    for (balancer, topology, said) in [
        ("haproxy", "", "slowstart 1500ms"),
        ("envoy", "", "slow_start_config: {slow_start_window: 1.5s}"),
        ("envoy", "  balance: least_connections\n", "slow_start_config: {slow_start_window: 1.5s}"),
        ("envoy", "  balance: two_choices\n", "slow_start_config: {slow_start_window: 1.5s}"),
    ] {
        let slowly = format!("  slow_start: 1500ms\n{topology}");
        assert_eq!(read(balancer, "2", &slowly, "slow_start"), said, "{balancer} {topology}");
        assert!(read(balancer, "2", topology, "slow_start").starts_with("(nothing"), "{balancer} {topology}");
    }
}

#[test]
fn parts_that_a_balancer_can_not_give_are_refused_with_the_reason() {
    use BalancerKind::{Caddy, Envoy, Haproxy, Nginx, Traefik};
    for (kind, backends, topology, why) in [
        (Envoy, WEIGHTED, "  balance: least_connections\n", "each divided by the requests in hand"),
        (Envoy, WEIGHTED, "  balance: two_choices\n", "each divided by the requests in hand"),
        (Caddy, WEIGHTED, "  balance: least_connections\n", "weighted_round_robin only"),
        (Caddy, WEIGHTED, "  balance: source_hash\n", "weighted_round_robin only"),
        (Traefik, WEIGHTED, "  balance: two_choices\n", "p2c does not look at weights"),
        (Traefik, WEIGHTED, "  listener: { layer: 4 }\n", "weights for HTTP only"),
        (Nginx, BACKED_UP, "  balance: source_hash\n", "refuses `backup` where"),
        (Nginx, BACKED_UP, "  balance: two_choices\n", "refuses `backup` where"),
        (Caddy, BACKED_UP, "", "Caddy has no backups"),
        (Traefik, BACKED_UP, "", "a service of its own (failover)"),
        (
            Haproxy,
            "{ web-1: { weight: 3 }, web-2: {} }, discovery: { dns: {} }",
            "",
            "known by the pool's name",
        ),
        (Haproxy, "{ web-1: { backup: true }, web-2: { backup: true } }", "", "none to stand in for"),
    ] {
        let said = refused_of(kind, backends, topology);
        assert!(said.contains(why), "{kind} {backends} {topology}: {said}");
    }
    for (kind, topology, why) in [
        (Nginx, "", "commercial"),
        (Caddy, "", "its part at once"),
        (Traefik, "", "its part at once"),
        (Envoy, "  balance: source_hash\n", "ROUND_ROBIN and LEAST_REQUEST only"),
    ] {
        let said = refused(kind, &format!("  slow_start: 10s\n{topology}"));
        assert!(said.contains(why), "{kind}: {said}");
    }
}
