//! Envoy, configured from files. Backends are taken out through endpoint discovery: the endpoints file is
//! replaced by rename in a watched directory, with `DRAINING` for the one that leaves (Envoy docs, "Endpoint
//! discovery service", `core.v3.HealthStatus`).

mod misfits;
mod operations;
mod settings;
mod view;
mod words;

use std::time::Duration;

use minijinja::{Value, context};
use model::access_log::{Attempt, LogGap};
use model::catalog::Capability;
use model::detection::{DetectionBound, Symptom};
use model::history::Setting;
use model::operations::{Operations, Whereabouts};
use model::split::Split;
use model::timeline::{Deregister, Keeps};
use model::topology::{
    Balance, HeaderMatch, HealthCheck, Limits, PassiveHealth, Retries, Route, Threshold, Topology,
};
use serde::Deserialize;

use super::layer4::{is_layer4, read_connection, set_of, sets, silence};
use super::probing::in_a_row;
use super::{
    Ask, BackendView, Balancer, Change, ConfigFile, DrainSignal, LogError, LogFiles, LogLine, Misfit,
    RELOADED_WITHIN, RenderError, Rendered, Rotation, Sighting, Sign, Site, SplitSteps, Standing, Step,
    Templates, Trigger, Turn, View, ViewError, ViewQuery, deregistration, literal, logged_id,
    recognised_within, routing_settings, setting, sticky_settings, tls, wall_nanos,
};
use crate::host::Signal;
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
};

impl Balancer for Envoy {
    fn missing(&self) -> &'static [(Capability, &'static str)] {
        &[
            (
                Capability::ReloadDeregister,
                "Envoy takes new endpoints while it runs; there is no reload to show",
            ),
            (
                Capability::ForgetfulReload,
                "Envoy's endpoints are in a file of their own, which a new listener leaves as it is",
            ),
        ]
    }

    fn log_gaps(&self) -> &'static [LogGap] {
        &[]
    }

    fn program(&self) -> &'static Program {
        &PROGRAM
    }

    fn settings(&self, rendered: &Rendered<'_>) -> Vec<Setting> {
        settings::settings(rendered)
    }

    fn files(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        templates: &Templates,
    ) -> Result<Vec<ConfigFile>, RenderError> {
        files(topology, site, rotation, 0, templates)
    }

    fn misfits(&self, topology: &Topology, site: &Site, files: &[ConfigFile]) -> Vec<Misfit> {
        misfits::misfits(files, site, topology)
    }

    fn arguments(&self, topology: &Topology, site: &Site, _files: &[ConfigFile]) -> Vec<String> {
        let config = site.directory.join(CONFIG).display().to_string();
        // Without the flush interval its access log lags by up to 10 s.
        ["-c", &config, "--concurrency", &site.workers.to_string(), "--disable-hot-restart", "-l", "warning"]
            .into_iter()
            .chain(["--file-flush-interval-msec", "100", "--drain-time-s", &drain_seconds(topology)])
            .map(str::to_owned)
            .collect()
    }

    fn change(
        &self,
        topology: &Topology,
        site: &Site,
        turn: Turn<'_>,
        templates: &Templates,
    ) -> Result<Change, RenderError> {
        debug_assert_eq!(turn.how, Deregister::Live, "validation rejects what the catalog says is missing");
        let pool = set_of(topology, turn.backend);
        let file = endpoints(topology, site, &pool, turn.to, templates)?;
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

    fn split(
        &self,
        topology: &Topology,
        _site: &Site,
        _route: &Route,
        templates: &Templates,
    ) -> Result<SplitSteps, RenderError> {
        let file = routes(topology, templates)?;
        let ask = Ask::Get("/config_dump?resource=dynamic_route_configs".into());
        let sighting = Sighting::Says { ask, text: routes_version(topology) };
        Ok(SplitSteps {
            steps: vec![
                Step::Write { path: file.path, text: file.text },
                Step::Await { sighting, within: Duration::from_secs(10) },
            ],
            proof: "RDS from a file; /config_dump has its version",
        })
    }

    fn reload(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        keeps: Keeps,
        nth: u32,
        templates: &Templates,
    ) -> Result<Vec<Step>, RenderError> {
        debug_assert_eq!(keeps, Keeps::Rotation, "validation rejects what the catalog says is missing");
        let files = files(topology, site, rotation, nth, templates)?;
        let listener = files.into_iter().find(|file| file.path == LISTENER);
        let ask = Ask::Get("/stats?filter=^listener_manager.listener_create_success$".into());
        // Counted by every worker that has taken it over.
        let taken = u32::from(site.workers) * (nth + 1);
        let line = format!("listener_manager.listener_create_success: {taken}");
        let trigger = listener.map(|file| Step::Reload(Trigger::Write { path: file.path, text: file.text }));
        let wait = Step::Await { sighting: Sighting::Answer { ask, line }, within: RELOADED_WITHIN };
        Ok(trigger.into_iter().chain([wait]).collect())
    }

    fn view(&self, _site: &Site) -> Option<ViewQuery> {
        Some(ViewQuery { ask: Ask::Get("/clusters?format=json".into()), read: view::read_clusters })
    }

    fn operations(&self, at: &Whereabouts) -> Operations {
        operations::operations(at)
    }

    /// The next probe begins `interval` after the end of the last, with traffic or without (`no_traffic_interval` is the
    /// same). A 503 marks a host down at once, whatever `unhealthy_threshold` says (core.v3.HealthCheck).
    fn detection(&self, check: &HealthCheck, symptom: Symptom) -> DetectionBound {
        match symptom {
            Symptom::Refuses => in_a_row(check, check.fall, None),
            Symptom::SaysNo => in_a_row(check, 1, None),
            Symptom::Hangs | Symptom::Vanishes => {
                in_a_row(check, check.fall, Some((check.timeout.0, "timeout")))
            }
        }
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
            #[serde(default)]
            ms: i64,
            upstream: Option<String>,
            #[serde(default)]
            flags: String,
            details: Option<String>,
            attempts: Option<u8>,
            pool: Option<String>,
        }
        if let Some(connection) = read_connection(line, site) {
            return connection.map(Some);
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
        let (signs, reason) = words::read(&line.flags, line.details.as_deref().unwrap_or_default());
        Ok(Some(LogLine {
            id: logged_id(line.id.as_deref().unwrap_or("-"))?,
            wall: wall_nanos(&line.ts, line.ms)?,
            status: line.status,
            pool: line.pool.filter(|pool| pool != "-"),
            attempts,
            flags: line.flags,
            signs,
            reason,
        }))
    }

    fn signs(&self) -> &'static [Sign] {
        words::SIGNS
    }

    fn read_notice(&self, _line: &str, _site: &Site) -> Option<String> {
        None
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
            context! { name => &pool.name, endpoints => path }
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
            attempts => attempts_at_layer4(topology),
            set => &sets[0].name,
        }),
        routes => site.directory.join(ROUTES).display().to_string(),
        panic => percent(topology.panic, 0).map(|percent| percent.to_string()),
        // Whole percents, rounded up.
        max_ejection => percent(topology.max_ejection, 100).map(|percent| percent.ceil() as u32),
        limited => topology.limits == Limits::Default,
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
    for pool in &sets {
        files.push(endpoints(topology, site, &pool.name, rotation, templates)?);
    }
    Ok(files)
}

