//! Envoy, configured from files. Backends are taken out through endpoint discovery: the endpoints file is
//! replaced by rename in a watched directory, with `DRAINING` for the one that leaves (Envoy docs, "Endpoint
//! discovery service", `core.v3.HealthStatus`).

mod access_log;
mod adopt;
mod control;
mod misfits;
mod missing;
mod operations;
mod retries;
mod settings;
mod view;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use minijinja::{Value, context};
use model::catalog::Lack;
use model::detection::{DetectionBound, Symptom};
use model::history::Setting;
use model::split::Split;
use model::timeline::{Deregister, Keeps, ReloadProcess};
use model::topology::{
    Backend, Balance, HeaderMatch, HealthCheck, Limits, PassiveHealth, Pool, Route, Threshold, Topology,
};
use model::units::Share;
use model::version::Version;
use serde::Deserialize;

use self::missing::MISSING;
use super::layer4::{is_layer4, set_of, sets, silence};
use super::probing::in_a_row;
use super::{
    Adopts, Ask, BackendView, Balancer, Change, ConfigFile, Deregisters, DrainSignal, HasSettings, LogFiles,
    LogsRequests, Misfit, Operated, Probes, RELOADED_WITHIN, Reloads, RenderError, Rotation, Sighting, Site,
    SplitSteps, Splits, Standing, Step, Succeeded, Succession, Templates, Trigger, Turn, View, ViewError,
    ViewQuery, deregistration, literal, own, recognised_within, routing_settings, setting, sticky_settings,
    tls,
};
use crate::program::{Program, STDERR_FILE, no_modules};

pub(super) struct Envoy;

const CONFIG: &str = "envoy.yaml";
/// In a directory of its own: Envoy watches the directory, and a rename in it must mean this file.
const LISTENER: &str = "listener/listener.yaml";

static PROGRAM: Program = Program {
    name: "envoy",
    executable: "envoy",
    version_arguments: &["--version"],
    modules: no_modules,
    needed_because: None,
    has_workers: true,
    newest_known: Some(Version::minor(1, 40)),
};

impl Balancer for Envoy {
    fn missing(&self) -> &'static [Lack] {
        MISSING
    }

    fn program(&self) -> &'static Program {
        &PROGRAM
    }

    fn templates(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("envoy/envoy.yaml", include_str!("../../../../../proxy-configs/envoy/envoy.yaml")),
            ("envoy/routes.yaml", include_str!("../../../../../proxy-configs/envoy/routes.yaml")),
            ("envoy/endpoints.yaml", include_str!("../../../../../proxy-configs/envoy/endpoints.yaml")),
        ]
    }

    fn files(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        templates: &Templates,
    ) -> Result<Vec<ConfigFile>, RenderError> {
        let Some(name) = templates.whole() else { return files(topology, site, rotation, 0, templates) };
        let main = own::rendered(CONFIG, name, topology, site, rotation, "", templates)?;
        let mut files = own::beside(&main.text, site, templates);
        files.insert(0, main);
        for pool in sets(topology) {
            files.push(endpoints(topology, site, &pool.name, rotation, templates)?);
        }
        Ok(files)
    }

    fn misfits(&self, topology: &Topology, site: &Site, files: &[ConfigFile]) -> Vec<Misfit> {
        misfits::misfits(files, site, topology)
    }

    fn arguments(&self, topology: &Topology, site: &Site, _files: &[ConfigFile]) -> Vec<String> {
        arguments(topology, site, 0)
    }

    fn leaves_behind(&self, site: &Site) -> Vec<PathBuf> {
        let hands_over = site.succession != ReloadProcess::Kept;
        hands_over.then(|| shared_memory(site)).into_iter().collect()
    }

    fn view(&self) -> Option<ViewQuery> {
        Some(ViewQuery {
            ask: Ask::Get("/clusters?format=json".into()),
            read: view::read_clusters,
            tells_health: true,
        })
    }

    fn logs(&self) -> LogFiles {
        LogFiles { access: "access.log", notices: STDERR_FILE }
    }

    fn deregisters(&self) -> Option<&'static dyn Deregisters> {
        Some(&Envoy)
    }

    fn splits(&self) -> Option<&'static dyn Splits> {
        Some(&Envoy)
    }

    fn reloads(&self) -> Option<&'static dyn Reloads> {
        Some(&Envoy)
    }

    fn succeeded(&self) -> Option<&'static dyn Succeeded> {
        Some(&Envoy)
    }

    fn probes(&self) -> Option<&'static dyn Probes> {
        Some(&Envoy)
    }

    fn request_log(&self) -> Option<&'static dyn LogsRequests> {
        Some(&Envoy)
    }

    fn read_back(&self) -> Option<&'static dyn HasSettings> {
        Some(&Envoy)
    }

    fn adopts(&self) -> Option<&'static dyn Adopts> {
        Some(&Envoy)
    }

    fn whole_template(&self) -> &'static str {
        "own/envoy.yaml"
    }

    fn operated(&self) -> Option<&'static dyn Operated> {
        Some(&Envoy)
    }
}

