//! Envoy, configured from files. Backends are taken out through endpoint discovery: the endpoints file is
//! replaced by rename in a watched directory, with `DRAINING` for the one that leaves (Envoy docs, "Endpoint
//! discovery service", `core.v3.HealthStatus`).

use std::time::Duration;

use minijinja::{Value, context};
use model::access_log::{Attempt, LogGap};
use model::catalog::Capability;
use model::history::Setting;
use model::plan::Variant;
use model::timeline::Deregister;
use model::topology::{Balance, HealthCheck, PassiveHealth, Retries, Topology};
use serde::Deserialize;

use super::{
    Ask, BackendView, Balancer, Change, ConfigFile, DrainSignal, LogError, LogFiles, LogLine, Rotation,
    STDERR_FILE, Sighting, Signal, Site, Standing, Step, Turn, View, ViewError, ViewQuery, deregistration,
    logged_id, or_default, recognised_within, setting, wall_nanos,
};
use crate::error::EngineError;
use crate::templates::Templates;

pub(super) struct Envoy;

const CONFIG: &str = "envoy.yaml";

impl Balancer for Envoy {
    fn missing(&self) -> &'static [(Capability, &'static str)] {
        &[(
            Capability::ReloadDeregister,
            "Envoy takes new endpoints while it runs; there is no reload to show",
        )]
    }

    fn log_gaps(&self) -> &'static [LogGap] {
        &[]
    }

    fn version_arguments(&self) -> &'static [&'static str] {
        &["--version"]
    }

    fn settings(&self, variant: &Variant) -> Vec<Setting> {
        let topology = &variant.topology;
        let default = |default| or_default(String::new(), "Envoy", default);
        vec![
            setting("balance", algorithm(topology.balance).1),
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
            deregistration(variant, "EDS health_status DRAINING, update_merge_window 0s", "(no reload)"),
            setting("response_timeout", format!("route timeout: {}", topology.response_timeout)),
        ]
    }

    fn files(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        templates: &Templates,
    ) -> Result<Vec<ConfigFile>, EngineError> {
        let pools: Vec<Value> = topology
            .pools
            .iter()
            .map(|pool| {
                let path = site.directory.join(endpoints_path(&pool.name)).display().to_string();
                context! { name => &pool.name, endpoints => path }
            })
            .collect();
        let routes: Vec<Value> = topology
            .routes
            .iter()
            .map(|route| context! { name => &route.name, path => &route.path, pool => &route.to })
            .collect();
        let (policy, _) = algorithm(topology.balance);
        let values = context! {
            directory => site.directory.display().to_string(),
            listener => address(site.listener),
            admin => address(site.admin),
            policy,
            full_scan => topology.balance == Balance::LeastConnections,
            hashed => topology.balance == Balance::SourceHash,
            response_timeout => seconds(topology.response_timeout.0),
            client_keepalive => topology.client_keepalive.map(|span| seconds(span.0)),
            health_check => topology.health_check.as_ref().map(health_check),
            retries => match topology.retries {
                Retries::Off | Retries::Default => None,
                Retries::On { tries } => Some(context! {
                    on => RETRY_ON,
                    more => tries.saturating_sub(1),
                    timeout => per_try_timeout(topology, tries),
                    host_selections => HOST_SELECTIONS,
                }),
            },
            outlier_detection => match topology.passive_health {
                PassiveHealth::Off | PassiveHealth::Default => None,
                PassiveHealth::On { fails, out_for } => {
                    Some(context! { fails, out_for => seconds(out_for.0) })
                }
            },
            pools, routes,
        };
        let mut files = vec![ConfigFile::new(CONFIG, templates.render("envoy/envoy.yaml", values)?)];
        for pool in &topology.pools {
            files.push(endpoints(topology, site, &pool.name, rotation, templates)?);
        }
        Ok(files)
    }

    fn arguments(&self, site: &Site) -> Vec<String> {
        let config = site.directory.join(CONFIG).display().to_string();
        // Without the flush interval its access log lags by up to 10 s.
        ["-c", &config, "--concurrency", &site.workers.to_string(), "--disable-hot-restart", "-l", "warning"]
            .into_iter()
            .chain(["--file-flush-interval-msec", "100"])
            .map(str::to_owned)
            .collect()
    }

    fn change(
        &self,
        topology: &Topology,
        site: &Site,
        turn: Turn<'_>,
        templates: &Templates,
    ) -> Result<Change, EngineError> {
        debug_assert_eq!(turn.how, Deregister::Live, "validation rejects what the catalog says is missing");
        let pool = topology.pool_of(turn.backend).map_or("", |pool| pool.name.as_str());
        let file = endpoints(topology, site, pool, turn.to, templates)?;
        let backend = turn.backend.to_owned();
        let (sighting, proof) = match turn.to.of(turn.backend) {
            Standing::In => {
                (Sighting::Up(backend), "endpoint HEALTHY; /clusters says so, without a failed check")
            }
            Standing::Draining => (Sighting::NotUp(backend), "endpoint DRAINING; /clusters says so"),
            Standing::Out => (Sighting::NotUp(backend), "endpoint removed; /clusters says so"),
        };
        Ok(Change {
            steps: vec![
                Step::Write { path: file.path, text: file.text },
                Step::Await { sighting, within: recognised_within(topology.health_check.as_ref()) },
            ],
            proof,
            drained: DrainSignal::View,
        })
    }

    fn view(&self, _site: &Site) -> Option<ViewQuery> {
        Some(ViewQuery { ask: Ask::Get("/clusters?format=json".into()), read: read_clusters })
    }

    fn graceful_stop(&self) -> Signal {
        Signal::Term
    }

    fn logs(&self) -> LogFiles {
        LogFiles { access: "access.log", notices: STDERR_FILE }
    }

    fn read_log(&self, line: &str, site: &Site) -> Result<Option<LogLine>, LogError> {
        #[derive(Deserialize)]
        struct Line {
            id: Option<String>,
            ts: String,
            status: u16,
            ms: i64,
            upstream: Option<String>,
            flags: String,
            attempts: Option<u8>,
        }
        let line: Line = serde_json::from_str(line).map_err(|error| LogError(error.to_string()))?;
        // Envoy names the last host only; the attempts before it are counted, not named.
        let last = line.upstream.filter(|host| host != "-").map(|host| site.backend_at(&host));
        let attempts = match last {
            None => Vec::new(),
            Some(last) => {
                let earlier = line.attempts.unwrap_or(1).saturating_sub(1);
                let unnamed = (0..earlier).map(|_| Attempt { backend: None, status: None });
                unnamed.chain([Attempt { backend: Some(last), status: None }]).collect()
            }
        };
        Ok(Some(LogLine {
            id: logged_id(line.id.as_deref().unwrap_or("-"))?,
            wall: wall_nanos(&line.ts)? + line.ms * 1_000_000,
            status: line.status,
            attempts,
            flags: line.flags,
        }))
    }
}

