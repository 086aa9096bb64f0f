//! The settings that decide about drops, read from Traefik's files.

use serde_json::Value;

use super::*;
use crate::balancer::read_back::{Rendered, default, forms};

impl HasSettings for Traefik {
    fn settings(&self, rendered: &Rendered<'_>) -> Vec<Setting> {
        settings(rendered)
    }
}

fn settings(it: &Rendered<'_>) -> Vec<Setting> {
    let topology = &it.variant.topology;
    let parsed = |path: &str| {
        it.file(path).and_then(|file| serde_saphyr::from_str(&file.text).ok()).unwrap_or(Value::Null)
    };
    let (main, dynamic) = (parsed(STATIC), parsed(DYNAMIC));
    let layer = &dynamic[if is_layer4(topology) { "tcp" } else { "http" }];
    let of_entry_points = |pointer: &str, does: &str| read(&main["entryPoints"], pointer, does);
    let of_services = |pointer: &str, does: &str| {
        let balancers = values(&layer["services"]).map(|it| &it["loadBalancer"]).filter(|it| !it.is_null());
        said(balancers, pointer, does)
    };
    let of_transports = |pointer: &str, does: &str| read(&layer["serversTransports"], pointer, does);
    let probes = match of_services("/healthCheck", "none") {
        said if said.starts_with('(') => said,
        said => format!(
            "{said}; the first failure takes a server out, the first success brings it back: `fall` and `rise` have no equivalent"
        ),
    };
    let passive = match of_services("/passiveHealthCheck", "failures eject no server") {
        said if said.starts_with('(') || topology.health_check.is_none() => said,
        said => format!(
            "{said}; with probes, the next that succeeds brings the server back: `for` has no equivalent"
        ),
    };
    let balancers =
        values(&layer["services"]).filter_map(|it| it.pointer("/loadBalancer/servers")?.as_array());
    let servers: Vec<&Value> = balancers.flatten().collect();
    let mut settings = vec![
        it.source(),
        setting("workers", format!("GOMAXPROCS={}: they share the servers' state", topology.workers)),
        setting("health_check", probes),
        setting("weight", said(servers.into_iter(), "/weight", "1")),
        setting("backup", read(&layer["services"], "/failover", "none")),
        setting("slow_start", default("Traefik", "its part at once")),
    ];
    if is_layer4(topology) {
        settings.push(setting(
            "listener",
            it.built_in("tcp: all pools are one service; no route applies; connections are not logged"),
        ));
        settings.push(setting("balance", "weighted round robin: there is no other".to_owned()));
        settings.push(setting("connect_timeout", of_transports("/dialTimeout", "30s")));
    } else {
        let retries = read(&layer["middlewares"], "/retry", "none");
        settings.extend([
            setting("balance", of_services("/strategy", "wrr")),
            setting(
                "retries",
                format!(
                    "{retries}; beside that, Go sends a GET again where a kept connection closes before a byte of the response"
                ),
            ),
            setting("passive_health", passive),
            setting("limits", read(&layer["middlewares"], "/inFlightReq", "no limit")),
            setting("client_keepalive", client_keepalive(&main)),
            setting("upstream_keepalive", of_transports("/maxIdleConnsPerHost", "200 idle per host")),
            setting("response_timeout", of_transports("/forwardingTimeouts/responseHeaderTimeout", "no limit")),
            setting("connect_timeout", of_transports("/forwardingTimeouts/dialTimeout", "30s")),
            setting("reload_grace", "(no equivalent: a new version ends nothing)".to_owned()),
        ]);
        let header = |header: &HeaderMatch| {
            it.built_in(format!("HeaderRegexp {} {}", header.name, header_regex(header)))
        };
        settings.extend(routing_settings(
            topology,
            header,
            &it.built_in("weighted services, by the file provider"),
        ));
        settings.extend(sticky_settings(topology, |cookie| {
            it.built_in(format!(
                "sticky cookie {cookie}: a hash of the address; a new one where that server is out"
            ))
        }));
    }
    settings.push(setting(
        "providers_throttle",
        match main.pointer("/providers/providersThrottleDuration").and_then(Value::as_str) {
            Some(said) => format!("providersThrottleDuration: {said}"),
            None => default("Traefik", "2s"),
        },
    ));
    settings.push(deregistration(it.variant, "not among the servers of a new version", "(no reload)"));
    settings.push(setting("grace", of_entry_points("/transport/lifeCycle/graceTimeOut", "10s")));
    settings.extend(tls::settings(
        it.variant,
        &it.built_in("tls.options default: minVersion VersionTLS13; session tickets, under keys of its own"),
        &it.built_in("serversTransport: rootCAs, serverName; HTTP/1.1; probes speak TLS"),
        &it.built_in("HostSNI, passthrough; probes open a connection and close it"),
    ));
    settings
}

fn client_keepalive(main: &Value) -> String {
    let closes = read(&main["entryPoints"], "/transport/keepAliveMaxRequests", "");
    match closes.starts_with('(') {
        true => read(&main["entryPoints"], "/transport/respondingTimeouts/idleTimeout", "180s"),
        false => closes,
    }
}

/// What a map holds.
fn values(map: &Value) -> impl Iterator<Item = &Value> {
    map.as_object().into_iter().flat_map(|map| map.values())
}

/// What stands at `pointer` in each of a map's values.
fn read(map: &Value, pointer: &str, does: &str) -> String {
    said(values(map).filter(|it| !it.is_null()), pointer, does)
}

fn said<'v>(these: impl Iterator<Item = &'v Value>, pointer: &str, does: &str) -> String {
    let name = pointer.rsplit('/').next().unwrap_or_default();
    let words = |found: &Value| format!("{name}: {}", found.to_string().replace('"', ""));
    forms(these.map(|it| it.pointer(pointer).map_or(String::new(), words)), default("Traefik", does))
}
