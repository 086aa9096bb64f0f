use std::collections::BTreeSet;
use std::time::Duration;

use model::plan::{Plan, Variant};
use model::scenario::{Choice, Scenario};

use super::*;

/// The only variant of a scenario whose pool, topology and timeline go on as given.
fn variant(kind: BalancerKind, backends: u32, topology: &str, deploy: &str) -> Variant {
    let text = format!(
        "name: rendered\nquestion: What is rendered?\nbalancers: [{kind}]\ntopology:\n  \
         pools: {{ web: {{ backends: {backends} }} }}\n  routes: {{ all: {{ path: /, to: web }} }}\n{topology}\
         load: {{ rate: 100/s, for: 10s, timeout: 5s }}\n\
         timeline: {{ rollout: {{ at: 4s, {deploy} }} }}\n"
    );
    let scenario = Scenario::parse("rendered.yaml", &text, &[]).unwrap_or_else(|why| panic!("{why}"));
    let plan = Plan::build(&scenario, &catalog(), &Choice::default()).unwrap_or_else(|why| panic!("{why}"));
    plan.variants[0].clone()
}

const CRASH: &str = "crash: web-1";
const DRAIN: &str = "deploy: { pool: web, drain: auto }";

/// All files, the main one first.
fn rendered(kind: BalancerKind, variant: &Variant) -> String {
    let rotation = Rotation::initial(&variant.topology);
    let site = example_site(variant, variant.balancers[0]);
    let files = adapter(kind).files(&variant.topology, &site, &rotation, &Templates::embedded());
    files.unwrap().into_iter().map(|file| file.text).collect::<Vec<_>>().join("\n")
}

fn settings_from(kind: BalancerKind, variant: &Variant, templates: &Templates) -> Vec<Setting> {
    let site = example_site(variant, variant.balancers[0]);
    let rotation = Rotation::initial(&variant.topology);
    let files = adapter(kind).files(&variant.topology, &site, &rotation, templates).unwrap();
    let arguments = adapter(kind).arguments(&variant.topology, &site, &files);
    adapter(kind).read_back().unwrap().settings(&Rendered {
        variant,
        files: &files,
        arguments: &arguments,
        templates,
        version: None,
    })
}

fn settings(kind: BalancerKind, variant: &Variant, name: &str) -> String {
    settings_from(kind, variant, &Templates::embedded())
        .into_iter()
        .find(|setting| setting.name == name)
        .unwrap()
        .rendered
}

/// The words after each `before`, up to `end`.
fn named<'t>(text: &'t str, before: &str, end: char) -> BTreeSet<&'t str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(end).next()).collect()
}

#[test]
fn every_upstream_that_nginx_can_be_led_to_is_there_and_has_a_server() {
    let surge = "deploy: { pool: web, drain: auto, strategy: surge }";
    for (backends, action) in [(1, CRASH), (1, surge), (2, DRAIN), (3, surge)] {
        let variant = variant(BalancerKind::Nginx, backends, "", action);
        let text = rendered(BalancerKind::Nginx, &variant);
        let upstreams = named(&text, "upstream web", ' ');
        assert_eq!(named(&text, "set $pool_0 web", ';'), upstreams, "{text}");
        assert_eq!(upstreams.len(), variant.topology.pools[0].backends.len() + 1);
        let without_servers = |block: &str| !block.split('}').next().unwrap().contains("server 127.");
        assert!(!text.split("upstream web").skip(1).any(without_servers), "{text}");
    }
}

#[test]
fn nginx_sends_nothing_to_the_only_backend_of_a_pool_when_it_is_out() {
    let text = rendered(BalancerKind::Nginx, &variant(BalancerKind::Nginx, 1, "", CRASH));
    let block = text.split("upstream web_without_web-1 {").nth(1).unwrap().split('}').next().unwrap();
    assert!(block.contains("server 127.0.1.10:20000 max_fails=0 down;"), "{text}");
    assert_eq!(text.matches(" down;").count(), 1);
}

