//! Which listener becomes the cell's, where the others go, and which clusters its routes lead to.

use serde_json::{Value, json};

use super::clusters::Clusters;
use super::{AdoptionDraft, PORT, items, items_mut};
use crate::balancer::adoption::OwnRoute;

/// What the listener says.
pub(super) struct FoundListener {
    pub(super) routes: Vec<OwnRoute>,
    pub(super) tls: bool,
    pub(super) tries: Option<u32>,
}

/// Filters that ask other programs, or have what a load has not.
const ELSEWHERE: [&str; 7] =
    ["ext_authz", "ratelimit", "jwt_authn", "oauth2", "ext_proc", "basic_auth", "cache"];

pub(super) fn edit(
    draft: &mut AdoptionDraft<'_>,
    value: &mut Value,
    clusters: &mut Clusters,
) -> Result<FoundListener, String> {
    let listeners = &mut value["static_resources"]["listeners"];
    let score = |it: &Value| (leads(it), is_tls(it), port(it) == Some(443));
    let main = items(listeners)
        .enumerate()
        .filter(|(_, it)| leads(it) > 0 && !is_udp(it))
        .max_by_key(|(_, it)| score(it));
    let Some((main, tls)) = main.map(|(at, it)| (at, is_tls(it))) else {
        let what =
            "no static listener has an http_connection_manager with a `route_config` that leads to a cluster";
        return Err(what.to_owned());
    };
    let mut found = FoundListener { routes: Vec::new(), tls, tries: None };
    for (at, listener) in items_mut(listeners).enumerate() {
        let name = listener["name"]
            .as_str()
            .map_or_else(|| format!("listener {at}"), |name| format!("listener {name}"));
        let address = listener["address"]["socket_address"].clone();
        let shown = format!("{}:{}", address["address"].as_str().unwrap_or("?"), address["port_value"]);
        if at == main {
            listener["address"] =
                json!({ "socket_address": { "address": "{{ listener_ip }}", "port_value": PORT } });
            draft.mapped(0, format!("{name}, {shown}: the cell's listener"));
        } else {
            listener["address"] =
                json!({ "pipe": { "path": format!("{{{{ sockets }}}}/listener-{at}.sock") } });
            draft.mapped(
                0,
                format!("{name}, {shown}: kept on a socket of the cell; the load does not go there"),
            );
        }
        for key in ["additional_addresses", "bind_to_port", "transparent", "freebind", "enable_reuse_port"] {
            listener.as_object_mut().and_then(|it| it.remove(key));
        }
        for chain in items_mut(&mut listener["filter_chains"]) {
            secrets(draft, &name, chain, tls);
            for filter in items_mut(&mut chain["filters"]) {
                let is_manager =
                    filter["name"].as_str().is_some_and(|it| it.ends_with("http_connection_manager"))
                        || filter["typed_config"]["@type"]
                            .as_str()
                            .is_some_and(|it| it.ends_with("HttpConnectionManager"));
                if is_manager {
                    manager(draft, &name, &mut filter["typed_config"], at == main, clusters, &mut found);
                }
            }
        }
    }
    items_mut(listeners).for_each(|it| {
        if let Some(filters) = it.get_mut("listener_filters").and_then(Value::as_array_mut) {
            filters.retain(|it| !it["name"].as_str().is_some_and(|name| name.contains("proxy_protocol")));
        }
    });
    if let Some(all) = listeners.as_array_mut() {
        all.retain(|it| !is_udp(it));
    }
    Ok(found)
}

fn managers(listener: &Value) -> impl Iterator<Item = &Value> {
    let filters = items(&listener["filter_chains"]).flat_map(|chain| items(&chain["filters"]));
    filters.map(|filter| &filter["typed_config"]).filter(|it| it.get("route_config").is_some())
}

/// How many of its routes lead to clusters.
fn leads(listener: &Value) -> usize {
    let hosts = managers(listener).flat_map(|it| items(&it["route_config"]["virtual_hosts"]));
    hosts.flat_map(|host| items(&host["routes"])).filter(|route| route.get("route").is_some()).count()
}

fn is_tls(listener: &Value) -> bool {
    items(&listener["filter_chains"]).any(|chain| chain.get("transport_socket").is_some())
}

fn port(listener: &Value) -> Option<u64> {
    listener["address"]["socket_address"]["port_value"].as_u64()
}

fn is_udp(listener: &Value) -> bool {
    listener["address"]["socket_address"]["protocol"].as_str() == Some("UDP")
        || listener.get("udp_listener_config").is_some()
}

/// The certificates of a filter chain.
fn secrets(draft: &mut AdoptionDraft<'_>, name: &str, chain: &mut Value, tls: bool) {
    let Some(socket) = chain.get_mut("transport_socket") else { return };
    if !tls {
        chain.as_object_mut().and_then(|it| it.remove("transport_socket"));
        draft.left(0, format!("{name}: TLS is left out, as the cell's listener has none"), "");
        return;
    }
    let config = &mut socket["typed_config"];
    if config.as_object_mut().and_then(|it| it.remove("require_client_certificate")).is_some() {
        draft.left(0, format!("{name}: `require_client_certificate` is left out: rig's client has none"), "");
    }
    let common = &mut config["common_tls_context"];
    for key in [
        "tls_certificate_sds_secret_configs",
        "validation_context",
        "validation_context_sds_secret_config",
        "combined_validation_context",
    ] {
        common.as_object_mut().and_then(|it| it.remove(key));
    }
    common["tls_certificates"] = json!([{
        "certificate_chain": { "filename": "{{ tls.certificate }}" }, "private_key": { "filename": "{{ tls.key }}" }
    }]);
    draft.mapped(0, format!("{name}: the cell's own certificate"));
}

