//! The settings that decide about drops, read from Envoy's files and its command line.

use serde_json::Value;

use super::*;
use crate::balancer::read_back::{Rendered, default, forms};

impl HasSettings for Envoy {
    fn settings(&self, rendered: &Rendered<'_>) -> Vec<Setting> {
        settings(rendered)
    }
}

/// What [`super::super::Balancer::settings`] says.
fn settings(it: &Rendered<'_>) -> Vec<Setting> {
    let topology = &it.variant.topology;
    let parsed = |path: &str| {
        it.file(path).and_then(|file| serde_saphyr::from_str(&file.text).ok()).unwrap_or(Value::Null)
    };
    let (main, listener, routes) = (parsed(CONFIG), parsed(LISTENER), parsed(ROUTES));
    let clusters = &main["static_resources"]["clusters"];
    let of_clusters = |pointer: &str, does: &str| read(items(clusters), pointer, does);
    // A bootstrap of the user's has its listeners and their routes in itself.
    let filters: Vec<&Value> = items(&listener["resources"])
        .chain(items(&main["static_resources"]["listeners"]))
        .flat_map(|it| items(&it["filter_chains"]))
        .flat_map(|chain| items(&chain["filters"]))
        .map(|filter| &filter["typed_config"])
        .collect();
    let of_filters = |pointer: &str, does: &str| read(filters.iter().copied(), pointer, does);
    let chosen: Vec<&Value> = items(&routes["resources"])
        .chain(filters.iter().map(|filter| &filter["route_config"]))
        .flat_map(|it| items(&it["virtual_hosts"]))
        .flat_map(|host| items(&host["routes"]))
        .map(|route| &route["route"])
        .collect();
    let of_routes = |pointer: &str, does: &str| read(chosen.iter().copied(), pointer, does);
    let endpoints: Vec<Value> = it
        .files
        .iter()
        .filter(|file| file.path.starts_with("endpoints/"))
        .map(|file| parsed(&file.path))
        .collect();
    let hosts = || {
        let assigned = endpoints.iter().flat_map(|file| items(&file["resources"]));
        assigned.flat_map(|it| items(&it["endpoints"])).flat_map(|it| items(&it["lb_endpoints"]))
    };
    let of_hosts = |pointer: &str, does: &str| read(hosts(), pointer, does);
    let argument = |flag: &str| format!("{flag} {}", it.argument(flag).unwrap_or_default());
    let layer4 = is_layer4(topology);
    let mut settings = vec![
        it.source(),
        setting("balance", forms(items(clusters).map(balance), default("Envoy", "ROUND_ROBIN"))),
        setting(
            "workers",
            format!(
                "{}: each has a balancer of its own; rq_active is counted over all",
                argument("--concurrency")
            ),
        ),
        setting(
            "retries",
            if layer4 {
                of_filters("/max_connect_attempts", "1")
            } else {
                let policy = of_routes("/retry_policy", "no retries");
                match of_clusters("/circuit_breakers/thresholds/0/retry_budget", "") {
                    budget if budget.starts_with("retry_budget") => format!("{policy}; {budget}"),
                    _ => policy,
                }
            },
        ),
        setting("passive_health", of_clusters("/outlier_detection", "no outlier detection")),
        setting("health_check", of_clusters("/health_checks", "none")),
        setting("panic", of_clusters("/common_lb_config/healthy_panic_threshold", "50 %")),
        setting(
            "limits",
            of_clusters("/circuit_breakers", "1024 connections, pending requests and requests, 3 retries"),
        ),
        setting("weight", of_hosts("/load_balancing_weight", "1")),
        setting("backup", backups(&endpoints)),
        setting("slow_start", forms(items(clusters).map(slow_start), default("Envoy", "its part at once"))),
        setting("update_merge_window", of_clusters("/common_lb_config/update_merge_window", "1s")),
        setting("connect_timeout", of_clusters("/connect_timeout", "5s")),
        setting(
            "reload_grace",
            match it.argument("--parent-shutdown-time-s") {
                Some(_) => format!("{} {}", argument("--drain-time-s"), argument("--parent-shutdown-time-s")),
                None => argument("--drain-time-s"),
            },
        ),
        // By a file of its own, which rig replaces.
        deregistration(it.variant, "EDS health_status DRAINING", "(no reload)"),
    ];
    if topology.is_discovered() {
        let dns = "/cluster_type/typed_config";
        let keys = [
            "/cluster_type/name".to_owned(),
            format!("{dns}/respect_dns_ttl"),
            format!("{dns}/dns_refresh_rate"),
        ];
        let keys = keys.into_iter().chain(["/ignore_health_on_host_removal".to_owned()]);
        let found: Vec<String> = keys.map(|key| of_clusters(&key, "not said")).collect();
        settings.push(setting("discovery", found.join(", ")));
    }
    if layer4 {
        let silence = format!("{} (silence both ways)", of_filters("/idle_timeout", "1h"));
        settings.extend(["client_keepalive", "response_timeout"].map(|name| setting(name, silence.clone())));
        let listener = it.built_in("tcp_proxy: all pools are one cluster; no route applies");
        settings.insert(1, setting("listener", listener));
    } else {
        settings.push(setting(
            "client_keepalive",
            of_filters("/common_http_protocol_options", "idle_timeout 1h"),
        ));
        settings.push(setting("response_timeout", of_routes("/timeout", "15s")));
        let header = |header: &HeaderMatch| {
            it.built_in(format!("{} safe_regex {}", header.name, header_regex(header)))
        };
        settings.extend(routing_settings(
            topology,
            header,
            &it.built_in("weighted_clusters, by RDS from a file"),
        ));
        settings.extend(sticky_settings(topology, |cookie| {
            it.built_in(format!(
                "stateful_session, cookie {cookie} with the host's address; not for a host that is DRAINING"
            ))
        }));
    }
    settings.extend(tls::settings(
        it.variant,
        &it.built_in("DownstreamTlsContext, TLSv1_3 only; session tickets, under keys of its own"),
        &it.built_in(
            "UpstreamTlsContext, TLSv1_3 only, trusted_ca, SAN matched; max_session_keys 1, as by default; probes speak TLS",
        ),
        &it.built_in("tls_inspector; passed through by its SNI; probes speak TLS (transport_socket_match_criteria)"),
    ));
    settings
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What stands at `pointer` in each of `these`, under the name that it has there.
fn read<'v>(these: impl Iterator<Item = &'v Value>, pointer: &str, does: &str) -> String {
    let name = pointer.rsplit('/').next().unwrap_or_default();
    let said =
        these.map(|it| it.pointer(pointer).map_or(String::new(), |found| format!("{name}: {}", flow(found))));
    forms(said, default("Envoy", does))
}