#[test]
fn the_way_that_deploys_deregister_is_among_the_settings() {
    let nginx =
        |action| settings(BalancerKind::Nginx, &variant(BalancerKind::Nginx, 3, "", action), "deregister");
    assert!(nginx(DRAIN).starts_with("route flag"));
    assert!(nginx("deploy: { pool: web, drain: auto, deregister: reload }").ends_with("SIGHUP"));
    for untold in [CRASH, "deploy: { pool: web, drain: off }"] {
        assert_eq!(nginx(untold), "(nothing: no deploy tells the balancer)");
    }
    for (kind, words) in [(BalancerKind::Haproxy, "set server"), (BalancerKind::Envoy, "DRAINING")] {
        assert!(settings(kind, &variant(kind, 3, "", DRAIN), "deregister").contains(words), "{kind}");
    }
}

#[test]
fn a_balancer_has_the_time_that_its_probes_need() {
    let check = "  health_check: { every: 10s, timeout: 2s, rise: 3 }\n";
    for kind in [BalancerKind::Haproxy, BalancerKind::Envoy] {
        for (topology, seconds) in [(check, 46), ("  health_check: off\n", 10)] {
            let variant = variant(kind, 3, topology, DRAIN);
            let to = Rotation::initial(&variant.topology);
            let turn = Turn { to: &to, backend: "web-1", how: Deregister::Live };
            let site = example_site(&variant, variant.balancers[0]);
            let change = adapter(kind)
                .deregisters()
                .unwrap()
                .change(&variant.topology, &site, turn, &Templates::embedded())
                .unwrap();
            let waits: Vec<Duration> = change
                .steps
                .iter()
                .filter_map(|step| match step {
                    Step::Await { within, .. } => Some(*within),
                    _ => None,
                })
                .collect();
            assert_eq!(waits, [Duration::from_secs(seconds)], "{kind} {topology}");
        }
    }
}

const EJECT: &str = "  passive_health: { fails: 3, for: 1500ms }\n";

#[test]
fn haproxy_says_that_it_observes_only_if_it_does() {
    let kind = BalancerKind::Haproxy;
    let mut variant = variant(kind, 3, EJECT, CRASH);
    assert!(rendered(kind, &variant).contains("observe layer7 error-limit 3"));
    assert!(settings(kind, &variant, "passive_health").contains("`for` has no equivalent"));
    // Validation refuses this.
    variant.topology.health_check = None;
    assert!(!rendered(kind, &variant).contains("observe"));
    assert!(settings(kind, &variant, "passive_health").starts_with("(nothing"));
}

#[test]
fn envoy_ejects_for_the_time_that_is_asked_for() {
    let text = rendered(BalancerKind::Envoy, &variant(BalancerKind::Envoy, 3, EJECT, CRASH));
    for line in [
        "consecutive_5xx: 3",
        "base_ejection_time: 1.5s",
        "max_ejection_time: 1.5s",
        "interval: 0.1s",
        "enforcing_success_rate: 0",
        "successful_active_health_check_uneject_host: false",
    ] {
        assert!(text.lines().any(|l| l.trim() == line), "no `{line}` in {text}");
    }
}

#[test]
fn envoy_shares_the_response_timeout_among_its_tries() {
    let kind = BalancerKind::Envoy;
    let tries = |tries: u32, timeout: &str| {
        let topology = format!("  retries: {{ tries: {tries} }}\n  response_timeout: {timeout}\n");
        let variant = variant(kind, 3, &topology, CRASH);
        let said = settings(kind, &variant, "retries");
        let text = rendered(kind, &variant);
        let line = text.lines().find_map(|line| line.trim().strip_prefix("per_try_timeout: "));
        let line = line.unwrap().to_owned();
        assert!(said.contains(&format!("per_try_timeout: {line},")), "{said}");
        assert!(text.contains("host_selection_retry_max_attempts: 5"), "{text}");
        line
    };
    assert_eq!(tries(3, "6s"), "2s");
    assert_eq!(tries(7, "6s"), "0.857142857s");
    assert_eq!(tries(10, "1ms"), "0.001s");
}

