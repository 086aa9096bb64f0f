//! From clusters to pools: their endpoints come from a file of the cell's, by which a backend is taken out.

use std::collections::BTreeMap;

use model::topology::{Balance, HealthCheck};
use model::units::Span;
use serde_json::{Value, json};

use super::{AdoptionDraft, items, items_mut, refusing};
use crate::balancer::adoption::{Pools, Server, backends, too_many};

/// The clusters, and what becomes of them.
pub(super) struct Clusters {
    /// The addresses of each cluster's endpoints.
    known: BTreeMap<String, Vec<String>>,
    /// The pool of each that a route leads to.
    used: BTreeMap<String, String>,
    pub(super) pools: Pools,
    pub(super) tls: bool,
}

/// What the main cluster says.
pub(super) struct Said {
    pub(super) balance: Option<Balance>,
    pub(super) health_check: Option<HealthCheck>,
}

fn endpoints(cluster: &Value) -> impl Iterator<Item = &Value> {
    items(&cluster["load_assignment"]["endpoints"]).flat_map(|it| items(&it["lb_endpoints"]))
}

impl Clusters {
    pub(super) fn of(value: &Value) -> Clusters {
        let known = items(&value["static_resources"]["clusters"]).filter_map(|cluster| {
            let address = |it: &Value| {
                let address = &it["endpoint"]["address"];
                match address["socket_address"]["address"].as_str() {
                    Some(host) => format!("{host}:{}", address["socket_address"]["port_value"]),
                    None => address["pipe"]["path"].as_str().unwrap_or_default().to_owned(),
                }
            };
            Some((cluster["name"].as_str()?.to_owned(), endpoints(cluster).map(address).collect()))
        });
        Clusters { known: known.collect(), used: BTreeMap::new(), pools: Pools::default(), tls: false }
    }

    /// The pool of a cluster to which a route leads.
    pub(super) fn pool(&mut self, draft: &mut AdoptionDraft<'_>, name: &str) -> Option<String> {
        if let Some(pool) = self.used.get(name) {
            return Some(pool.clone());
        }
        let addresses = self.known.get(name).cloned().unwrap_or_default();
        let Some((pool, servers, same)) = self.pools.of(name, &addresses) else {
            draft.left(0, format!("cluster {name} has no endpoints in the file, or there are more than eight: it has no backends here"), "");
            return None;
        };
        let what = match same {
            None => format!("cluster {name} → pool {pool}, {}", backends(addresses.len())),
            Some(other) => {
                format!("cluster {name} has the endpoints of {other}: it is the same pool, {pool}")
            }
        };
        draft.mapped(0, what);
        if servers.iter().any(|it| matches!(it, Server::Refuses(_))) {
            draft.left(0, format!("cluster {name}: {}", too_many()), "");
        }
        self.used.insert(name.to_owned(), pool.clone());
        Some(pool)
    }

    pub(super) fn edit(&mut self, draft: &mut AdoptionDraft<'_>, value: &mut Value, main: &str) -> Said {
        let mut said = Said { balance: None, health_check: None };
        for cluster in items_mut(&mut value["static_resources"]["clusters"]) {
            let name = cluster["name"].as_str().unwrap_or_default().to_owned();
            let Some(pool) = self.used.get(&name).cloned() else {
                for endpoint in items_mut(&mut cluster["load_assignment"]["endpoints"])
                    .flat_map(|it| items_mut(&mut it["lb_endpoints"]))
                {
                    endpoint["endpoint"]["address"] = refusing();
                }
                cluster["type"] = json!("STATIC");
                cluster.as_object_mut().and_then(|it| it.remove("transport_socket"));
                draft.left(
                    0,
                    format!("cluster {name}: the load does not go there; its endpoints refuse connections"),
                    "",
                );
                continue;
            };
            if pool == main && said.balance.is_none() {
                said = Said { balance: balance(cluster), health_check: health(cluster) };
            }
            self.discovered(draft, cluster, &name, &pool);
            self.secrets(draft, cluster, &name);
        }
        said
    }