const RETRY_ON: &str = "connect-failure,refused-stream,reset,gateway-error";

/// How often Envoy draws a host anew that has been tried already; its default, once, often meets the same again.
const HOST_SELECTIONS: u32 = 5;

/// Each try has its part of the time, else the first that hangs would use up all of it.
fn per_try_timeout(topology: &Topology, tries: u32) -> String {
    // Envoy has whole milliseconds, and takes zero for no time-out.
    seconds((topology.response_timeout.0 / tries.max(1)).max(Duration::from_millis(1)))
}

/// With nine decimals at most: Envoy refuses more.
fn seconds(span: Duration) -> String {
    let text = format!("{}.{:09}", span.as_secs(), span.subsec_nanos());
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

fn address(address: std::net::SocketAddr) -> Value {
    context! { ip => address.ip().to_string(), port => address.port() }
}

fn health_check(check: &HealthCheck) -> Value {
    context! {
        path => &check.path, every => seconds(check.every.0), timeout => seconds(check.timeout.0),
        fall => check.fall, rise => check.rise,
    }
}

/// The `lb_policy`, and how reports call it.
fn algorithm(balance: Balance) -> (&'static str, &'static str) {
    match balance {
        Balance::RoundRobin => ("ROUND_ROBIN", "lb_policy: ROUND_ROBIN"),
        Balance::LeastConnections => ("LEAST_REQUEST", "least_request, selection_method: FULL_SCAN"),
        Balance::TwoChoices => ("LEAST_REQUEST", "lb_policy: LEAST_REQUEST (2 choices)"),
        Balance::SourceHash => ("RING_HASH", "lb_policy: RING_HASH on the source address"),
    }
}

/// One directory per pool: Envoy watches the directory, and a rename in it must mean this file.
fn endpoints_path(pool: &str) -> String {
    format!("endpoints/{pool}/endpoints.yaml")
}

fn endpoints(
    topology: &Topology,
    site: &Site,
    pool: &str,
    rotation: &Rotation,
    templates: &Templates,
) -> Result<ConfigFile, EngineError> {
    let hosts: Vec<Value> = topology
        .pool(pool)
        .map(|pool| pool.backends.as_slice())
        .unwrap_or_default()
        .iter()
        .filter_map(|b| {
            let status = match rotation.of(&b.id) {
                Standing::In => "HEALTHY",
                Standing::Draining => "DRAINING",
                Standing::Out => return None,
            };
            Some(context! { address => address(site.address_of(&b.id)), status })
        })
        .collect();
    let text = templates.render("envoy/endpoints.yaml", context! { pool, hosts })?;
    Ok(ConfigFile::new(endpoints_path(pool), text))
}

/// Reads `/clusters?format=json` (Envoy docs, "Administration interface").
fn read_clusters(answer: &str, site: &Site) -> Result<View, ViewError> {
    #[derive(Deserialize)]
    struct Clusters {
        #[serde(default)]
        cluster_statuses: Vec<Cluster>,
    }
    #[derive(Deserialize)]
    struct Cluster {
        #[serde(default)]
        host_statuses: Vec<Host>,
    }
    #[derive(Deserialize)]
    struct Host {
        address: Address,
        #[serde(default)]
        stats: Vec<Statistic>,
        #[serde(default)]
        health_status: serde_json::Map<String, serde_json::Value>,
    }
    #[derive(Deserialize)]
    struct Address {
        socket_address: SocketAddress,
    }
    #[derive(Deserialize)]
    struct SocketAddress {
        address: String,
        port_value: u16,
    }
    #[derive(Deserialize)]
    struct Statistic {
        name: String,
        #[serde(default)]
        value: String,
    }
    let clusters: Clusters = serde_json::from_str(answer).map_err(|error| ViewError(error.to_string()))?;
    let host = |host: Host| {
        let socket = host.address.socket_address;
        let discovered = host.health_status.get("eds_health_status").and_then(|v| v.as_str()).unwrap_or("-");
        // Every other entry is a reason against the host: failed_active_health_check, pending_active_hc, …
        let against: Vec<&str> = host
            .health_status
            .iter()
            .filter(|(name, value)| *name != "eds_health_status" && value.as_bool() == Some(true))
            .map(|(name, _)| name.as_str())
            .collect();
        BackendView {
            backend: site.backend_at(&format!("{}:{}", socket.address, socket.port_value)),
            up: discovered == "HEALTHY" && against.is_empty(),
            in_flight: host
                .stats
                .iter()
                .find(|s| s.name == "rq_active")
                .and_then(|s| s.value.parse().ok())
                .unwrap_or(0),
            words: std::iter::once(discovered).chain(against).collect::<Vec<_>>().join(" "),
        }
    };
    Ok(clusters.cluster_statuses.into_iter().flat_map(|cluster| cluster.host_statuses).map(host).collect())
}