#[test]
fn haproxy_says_that_closing_after_each_response_closes_both_sides() {
    let kind = BalancerKind::Haproxy;
    let variant = variant(kind, 3, "  client_keepalive: off\n", CRASH);
    assert!(rendered(kind, &variant).contains("option httpclose"));
    assert!(settings(kind, &variant, "client_keepalive").contains("to the server as well"));
}

#[test]
fn nginx_may_have_a_descriptor_for_either_side_of_each_connection() {
    let variant = variant(BalancerKind::Nginx, 3, "", CRASH);
    let descriptors = variant.traffic.connections * 2 + 1024;
    let text = rendered(BalancerKind::Nginx, &variant);
    assert!(text.contains(&format!("worker_rlimit_nofile {descriptors};")), "{text}");
}

#[test]
fn envoy_says_whether_it_looks_at_all_hosts_or_at_two() {
    let kind = BalancerKind::Envoy;
    for (balance, line, not, said) in [
        ("least_connections", "selection_method: FULL_SCAN", "lb_policy:", "FULL_SCAN"),
        ("two_choices", "lb_policy: LEAST_REQUEST", "FULL_SCAN", "Envoy's default, 2: power of two choices"),
    ] {
        let variant = variant(kind, 3, &format!("  balance: {balance}\n"), CRASH);
        let text = rendered(kind, &variant);
        assert!(text.contains(line) && !text.contains(not) && !text.contains("choice_count"), "{text}");
        assert!(settings(kind, &variant, "balance").contains(said));
    }
}

#[test]
fn a_sticky_route_has_the_balancers_cookie_and_others_have_none() {
    let sticky = |kind: BalancerKind| {
        let mut variant = variant(kind, 2, "", CRASH);
        variant.topology.routes[0].sticky = Some(model::topology::Sticky { cookie: "SRV".into() });
        variant
    };
    for (kind, lines) in [
        (
            BalancerKind::Nginx,
            &[
                "map $cookie_SRV $user_of_0 { \"\" $request_id; default $cookie_SRV; }",
                "add_header Set-Cookie $sticky_cookie always;",
                "hash $user_of_0 consistent;",
            ][..],
        ),
        (
            BalancerKind::Haproxy,
            &["cookie SRV insert indirect nocache", "server web-1 127.0.1.10:20000 cookie web-1"][..],
        ),
        (
            BalancerKind::Envoy,
            &["- name: envoy.filters.http.stateful_session", "cookie: {name: \"SRV\", path: \"/\"}"][..],
        ),
    ] {
        let text = rendered(kind, &sticky(kind));
        for line in lines {
            assert!(text.lines().any(|l| l.trim() == *line), "{kind}: no `{line}` in {text}");
        }
        assert!(settings(kind, &sticky(kind), "sticky").contains("SRV"), "{kind}");
        let plain = variant(kind, 2, "", CRASH);
        let text = rendered(kind, &plain).to_lowercase();
        assert!(!text.contains("cookie") && !text.contains("stateful"), "{kind}: {text}");
        assert!(
            settings_from(kind, &plain, &Templates::embedded())
                .iter()
                .all(|setting| setting.name != "sticky"),
            "{kind}"
        );
    }
    // Every upstream that a request can be led to, the ones without a backend that is out among them.
    let text = rendered(BalancerKind::Nginx, &sticky(BalancerKind::Nginx));
    assert_eq!(text.matches("hash $user_of_0 consistent;").count(), 3, "{text}");
}

