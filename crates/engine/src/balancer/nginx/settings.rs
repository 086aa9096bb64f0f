//! The settings that decide about drops, as they are rendered for nginx.

use super::*;

/// What [`super::super::Balancer::settings`] says.
pub(super) fn settings(variant: &Variant) -> Vec<Setting> {
    let topology = &variant.topology;
    if is_layer4(topology) {
        return settings_at_layer4(variant);
    }
    let server = server_parameters(topology.passive_health);
    let or_default = |rendered, default| or_default(rendered, "nginx", default);
    let mut settings = vec![
        setting("balance", or_default(algorithm(topology.balance), "round robin")),
        setting(
            "workers",
            format!("worker_processes {}; upstream zone: they share its state", topology.workers),
        ),
        setting("retries", or_default(next_upstream(topology.retries), "proxy_next_upstream error timeout;")),
        setting("passive_health", or_default(server, "max_fails=1 fail_timeout=10s")),
        setting("health_check", format!("none: {PASSIVE_ONLY}")),
        setting("client_keepalive", format!("keepalive_timeout {};", keepalive(topology))),
        setting(
            "response_timeout",
            format!("proxy_read_timeout {}ms;", topology.response_timeout.whole_millis()),
        ),
        setting("reload_grace", format!("worker_shutdown_timeout {};", shutdown_timeout(topology))),
        deregistration(
            variant,
            "route flag: if (-f drain/BACKEND) { set $pool POOL_without_BACKEND; }",
            "server … down in a new configuration, SIGHUP",
        ),
    ];
    let header =
        |header: &HeaderMatch| format!("if ({}) (before 1.23: of the first occurrence)", condition(header));
    settings.extend(tls_settings(topology));
    settings.extend(routing_settings(topology, header, "split_clients \"$request_id…\", SIGHUP"));
    settings.extend(sticky_settings(topology, |cookie| {
        format!(
            "Set-Cookie {cookie}=$request_id for who has none; hash of it, consistent (in place of `balance`): where \
             users are is drawn anew in each run"
        )
    }));
    settings
}

fn settings_at_layer4(variant: &Variant) -> Vec<Setting> {
    let topology = &variant.topology;
    let or_default = |rendered, default| or_default(rendered, "nginx", default);
    let silence = silence(topology).whole_millis();
    let settings = vec![
        setting("listener", "stream: all pools are one upstream; no route applies"),
        setting("balance", or_default(algorithm(topology.balance), "round robin")),
        setting("retries", or_default(next_upstream_at_layer4(topology.retries), "proxy_next_upstream on;")),
        setting(
            "passive_health",
            or_default(server_parameters(topology.passive_health), "max_fails=1 fail_timeout=10s"),
        ),
        setting("health_check", "none: nginx OSS has passive checks only"),
        setting("client_keepalive", format!("proxy_timeout {silence}ms; (silence both ways)")),
        setting("response_timeout", format!("proxy_timeout {silence}ms; (silence both ways)")),
        deregistration(variant, "(not at layer 4)", "server … down in a new configuration, SIGHUP"),
    ];
    settings.into_iter().chain(tls_settings(topology)).collect()
}

fn tls_settings(topology: &Topology) -> Vec<Setting> {
    tls::settings(
        topology,
        "listen … ssl; ssl_protocols TLSv1.3; ssl_session_tickets on; ssl_session_cache none",
        "proxy_ssl_protocols TLSv1.3; proxy_ssl_verify on; proxy_ssl_server_name on; proxy_ssl_session_reuse on",
        "ssl_preread on; passed through by its SNI",
    )
}