fn balance(cluster: &Value) -> String {
    let policy = cluster.pointer("/load_balancing_policy/policies/0/typed_extension_config");
    match (policy, cluster["lb_policy"].as_str()) {
        (Some(policy), _) => format!("load_balancing_policy: {}", flow(policy)),
        (None, Some("LEAST_REQUEST")) if cluster["least_request_lb_config"]["choice_count"].is_null() => {
            "lb_policy: LEAST_REQUEST (nothing said of choice_count: Envoy's default, 2: power of two choices)".into()
        }
        (None, Some(policy)) => format!("lb_policy: {policy}"),
        (None, None) => String::new(),
    }
}

/// Where one of the policies keeps it.
fn slow_start(cluster: &Value) -> String {
    let policies = "/load_balancing_policy/policies/0/typed_extension_config/typed_config";
    let places = [policies, "/round_robin_lb_config", "/least_request_lb_config"];
    let found = places.iter().find_map(|place| cluster.pointer(place)?.get("slow_start_config"));
    found.map_or(String::new(), |found| format!("slow_start_config: {}", flow(found)))
}

/// The priorities of hosts, and how many healthy ones the first has to have.
fn backups(endpoints: &[Value]) -> String {
    let assigned: Vec<&Value> = endpoints.iter().flat_map(|file| items(&file["resources"])).collect();
    let priorities = read(assigned.iter().flat_map(|it| items(&it["endpoints"])), "/priority", "none");
    match priorities.contains("priority:") {
        true => {
            format!("{priorities}; {}", read(assigned.into_iter(), "/policy", "overprovisioning_factor 140"))
        }
        false => priorities,
    }
}

/// A value as YAML on one line, without the names of types.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let shown = fields.iter().filter(|(name, _)| *name != "@type");
            let shown: Vec<String> = shown.map(|(name, value)| format!("{name}: {}", flow(value))).collect();
            format!("{{{}}}", shown.join(", "))
        }
        Value::Array(items) => match items.as_slice() {
            [only] => flow(only),
            several => format!("[{}]", several.iter().map(flow).collect::<Vec<_>>().join(", ")),
        },
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