/// A listener's HTTP part: rig's log line beside its own, and its routes.
fn manager(
    draft: &mut AdoptionDraft<'_>,
    name: &str,
    manager: &mut Value,
    is_main: bool,
    clusters: &mut Clusters,
    found: &mut FoundListener,
) {
    if let Some(filters) = manager.get_mut("http_filters").and_then(Value::as_array_mut) {
        filters.retain(|filter| {
            let said = filter["name"].as_str().unwrap_or_default().rsplit('.').next().unwrap_or_default();
            let stays = !ELSEWHERE.contains(&said);
            if !stays {
                draft.left(
                    0,
                    format!("{name}: the filter `{said}` is left out: what it asks is not here"),
                    "",
                );
            }
            stays
        });
    }
    if manager.as_object_mut().and_then(|it| it.remove("tracing")).is_some() {
        draft.left(0, format!("{name}: `tracing` is left out: nothing listens there"), "");
    }
    let mut logs: Vec<Value> = manager["access_log"].as_array().cloned().unwrap_or_default();
    logs.retain(|log| {
        !log["typed_config"]["@type"]
            .as_str()
            .is_some_and(|it| it.contains("grpc") || it.contains("open_telemetry"))
    });
    for log in &mut logs {
        let path = log["typed_config"]["path"]
            .as_str()
            .filter(|path| !path.starts_with("/dev/"))
            .map(|path| draft.finder.target(path));
        if let Some(path) = path {
            log["typed_config"]["path"] = json!(format!("{{{{ directory }}}}{path}"));
        }
    }
    if is_main {
        logs.push(json!({ "name": "rig", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "{{ directory }}/access.log",
            "log_format": { "json_format": {
                "id": "%REQ(X-RIG-SEQ)%", "ts": "%START_TIME(%s.%3f)%", "ms": "%DURATION%", "status": "%RESPONSE_CODE%",
                "upstream": "%UPSTREAM_HOST%", "flags": "%RESPONSE_FLAGS%", "details": "%RESPONSE_CODE_DETAILS%",
                "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "method": "%REQ(:METHOD)%", "client": "%DOWNSTREAM_REMOTE_ADDRESS%"
            } }
        } }));
        draft.mapped(0, format!("{name}: a log line for each request, with rig's id, beside its own"));
        routes(draft, &manager["route_config"], clusters, found);
    }
    if !logs.is_empty() {
        manager["access_log"] = Value::Array(logs);
    }
}

fn routes(draft: &mut AdoptionDraft<'_>, config: &Value, clusters: &mut Clusters, found: &mut FoundListener) {
    for host in items(&config["virtual_hosts"]) {
        let domain =
            items(&host["domains"]).filter_map(Value::as_str).find(|it| !it.starts_with('*') || it.len() > 1);
        let name = domain.map(|it| it.split(':').next().unwrap_or_default().replace('*', "www"));
        for route in items(&host["routes"]) {
            let (action, wants) = (&route["route"], &route["match"]);
            let weighted =
                items(&action["weighted_clusters"]["clusters"]).filter_map(|it| it["name"].as_str());
            let cluster = action["cluster"].as_str().or_else(|| weighted.into_iter().next());
            let Some(cluster) = cluster else { continue };
            let all = items(&action["weighted_clusters"]["clusters"]).filter_map(|it| it["name"].as_str());
            all.for_each(|name| drop(clusters.pool(draft, name)));
            let Some(pool) = clusters.pool(draft, cluster) else { continue };
            let headers: Vec<&Value> = items(&wants["headers"]).collect();
            let exact = |it: &Value| {
                it["exact_match"].as_str().or_else(|| it["string_match"]["exact"].as_str()).map(str::to_owned)
            };
            let header = headers.first().and_then(|it| Some((it["name"].as_str()?.to_owned(), exact(it)?)));
            let known = headers.len() == usize::from(header.is_some());
            let path = wants["prefix"].as_str().or_else(|| wants["path_separated_prefix"].as_str());
            let is_only = action["weighted_clusters"].is_null();
            let Some(path) = path.filter(|_| known && is_only) else {
                let what = format!(
                    "the route {wants} to {cluster}: no request is known to take it, so that the load does not go there"
                );
                draft.left(0, what, "add a class that takes it to the scenario");
                continue;
            };
            if found.tries.is_none() {
                let policy =
                    [&action["retry_policy"], &host["retry_policy"]].into_iter().find(|it| it.is_object());
                found.tries = policy.map(|it| it["num_retries"].as_u64().unwrap_or(1) as u32 + 1);
            }
            let path = path.to_owned();
            found.routes.push(OwnRoute { asks: path.clone(), path, header, host: name.clone(), pool });
        }
    }
}