/// Its files, with the listener in its `version`-th form.
fn files(
    topology: &Topology,
    site: &Site,
    rotation: &Rotation,
    version: u32,
    templates: &Templates,
) -> Result<Vec<ConfigFile>, RenderError> {
    let sets = sets(topology);
    let pools: Vec<Value> = sets
        .iter()
        .map(|pool| {
            let path = site.directory.join(endpoints_path(&pool.name)).display().to_string();
            let discovery = site.discovered(pool).map(|it| {
                let [server, host] =
                    [(it.server.ip().to_string(), it.server.port()), (it.name.clone(), it.port)];
                context! { server, host, ttl => it.seconds() }
            });
            context! { name => &pool.name, endpoints => path, discovery }
        })
        .collect();
    let values = context! {
        directory => site.directory.display().to_string(),
        listener => address(site.listener),
        tls => tls::values(topology, site),
        admin => site.admin.display().to_string(),
        policy => algorithm(topology.balance),
        full_scan => topology.balance == Balance::LeastConnections,
        hashed => topology.balance == Balance::SourceHash,
        sticky => topology.routes.iter().any(|route| route.sticky.is_some()),
        layer4 => is_layer4(topology).then(|| context! {
            silence => seconds(silence(topology).0),
            attempts => retries::attempts_at_layer4(&topology.retries),
            set => &sets[0].name,
        }),
        routes => site.directory.join(ROUTES).display().to_string(),
        panic => percent(topology.panic, 0).map(|percent| percent.to_string()),
        // WholeConfig percents, rounded up.
        max_ejection => percent(topology.max_ejection, 100).map(|percent| percent.ceil() as u32),
        limited => topology.limits == Limits::Default,
        pending => pending(topology.limits),
        per_host => per_host(topology.limits),
        slow_start => topology.slow_start.map(|span| seconds(span.0)),
        retry_budget => retries::budget(&topology.retries),
        client_keepalive => topology.client_keepalive.map(|span| seconds(span.0)),
        health_check => topology.health_check.as_ref().map(health_check),
        outlier_detection => match topology.passive_health {
            PassiveHealth::Off | PassiveHealth::Default => None,
            PassiveHealth::On { fails, out_for } => {
                Some(context! { fails, out_for => seconds(out_for.0) })
            }
        },
        pools,
    };
    let render = |path: &str, version: Option<u32>| {
        let values = context! { listener_version => version, listener_path => LISTENER, ..values.clone() };
        templates.render(path, "envoy/envoy.yaml", values)
    };
    let mut files = vec![render(CONFIG, None)?, render(LISTENER, Some(version))?];
    if !is_layer4(topology) {
        files.push(routes(topology, templates)?);
    }
    for pool in sets.iter().filter(|pool| pool.discovery.is_none()) {
        files.push(endpoints(topology, site, &pool.name, rotation, templates)?);
    }
    Ok(files)
}

