//! The settings that decide about drops, as they are rendered for Envoy.

use super::*;

/// What [`super::super::Balancer::settings`] says.
pub(super) fn settings(variant: &Variant) -> Vec<Setting> {
    let topology = &variant.topology;
    let default = |default| or_default(String::new(), "Envoy", default);
    let mut settings = vec![
        setting("balance", algorithm(topology.balance).1),
        setting(
            "workers",
            format!(
                "--concurrency {}: each has a balancer of its own; rq_active is counted over all",
                topology.workers
            ),
        ),
        setting(
            "retries",
            match topology.retries {
                Retries::Off => "no retry_policy".into(),
                Retries::Default => default("no retries"),
                Retries::On { tries } => format!(
                    "retry_policy: {{retry_on: {RETRY_ON}, num_retries: {}, per_try_timeout: {}, \
                     previous_hosts, host_selection_retry_max_attempts: {HOST_SELECTIONS}}}",
                    tries.saturating_sub(1),
                    per_try_timeout(topology, tries),
                ),
            },
        ),
        setting(
            "passive_health",
            match topology.passive_health {
                PassiveHealth::Off => "no outlier_detection".into(),
                PassiveHealth::Default => default("no outlier detection"),
                PassiveHealth::On { fails, out_for } => format!(
                    "outlier_detection: {{consecutive_5xx: {fails}, base_ejection_time and \
                     max_ejection_time: {out_for}, interval: 0.1s}}, not ended by a successful probe"
                ),
            },
        ),
        setting(
            "health_check",
            topology.health_check.as_ref().map_or("none".into(), |check| {
                format!(
                    "http_health_check {}, interval {}, timeout {}, unhealthy_threshold {}, healthy_threshold {}; healthy_panic_threshold 0",
                    check.path, check.every, check.timeout, check.fall, check.rise
                )
            }),
        ),
        setting(
            "client_keepalive",
            topology.client_keepalive.map_or("max_requests_per_connection: 1".into(), |span| {
                format!("idle_timeout: {span}")
            }),
        ),
        setting("reload_grace", format!("--drain-time-s {}", drain_seconds(topology))),
        deregistration(variant, "EDS health_status DRAINING, update_merge_window 0s", "(no reload)"),
        setting("response_timeout", format!("route timeout: {}", topology.response_timeout)),
    ];
    settings.extend(tls::settings(
        topology,
        "DownstreamTlsContext, TLSv1_3 only; session tickets, under keys of its own",
        "UpstreamTlsContext, TLSv1_3 only, trusted_ca, SAN matched; max_session_keys 1, as by default; probes speak TLS",
        "tls_inspector; passed through by its SNI; probes speak TLS (transport_socket_match_criteria)",
    ));
    if is_layer4(topology) {
        for setting in &mut settings {
            match setting.name.as_str() {
                "retries" => {
                    setting.rendered = format!("max_connect_attempts: {}", attempts_at_layer4(topology));
                }
                "client_keepalive" | "response_timeout" => {
                    setting.rendered = format!("idle_timeout: {} (silence both ways)", silence(topology));
                }
                _ => {}
            }
        }
        settings.insert(0, setting("listener", "tcp_proxy: all pools are one cluster; no route applies"));
    } else {
        let header = |header: &HeaderMatch| format!("{} safe_regex {}", header.name, header_regex(header));
        settings.extend(routing_settings(topology, header, "weighted_clusters, by RDS from a file"));
        settings.extend(sticky_settings(topology, |cookie| {
            format!(
                "stateful_session, cookie {cookie} with the host's address; not for a host that is DRAINING"
            )
        }));
    }
    settings
}