    /// Its endpoints come from a file: without that, Envoy has no way to take one out while it runs.
    fn discovered(&self, draft: &mut AdoptionDraft<'_>, cluster: &mut Value, name: &str, pool: &str) {
        let was = cluster["type"].as_str().unwrap_or("STATIC").to_owned();
        let keys = ["load_balancing_weight", "priority", "locality", "health_status", "hostname"];
        let detailed = items(&cluster["load_assignment"]["endpoints"])
            .flat_map(|it| std::iter::once(it).chain(items(&it["lb_endpoints"])))
            .any(|it| keys.iter().any(|key| it.get(*key).is_some()));
        if detailed {
            draft.left(
                0,
                format!("cluster {name}: weights, priorities and localities of its endpoints are left out"),
                "",
            );
        }
        if let Some(fields) = cluster.as_object_mut() {
            for key in [
                "load_assignment",
                "dns_lookup_family",
                "dns_refresh_rate",
                "respect_dns_ttl",
                "dns_resolvers",
                "typed_dns_resolver_config",
                "upstream_bind_config",
                "cluster_type",
                "use_tcp_for_dns_lookups",
            ] {
                fields.remove(key);
            }
            if fields.remove("typed_extension_protocol_options").is_some()
                | fields.remove("http2_protocol_options").is_some()
            {
                draft.left(0, format!("cluster {name}: its HTTP protocol options are left out: rig's backends speak HTTP/1.1"), "");
            }
        }
        cluster["type"] = json!("EDS");
        cluster["eds_cluster_config"] = json!({
            "service_name": pool,
            "eds_config": { "path_config_source": {
                "path": format!("{{{{ directory }}}}/endpoints/{pool}/endpoints.yaml"),
                "watched_directory": { "path": format!("{{{{ directory }}}}/endpoints/{pool}") }
            } }
        });
        if !cluster["common_lb_config"].is_object() {
            cluster["common_lb_config"] = json!({});
        }
        cluster["common_lb_config"]["update_merge_window"] = json!("0s");
        draft.mapped(0, format!(
            "cluster {name}: {was} → EDS from a file, by which rig takes a backend out; `update_merge_window: 0s`, so that Envoy acts at once"
        ));
    }

    fn secrets(&mut self, draft: &mut AdoptionDraft<'_>, cluster: &mut Value, name: &str) {
        let Some(config) = cluster.get_mut("transport_socket").map(|it| &mut it["typed_config"]) else {
            return;
        };
        self.tls = true;
        config["sni"] = json!("{{ tls.name }}");
        let common = &mut config["common_tls_context"];
        let verifies =
            ["validation_context", "combined_validation_context", "validation_context_sds_secret_config"]
                .iter()
                .any(|key| common.get(*key).is_some());
        for key in [
            "tls_certificates",
            "tls_certificate_sds_secret_configs",
            "combined_validation_context",
            "validation_context_sds_secret_config",
            "alpn_protocols",
        ] {
            common.as_object_mut().and_then(|it| it.remove(key));
        }
        if verifies {
            common["validation_context"] = json!({ "trusted_ca": { "filename": "{{ tls.authority }}" } });
        }
        draft.mapped(0, format!("cluster {name}: TLS with the cell's own certificates"));
    }
}

fn balance(cluster: &Value) -> Option<Balance> {
    match cluster["lb_policy"].as_str() {
        _ if !cluster["load_balancing_policy"].is_null() => None,
        None | Some("ROUND_ROBIN") => Some(Balance::RoundRobin),
        Some("LEAST_REQUEST") => Some(Balance::TwoChoices),
        _ => None,
    }
}

/// Its first probe, if it asks by HTTP.
fn health(cluster: &Value) -> Option<HealthCheck> {
    let check = items(&cluster["health_checks"]).next()?;
    let span = |key: &str, otherwise: u64| {
        let seconds = check[key].as_str().and_then(|it| it.trim_end_matches('s').parse::<f64>().ok());
        Span::millis(seconds.map_or(otherwise, |it| (it * 1000.0) as u64).clamp(10, 60_000))
    };
    let count = |key: &str, otherwise: u64| check[key].as_u64().unwrap_or(otherwise).clamp(1, 100) as u32;
    Some(HealthCheck {
        path: check["http_health_check"]["path"].as_str().unwrap_or("/health").to_owned(),
        every: span("interval", 5000),
        timeout: span("timeout", 1000),
        fall: count("unhealthy_threshold", 2),
        rise: count("healthy_threshold", 1),
    })
}