const RETRY_ON: &str = "connect-failure,refused-stream,reset,gateway-error";

/// How often Envoy draws a host anew that has been tried already; its default, once, often meets the same again.
const HOST_SELECTIONS: u32 = 5;

/// Each try has its part of the time, else the first that hangs would use up all of it.
fn per_try_timeout(topology: &Topology, tries: u32) -> String {
    // Envoy has whole milliseconds, and takes zero for no time-out.
    seconds((topology.response_timeout.0 / tries.max(1)).max(Duration::from_millis(1)))
}

/// How long an old listener drains; none closes its connections at once. Envoy has whole seconds.
fn drain_seconds(topology: &Topology) -> String {
    topology.reload_grace.map_or(0.0, |grace| grace.seconds().ceil()).to_string()
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
        Threshold::At(share) => Some((share.0 * 100.0 * 1e6).round() / 1e6),
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
        retries => match topology.retries {
            Retries::Off | Retries::Default => None,
            Retries::On { tries } => Some(context! {
                on => RETRY_ON,
                more => tries.saturating_sub(1),
                timeout => per_try_timeout(topology, tries),
                host_selections => HOST_SELECTIONS,
            }),
        },
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

/// Attempts to connect in all.
fn attempts_at_layer4(topology: &Topology) -> u32 {
    if let Retries::On { tries } = topology.retries { tries } else { 1 }
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
    let hosts: Vec<Value> = sets(topology)
        .iter()
        .filter(|set| set.name == pool)
        .flat_map(|set| &set.backends)
        .filter_map(|b| {
            let status = match rotation.of(&b.id) {
                Standing::In => "HEALTHY",
                Standing::Draining => "DRAINING",
                Standing::Out => return None,
            };
            Some(context! { address => address(site.address_of(&b.id)), status })
        })
        .collect();
    templates.render(endpoints_path(pool), "envoy/endpoints.yaml", context! { pool, hosts })
}