#[test]
fn nginx_keeps_bound_users_at_a_backend_that_drains_where_its_version_can() {
    let deregistered = |version: &str, sticky: bool, standing| {
        let deploy = "deploy: { pool: web, drain: auto, deregister: reload }";
        let mut variant = variant(BalancerKind::Nginx, 3, "", deploy);
        variant.topology.routes[0].sticky = sticky.then(|| model::topology::Sticky { cookie: "SRV".into() });
        let version = version.parse().ok();
        let site = Site { version, ..example_site(&variant, variant.balancers[0]) };
        let to = Rotation::initial(&variant.topology).with("web-1", standing);
        let turn = Turn { to: &to, backend: "web-1", how: Deregister::Reload };
        let way = adapter(BalancerKind::Nginx).deregisters().unwrap();
        let change = way.change(&variant.topology, &site, turn, &Templates::embedded()).unwrap();
        let Step::Write { text, .. } = &change.steps[0] else { panic!("no file") };
        let block = text.split("upstream web {").nth(1).unwrap().split('}').next().unwrap();
        let server = block.lines().find(|line| line.contains("127.0.1.10:20000")).unwrap();
        let of_workers = matches!(change.drained, DrainSignal::OldWorkers(_));
        (server.trim_end_matches(';').rsplit(' ').next().unwrap().to_owned(), of_workers)
    };
    use Standing::{Draining, Out};
    assert_eq!(deregistered("1.31.3", true, Draining), ("drain".into(), false));
    assert_eq!(deregistered("1.31.3", true, Out).0, "down");
    for (version, sticky) in [("1.31.3", false), ("1.22", true), ("", true)] {
        assert_eq!(deregistered(version, sticky, Draining), ("down".into(), true), "{version} {sticky}");
    }
}

#[test]
fn as_many_workers_are_rendered_as_are_said() {
    for (kind, line) in [(BalancerKind::Nginx, "worker_processes 4"), (BalancerKind::Haproxy, "nbthread 4")] {
        let variant = variant(kind, 3, "  workers: 4\n", CRASH);
        assert!(rendered(kind, &variant).contains(line), "{kind}");
        assert!(settings(kind, &variant, "workers").starts_with(line), "{kind}");
    }
    let variant = variant(BalancerKind::Envoy, 3, "  workers: 4\n", CRASH);
    let arguments = adapter(BalancerKind::Envoy)
        .arguments(&variant.topology, &example_site(&variant, variant.balancers[0]), &[])
        .join(" ");
    assert!(arguments.contains("--concurrency 4"));
    assert!(settings(BalancerKind::Envoy, &variant, "workers").starts_with("--concurrency 4"));
}

#[test]
fn every_reload_ends_with_a_sighting_of_the_new_configuration_and_envoys_listener_differs() {
    let steps = |kind: BalancerKind, nth| {
        let variant = variant(kind, 3, "", CRASH);
        let rotation = Rotation::initial(&variant.topology).with("web-1", Standing::Draining);
        let site = example_site(&variant, variant.balancers[0]);
        adapter(kind)
            .reloads()
            .unwrap()
            .reload(&variant.topology, &site, &rotation, Keeps::Rotation, nth, &Templates::embedded())
            .unwrap()
    };
    for kind in BalancerKind::ALL.into_iter().filter(|kind| adapter(*kind).reloads().is_some()) {
        let steps = steps(kind, 1);
        let triggers = steps.iter().filter(|step| matches!(step, Step::Reload(_))).count();
        assert_eq!(triggers, 1, "{kind}");
        assert!(matches!(steps.last(), Some(Step::Await { .. })), "{kind}");
    }
    let listener = |nth| match steps(BalancerKind::Envoy, nth).swap_remove(0) {
        Step::Reload(Trigger::Write { path, text }) => (path, text),
        other => panic!("{other:?}"),
    };
    assert_eq!(listener(1).0, listener(2).0);
    assert_ne!(listener(1).1, listener(2).1);
    // A new worker of HAProxy's knows only what its file says.
    let Step::Write { text, .. } = &steps(BalancerKind::Haproxy, 1)[0] else { panic!("no file") };
    assert!(text.contains("server web-1 127.0.1.10:20000 disabled"), "{text}");
}

#[test]
fn without_any_grace_a_reload_leaves_the_old_configuration_no_time() {
    let told = |kind, topology| settings(kind, &variant(kind, 3, topology, CRASH), "reload_grace");
    for (kind, off, some) in [
        (BalancerKind::Nginx, "worker_shutdown_timeout 1ms;", "worker_shutdown_timeout 2500ms;"),
        (BalancerKind::Haproxy, "hard-stop-after 1ms", "hard-stop-after 2500ms"),
        (BalancerKind::Envoy, "--drain-time-s 0", "--drain-time-s 3"),
    ] {
        assert_eq!(told(kind, "  reload_grace: off\n"), off);
        assert_eq!(told(kind, "  reload_grace: 2500ms\n"), some);
    }
}
