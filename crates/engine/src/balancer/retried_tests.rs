//! What each balancer sends again: rendered, read back, and refused with the reason where it can't tell.

use super::read_back_bench::{of, refused, settings, variant_of};
use super::*;

/// The setting of a balancer with these retries.
fn read(balancer: &str, retries: &str) -> String {
    let variant = variant_of(balancer, "2", &format!("  retries: {retries}\n"));
    of(&settings(&variant, None), "retries").split("; beside that").next().unwrap().to_owned()
}

#[test]
fn retries_are_rendered_in_each_balancers_words_and_read_back() {
    for (balancer, retries, said) in [
        (
            "nginx",
            "{ tries: 3 }",
            "proxy_next_upstream error timeout http_502 http_503 http_504; proxy_next_upstream_tries 3;",
        ),
        (
            "nginx",
            "{ tries: 3, on: [reset, refused, timeout] }",
            "proxy_next_upstream error timeout; proxy_next_upstream_tries 3;",
        ),
        (
            "nginx",
            "{ tries: 2, on: [503, 500] }",
            "proxy_next_upstream http_500 http_503; proxy_next_upstream_tries 2;",
        ),
        (
            "haproxy",
            "{ tries: 3 }",
            "retries 2; option redispatch 1; retry-on conn-failure empty-response response-timeout 502 503 504",
        ),
        (
            "haproxy",
            "{ tries: 2, on: [timeout, 500] }",
            "retries 1; option redispatch 1; retry-on response-timeout 500",
        ),
        ("haproxy", "{ tries: 2, on: [refused] }", "retries 1; option redispatch 1; retry-on conn-failure"),
        (
            "envoy",
            "{ tries: 2, on: [refused, reset], backoff: 50ms, budget: 12.5% }",
            "retry_policy: {retry_on: connect-failure,reset, num_retries: 1, retry_back_off: {base_interval: 0.05s}, \
             host_selection_retry_max_attempts: 5, retry_host_predicate: {name: envoy.retry_host_predicates.previous_hosts, \
             typed_config: {}}}; retry_budget: {budget_percent: {value: 12.5}}",
        ),
        (
            "envoy",
            "{ tries: 2, on: [500, 503] }",
            "retry_policy: {retry_on: retriable-status-codes, num_retries: 1, retriable_status_codes: [500, 503], \
             host_selection_retry_max_attempts: 5, retry_host_predicate: {name: envoy.retry_host_predicates.previous_hosts, \
             typed_config: {}}}",
        ),
        ("caddy", "{ tries: 3 }", "lb_retries 2"),
        (
            "caddy",
            "{ tries: 3, on: [refused, reset, timeout], backoff: 10ms }",
            "lb_retries 2, lb_try_interval 10ms",
        ),
        (
            "caddy",
            "{ tries: 3, on: [refused] }",
            "lb_retries 2, lb_retry_match, method GET, expression false",
        ),
        (
            "caddy@2.11.3",
            "{ tries: 3, on: [refused, 503] }",
            "lb_retries 2, lb_retry_match, method GET, expression !({rp.is_transport_error} == true) && {rp.status_code} in [503]",
        ),
        (
            "caddy@2.11.3",
            "{ tries: 3, on: [refused, reset, timeout, 502, 503] }",
            "lb_retries 2, lb_retry_match, method GET, expression {rp.is_transport_error} == true || {rp.status_code} in [502, 503]",
        ),
        ("traefik", "{ tries: 3 }", "retry: {attempts:3}"),
        ("traefik", "{ tries: 3, on: [refused], backoff: 10ms }", "retry: {attempts:3,initialInterval:10ms}"),
        ("traefik", "{ tries: 3, on: [refused, reset, 502, 503] }", "retry: {attempts:3,status:[502,503]}"),
        (
            "traefik",
            "{ tries: 3, on: [500] }",
            "retry: {attempts:3,disableRetryOnNetworkError:true,status:[500]}",
        ),
    ] {
        // The order of what a map holds is its parser's.
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split([',', ' ', '{', '}']).map(str::to_owned).collect();
            words.sort_unstable();
            words
        };
        let read = read(balancer, retries);
        assert_eq!(sorted(&read), sorted(said), "{balancer} {retries}: {read}");
    }
}

