//! Settings are what is in force, whatever rig would have written.

use model::plan::Plan;
use model::scenario::{Choice, Scenario};
use model::timeline::{Action, Entry, Reload, When};
use model::units::Span;

use super::read_back::NOT_KNOWN;
use super::read_back_bench::{of, refused, settings, variant};
use super::*;

const NGINX: &str = "nginx/nginx.conf";
const HAPROXY: &str = "haproxy/haproxy.cfg";

#[test]
fn a_changed_template_changes_what_is_said_and_nothing_else() {
    use BalancerKind::{Envoy, Haproxy, Nginx};
    let servers = "{% if server_parameters %} {{ server_parameters }}{% endif %}";
    let retries = "{% for directive in retries %}\n  {{ directive }}\n  {% endfor %}";
    for (kind, template, from, to, name, was, is) in [
        (
            Nginx,
            NGINX,
            "{{ next_upstream }}",
            "proxy_next_upstream error http_502; proxy_next_upstream_tries 2;",
            "retries",
            "proxy_next_upstream off;",
            "proxy_next_upstream error http_502; proxy_next_upstream_tries 2;",
        ),
        (
            Nginx,
            NGINX,
            "{{ next_upstream }}",
            "",
            "retries",
            "proxy_next_upstream off;",
            "(nothing: nginx's default, proxy_next_upstream error timeout;)",
        ),
        (
            Nginx,
            NGINX,
            "proxy_pass {{",
            "proxy_next_upstream timeout; proxy_pass {{",
            "retries",
            "proxy_next_upstream off;",
            "proxy_next_upstream timeout;",
        ),
        (
            Nginx,
            NGINX,
            servers,
            " max_fails=7 fail_timeout=3s",
            "passive_health",
            "max_fails=0",
            "max_fails=7 fail_timeout=3s",
        ),
        (
            Nginx,
            NGINX,
            servers,
            " max_conns=5",
            "limits",
            "(nothing: nginx's default, no limit)",
            "max_conns=5",
        ),
        (
            Nginx,
            NGINX,
            "{{ keepalive_timeout }}",
            "9s",
            "client_keepalive",
            "keepalive_timeout 75000ms;",
            "keepalive_timeout 9s;",
        ),
        (
            Nginx,
            NGINX,
            "{{ response_timeout_ms }}ms",
            "7s",
            "response_timeout",
            "proxy_read_timeout 11000ms;",
            "proxy_read_timeout 7s;",
        ),
        (
            Nginx,
            NGINX,
            "{{ shutdown_timeout }}",
            "4s",
            "reload_grace",
            "worker_shutdown_timeout 30000ms;",
            "worker_shutdown_timeout 4s;",
        ),
        (
            Nginx,
            NGINX,
            "keepalive 256;",
            "keepalive 3;",
            "upstream_keepalive",
            "keepalive 256; proxy_http_version 1.1; proxy_set_header Connection \"\";",
            "keepalive 3; proxy_http_version 1.1; proxy_set_header Connection \"\";",
        ),
        (
            Haproxy,
            HAPROXY,
            retries,
            "retries 5\n  option redispatch",
            "retries",
            "retries 0",
            "retries 5; option redispatch",
        ),
        (
            Haproxy,
            HAPROXY,
            retries,
            "",
            "retries",
            "retries 0",
            "(nothing: HAProxy's default, retries 3, on connection failures)",
        ),
        (
            Haproxy,
            HAPROXY,
            "  balance {{ algorithm }}",
            "  balance first\n  retries 9",
            "retries",
            "retries 0",
            "retries 9",
        ),
        (
            Haproxy,
            HAPROXY,
            "  balance {{ algorithm }}",
            "  balance first",
            "balance",
            "balance roundrobin",
            "balance first",
        ),
        (
            Haproxy,
            HAPROXY,
            "{{ hard_stop_after }}",
            "4s",
            "reload_grace",
            "hard-stop-after 30000ms",
            "hard-stop-after 4s",
        ),
        (
            Haproxy,
            HAPROXY,
            "{{ server.address }}",
            "{{ server.address }} maxconn 4",
            "limits",
            "(nothing: HAProxy's default, no limit)",
            "maxconn 4",
        ),
        (
            Haproxy,
            HAPROXY,
            "timeout server {{ response_timeout_ms }}ms",
            "timeout server 9s",
            "response_timeout",
            "timeout server 11000ms",
            "timeout server 9s",
        ),
        (
            Envoy,
            "envoy/envoy.yaml",
            "value: \" ~ panic ~ \"",
            "value: 50",
            "panic",
            "healthy_panic_threshold: {value: 0}",
            "healthy_panic_threshold: {value: 50}",
        ),
        (
            Envoy,
            "envoy/envoy.yaml",
            "{% if not limited %}",
            "{% if false %}",
            "limits",
            "",
            "(nothing: Envoy's default, 1024",
        ),
        (
            Envoy,
            "envoy/envoy.yaml",
            "connect_timeout: 1s",
            "connect_timeout: 3s",
            "connect_timeout",
            "connect_timeout: 1s",
            "connect_timeout: 3s",
        ),
        (
            Envoy,
            "envoy/routes.yaml",
            "timeout: {{ response_timeout }}",
            "timeout: 2s\n        retry_policy: {retry_on: 5xx, num_retries: 4}",
            "retries",
            "(nothing: Envoy's default, no retries)",
            "num_retries: 4",
        ),
    ] {
        let variant = variant(kind, "");
        let before = settings(&variant, None);
        let after = settings(&variant, Some((template, from, to)));
        // As it was, exactly; as it is, by its words.
        assert!(was.is_empty() || of(&before, name) == was, "{name}: {}", of(&before, name));
        assert!(of(&after, name).contains(is), "{name}: {}", of(&after, name));
        assert_ne!(of(&after, name), of(&before, name));
        assert_eq!(of(&before, "template"), "built-in");
        assert!(of(&after, "template").starts_with("own: "), "{after:?}");
        let others = |settings: &[Setting]| {
            let kept = settings.iter().filter(|it| ![name, "template"].contains(&it.name.as_str()));
            kept.filter(|it| it.rendered != NOT_KNOWN).map(|it| it.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(others(&before), others(&after), "{name}");
    }
}

#[test]
fn what_may_stand_in_another_file_is_not_known() {
    let variant = variant(BalancerKind::Nginx, "");
    let included =
        settings(&variant, Some((NGINX, "{{ next_upstream }}", "include /etc/nginx/upstreams.conf;")));
    assert_eq!(of(&included, "retries"), NOT_KNOWN);
    let types = settings(&variant, Some((NGINX, "{{ next_upstream }}", "include /etc/nginx/mime.types;")));
    assert!(of(&types, "retries").starts_with("(nothing"), "{types:?}");
}

#[test]
fn a_template_that_tests_no_flag_does_not_deregister() {
    let mut variant = variant(BalancerKind::Nginx, "");
    let text = "deploy: { pool: web, drain: auto }";
    let scenario = format!(
        "name: read\nquestion: Is it out?\nbalancers: [nginx]\ntopology:\n  pools: {{ web: {{ backends: 2 }} }}\n  routes: {{ all: \
         {{ path: /, to: web }} }}\nload: {{ rate: 100/s, for: 10s, timeout: 5s }}\ntimeline: {{ d: {{ at: 4s, {text} }} }}\n"
    );
    let scenario = Scenario::parse("read.yaml", &scenario, &[]).unwrap_or_else(|why| panic!("{why}"));
    let plan = Plan::build(&scenario, &catalog(), &Choice::default()).unwrap_or_else(|why| panic!("{why}"));
    variant.clone_from(&plan.variants[0]);
    assert!(of(&settings(&variant, None), "deregister").starts_with("route flag"));
    let ignored = settings(&variant, Some((NGINX, "if (-f ", "if (-x ")));
    assert!(of(&ignored, "deregister").starts_with("(no request tests the file"), "{ignored:?}");
}

#[test]
fn defaults_that_users_have_are_rendered_as_nothing_and_read_back() {
    use BalancerKind::{Envoy, Haproxy, Nginx};
    let theirs = "  passive_health: { fails: 5, for: 10s }\n  panic: default\n  max_ejection: default\n  limits: default\n  \
                  upstream_keepalive: default\n";
    let envoy = settings(&variant(Envoy, theirs), None);
    assert_eq!(of(&envoy, "panic"), "(nothing: Envoy's default, 50 %)");
    assert!(of(&envoy, "limits").starts_with("(nothing: Envoy's default, 1024"));
    assert!(!of(&envoy, "passive_health").contains("max_ejection_percent"));
    let set = "  passive_health: { fails: 5, for: 10s }\n  panic: 30%\n  max_ejection: 25%\n";
    let envoy = settings(&variant(Envoy, set), None);
    assert_eq!(of(&envoy, "panic"), "healthy_panic_threshold: {value: 30}");
    assert!(of(&envoy, "passive_health").contains("max_ejection_percent: 25"), "{envoy:?}");
    let nginx = settings(&variant(Nginx, theirs), None);
    assert_eq!(
        of(&nginx, "upstream_keepalive"),
        "(nothing: nginx's default, no connection is kept) (nothing: nginx's default, proxy_http_version 1.0)"
    );
    let haproxy = settings(&variant(Haproxy, theirs), None);
    assert_eq!(of(&haproxy, "upstream_keepalive"), "(nothing: HAProxy's default, http-reuse safe)");
}

#[test]
fn a_saved_state_is_loaded_where_a_reload_keeps_it_and_the_settings_say_so() {
    let mut variant = variant(BalancerKind::Haproxy, "");
    let reload = Reload { keeps: Keeps::State, ..Reload::default() };
    let (name, when) = ("reload".to_owned(), When::At(Span::millis(0)));
    variant.timeline.push(Entry { name, when, jitter: Span::default(), action: Action::Reload(reload) });
    let state = settings(&variant, None);
    assert_eq!(
        of(&state, "server_state"),
        "server-state-file /run/rig/balancer/servers.state; load-server-state-from-file global"
    );
    let site = example_site(&variant, variant.balancers[0]);
    let rotation = Rotation::initial(&variant.topology).with("web-1", Standing::Draining);
    let steps = |keeps| {
        let reloads = adapter(BalancerKind::Haproxy).reloads().unwrap();
        reloads.reload(&variant.topology, &site, &rotation, keeps, 1, &Templates::embedded()).unwrap()
    };
    let saves = |step: &Step| matches!(step, Step::Save { path, .. } if path == "servers.state");
    assert!(steps(Keeps::State).iter().any(saves));
    // What another reload saved is not loaded where this one keeps something else.
    assert!(!steps(Keeps::Configuration).iter().any(saves));
    let emptied = |step: &Step| matches!(step, Step::Write { path, .. } if path == "servers.state");
    assert!(steps(Keeps::Configuration).iter().any(emptied));
}

#[test]
fn a_forgetful_reload_reads_the_file_that_the_balancer_was_started_from() {
    use BalancerKind::{Haproxy, Nginx};
    let reloaded = |kind, keeps| {
        let variant = variant(kind, "");
        let rotation = Rotation::initial(&variant.topology).with("web-1", Standing::Draining);
        let steps = adapter(kind)
            .reloads()
            .unwrap()
            .reload(
                &variant.topology,
                &example_site(&variant, variant.balancers[0]),
                &rotation,
                keeps,
                1,
                &Templates::embedded(),
            )
            .unwrap();
        let written = steps.into_iter().find_map(|step| match step {
            Step::Write { text, .. } => Some(text),
            _ => None,
        });
        written.unwrap_or_default()
    };
    let out = "server web-1 127.0.1.10:20000 disabled";
    assert!(reloaded(Haproxy, Keeps::Rotation).contains(out));
    let forgotten = reloaded(Haproxy, Keeps::Configuration);
    assert!(!forgotten.contains("disabled") && forgotten.contains("server web-1"), "{forgotten}");
    assert_eq!(reloaded(Nginx, Keeps::Rotation), "", "its file says already who is down");
    let forgotten = reloaded(Nginx, Keeps::Configuration);
    assert!(forgotten.contains("server 127.0.1.10:20000 max_fails=0;"), "{forgotten}");
}

#[test]
fn limits_of_each_backend_are_rendered_and_read_back() {
    use BalancerKind::{Caddy, Envoy, Haproxy, Nginx};
    let apart = "for each upstream block that has the server; nothing waits: 502";
    let rule = "http-request set-var(txn.refused) str(queue full) if { nbsrv gt 0 } { be_conn_free eq 0 } { queue ge 5 }; \
                http-request deny deny_status 503 if { var(txn.refused) -m found }";
    let envoy = |pending: &str| {
        format!(
            "circuit_breakers: {{thresholds: {{max_connections: 100000, {pending}max_requests: 100000, max_retries: 100000}}, \
             per_host_thresholds: {{max_connections: 2}}}}"
        )
    };
    for (kind, limits, said, waits) in [
        (Nginx, "{ connections: 2 }", format!("max_conns=2, {apart}"), None),
        (Nginx, "{ connections: 2, queue: 0 }", format!("max_conns=2, {apart}"), None),
        (
            Haproxy,
            "{ connections: 2 }",
            "maxconn 2".into(),
            Some("(nothing: HAProxy's default, as `timeout connect`)"),
        ),
        (
            Haproxy,
            "{ connections: 2, queue: 5, queue_timeout: 300ms }",
            format!("maxconn 2; {rule}"),
            Some("timeout queue 300ms"),
        ),
        (Envoy, "{ connections: 2 }", envoy(""), None),
        (Envoy, "{ connections: 2, queue: 7 }", envoy("max_pending_requests: 7, "), None),
        (Caddy, "{ connections: 2 }", "unhealthy_request_count 2; nothing waits: 503".into(), None),
    ] {
        let settings = settings(&variant(kind, &format!("  limits: {limits}\n")), None);
        // Objects of YAML come in the order of their keys.
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split([',', ' ', '{', '}']).map(str::to_owned).collect();
            words.sort_unstable();
            words
        };
        assert_eq!(sorted(of(&settings, "limits")), sorted(&said), "{kind}: {}", of(&settings, "limits"));
        if let Some(waits) = waits {
            assert_eq!(of(&settings, "queue_timeout"), waits);
        }
        let none = super::read_back_bench::settings(&variant(kind, ""), None);
        assert_ne!(of(&none, "limits"), of(&settings, "limits"));
    }
}

#[test]
fn what_a_balancer_can_not_limit_is_refused_with_the_reason() {
    use BalancerKind::{Caddy, Envoy, Haproxy, Nginx, Traefik};
    for (kind, limits, why) in [
        (Nginx, "{ connections: 2, queue: 5 }", "nginx OSS has no queue"),
        (Nginx, "{ connections: 2, queue_timeout: 1s }", "nginx OSS has no queue"),
        (Envoy, "{ connections: 2, queue: 0 }", "max_pending_requests 0 refuses"),
        (Envoy, "{ connections: 2, queue_timeout: 1s }", "only the route's timeout"),
        (Caddy, "{ connections: 2, queue: 1 }", "Caddy has no queue"),
        (Caddy, "{ connections: 2, queue_timeout: 1s }", "sends failed ones again"),
        (Traefik, "{ connections: 2 }", "inFlightReq counts the requests of a router"),
        (Haproxy, "{ connections: 2, queue: 0, queue_timeout: 1s }", "nothing where nothing waits"),
    ] {
        let said = refused(kind, &format!("  limits: {limits}\n"));
        assert!(said.contains(why), "{kind} {limits}: {said}");
    }
}