/// The arguments of the first process (0) and of its successors.
fn arguments(topology: &Topology, site: &Site, epoch: u32) -> Vec<String> {
    let config = site.directory.join(CONFIG).display().to_string();
    let drain = drain_seconds(topology);
    // Without the flush interval its access log lags by up to 10 s.
    let mut arguments = vec!["-c".to_owned(), config];
    let flags = [("--concurrency", site.workers.to_string()), ("-l", "warning".to_owned())];
    let flags = flags.into_iter().chain([("--file-flush-interval-msec", "100".to_owned())]);
    let mut flags: Vec<(&str, String)> = flags.chain([("--drain-time-s", drain.to_string())]).collect();
    match site.succession {
        ReloadProcess::Kept => arguments.push("--disable-hot-restart".to_owned()),
        ReloadProcess::Takeover | ReloadProcess::Rebind => flags.extend([
            ("--base-id", base_id(site).to_string()),
            ("--restart-epoch", epoch.to_string()),
            // A second more than it has to drain, else it ends in the midst; without a grace it ends at once.
            ("--parent-shutdown-time-s", topology.reload_grace.map_or(0, |_| drain + 1).to_string()),
        ]),
    }
    arguments.extend(flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
    arguments
}

/// How long an old listener drains; none closes its connections at once. Envoy has whole seconds.
fn drain_seconds(topology: &Topology) -> u64 {
    topology.reload_grace.map_or(0, |grace| grace.0.as_secs() + u64::from(grace.0.subsec_nanos() > 0))
}

/// Which processes of this machine hand over to each other: as many as the listener's address, which is the cell's alone.
/// Envoy has room for ten times the number in 32 bits.
fn base_id(site: &Site) -> u32 {
    const MOST: u32 = u32::MAX / 10;
    let address = match site.listener.ip() {
        IpAddr::V4(address) => u32::from(address),
        IpAddr::V6(address) => u128::from(address) as u32,
    };
    (address ^ (u32::from(site.listener.port()) << 12)) % MOST
}

/// Where processes that hand over to each other keep what they share; the last one leaves it behind.
fn shared_memory(site: &Site) -> PathBuf {
    PathBuf::from(format!("/dev/shm/envoy_shared_memory_{}", u64::from(base_id(site)) * 10))
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

/// `None`: nothing is said.
fn percent(threshold: Threshold, off: u32) -> Option<f64> {
    match threshold {
        Threshold::Off => Some(f64::from(off)),
        Threshold::Default => None,
        Threshold::At(share) => Some(percentage(share)),
    }
}

fn percentage(share: Share) -> f64 {
    (share.0 * 100.0 * 1e6).round() / 1e6
}

/// How many requests of a cluster may wait for a connection.
fn pending(limits: Limits) -> String {
    match limits {
        Limits::Off | Limits::Default => "max_pending_requests: 100000, ".into(),
        Limits::Each(limit) => {
            limit.queue.map_or_else(String::new, |queue| format!("max_pending_requests: {queue}, "))
        }
    }
}

/// The limit of each host. Envoy speaks HTTP/1.1 to it, so a connection carries one request at a time.
fn per_host(limits: Limits) -> String {
    match limits {
        Limits::Off | Limits::Default => String::new(),
        Limits::Each(limit) => {
            format!(", per_host_thresholds: [{{max_connections: {}}}]", limit.connections)
        }
    }
}

/// The `lb_policy`.
fn algorithm(balance: Balance) -> &'static str {
    match balance {
        Balance::RoundRobin => "ROUND_ROBIN",
        Balance::LeastConnections | Balance::TwoChoices => "LEAST_REQUEST",
        Balance::SourceHash => "RING_HASH",
    }
}

/// The routes, in a directory of their own for the same reason as endpoints.
const ROUTES: &str = "routes/routes.yaml";

fn routes(topology: &Topology, templates: &Templates) -> Result<ConfigFile, RenderError> {
    let route = |route: &Route| {
        let mut begins = 0;
        let bounds = route.to.bounds().into_iter().map(|(_, bound)| bound).chain([Split::PARTS]);
        let parts = route.to.pools().zip(bounds).map(|(pool, bound)| {
            let weight = bound - std::mem::replace(&mut begins, bound);
            context! { pool, weight }
        });
        let header = |header: &HeaderMatch| context! { name => &header.name, regex => header_regex(header) };
        context! {
            name => &route.name,
            path => &route.path,
            header => route.header.as_ref().map(header),
            only => route.to.only(),
            sticky => route.sticky.as_ref().map(|sticky| &sticky.cookie),
            parts => parts.collect::<Vec<_>>(),
        }
    };
    let values = context! {
        version => routes_version(topology),
        routes => topology.routes.iter().map(route).collect::<Vec<_>>(),
        response_timeout => seconds(topology.response_timeout.0),
        hashed => topology.balance == Balance::SourceHash,
        retries => retries::policy(topology),
    };
    templates.render(ROUTES, "envoy/routes.yaml", values)
}

/// What tells two versions of the routes apart: all that a running cell changes of them.
fn routes_version(topology: &Topology) -> String {
    let split = |route: &Route| format!("{}: {}", route.name, route.to);
    topology.routes.iter().map(split).collect::<Vec<_>>().join("; ")
}

/// Envoy matches each occurrence of a header by itself, and did match all of them, joined by commas: this fits both.
fn header_regex(header: &HeaderMatch) -> String {
    format!("(.*, *)?{} *(,.*)?", literal(header))
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
) -> Result<ConfigFile, RenderError> {
    let set = sets(topology).into_iter().find(|set| set.name == pool);
    let host = |set: &Pool, b: &Backend| {
        let status = match rotation.of(&b.id) {
            Standing::In => "HEALTHY",
            Standing::Draining => "DRAINING",
            Standing::Out => return None,
        };
        let weight = set.is_weighted().then_some(b.weight);
        Some(context! { address => address(site.address_of(&b.id)), status, weight })
    };
    let hosts = |backup: bool| -> Vec<Value> {
        let of = |set: &Pool| -> Vec<Value> {
            set.backends.iter().filter(|b| b.backup == backup).filter_map(|b| host(set, b)).collect()
        };
        set.as_ref().map(of).unwrap_or_default()
    };
    let values = context! {
        pool,
        hosts => hosts(false),
        backups => hosts(true),
        // With one host of all that is healthy, the first priority still counts as healthy enough for everything.
        overprovisioning => set.as_ref().filter(|set| set.has_backups()).map(|set| 100 * set.backends.len()),
    };
    templates.render(endpoints_path(pool), "envoy/endpoints.yaml", values)
}