#[test]
fn a_try_of_envoys_has_a_time_of_its_own_only_where_a_late_response_is_tried_again() {
    let late = |on: &str| read("envoy", &format!("{{ tries: 2, on: {on} }}")).contains("per_try_timeout");
    assert!(late("[refused, reset, timeout]") && !late("[refused, reset]") && !late("[503]"));
}

#[test]
fn a_budget_leaves_envoys_other_limits_as_they_are() {
    let limits =
        |topology: &str| of(&settings(&variant_of("envoy", "2", topology), None), "limits").to_owned();
    let budget = "  retries: { tries: 2, budget: 20% }\n";
    let own = limits(&format!("{budget}  limits: default\n"));
    assert_eq!(own, "circuit_breakers: {thresholds: {retry_budget: {budget_percent: {value: 20}}}}");
    assert!(limits(budget).contains("max_requests: 100000") && !limits(budget).contains("max_retries"));
}

#[test]
fn at_layer_4_only_connections_are_tried_again() {
    use BalancerKind::{Envoy, Haproxy, Nginx, Traefik};
    let layer4 = "  listener: { layer: 4 }\n";
    for (kind, said) in [
        (Nginx, "proxy_next_upstream on; proxy_next_upstream_tries 2;"),
        (Haproxy, "retries 1; option redispatch 1"),
        (Envoy, "max_connect_attempts: 2"),
    ] {
        let variant =
            variant_of(kind.name(), "2", &format!("{layer4}  retries: {{ tries: 2, on: [refused] }}\n"));
        assert_eq!(of(&settings(&variant, None), "retries"), said, "{kind}");
        for (retries, why) in [
            ("{ tries: 2, on: [refused, 503] }", "reads no response"),
            ("{ tries: 2, backoff: 1s }", "connects again at once"),
            ("{ tries: 2, budget: 20% }", "limits no share"),
        ] {
            let said = refused(kind, &format!("{layer4}  retries: {retries}\n"));
            assert!(said.contains(why), "{kind} {retries}: {said}");
        }
    }
    assert!(
        refused(Traefik, &format!("{layer4}  retries: {{ tries: 2 }}\n")).contains("retries for HTTP only")
    );
}

#[test]
fn what_a_balancer_can_not_tell_apart_is_refused_with_the_reason() {
    use BalancerKind::{Caddy, Envoy, Haproxy, Nginx, Traefik};
    let together = "refused, reset and timeout together";
    for (kind, retries, why) in [
        (Nginx, "on: [refused]", together),
        (Nginx, "on: [refused, reset]", together),
        (Nginx, "on: [reset, timeout]", together),
        (Nginx, "on: [timeout, 503]", together),
        (Nginx, "backoff: 1s", "at once"),
        (Nginx, "budget: 20%", "proxy_next_upstream_tries"),
        (Haproxy, "backoff: 1s", "up to a second"),
        (Haproxy, "budget: 20%", "not their share"),
        (Envoy, "on: [reset]", "reset goes with refused"),
        (Envoy, "on: [refused, timeout]", "timeout with reset"),
        (Caddy, "on: [refused, reset]", "reset and timeout go together"),
        (Caddy, "on: [503]", "refused with all else"),
        (Caddy, "on: [refused, 503]", "before 2.11.3"),
        (Caddy, "budget: 20%", "not their share"),
        (Traefik, "on: [reset, 502]", "where a connection was refused"),
        (Traefik, "on: [refused, reset]", "502 where a connection broke"),
        (Traefik, "on: [refused, 504]", "504 where the response is late"),
        (Traefik, "budget: 20%", "not their share"),
    ] {
        let said = refused(kind, &format!("  retries: {{ tries: 2, {retries} }}\n"));
        assert!(said.contains(why), "{kind} {retries}: {said}");
    }
}
