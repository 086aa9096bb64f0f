//! HAProxy. Controlled through its runtime socket (management guide, "Unix Socket commands").

mod access_log;
mod adopt;
mod control;
mod misfits;
mod missing;
mod operations;
mod retries;
mod settings;
mod syntax;

use std::time::Duration;

use minijinja::{Value, context};
use model::catalog::Lack;
use model::detection::{DetectionBound, Symptom};
use model::history::Setting;
use model::timeline::{Deregister, Keeps, ReloadProcess};
use model::topology::{
    Balance, HeaderMatch, HealthCheck, Limits, PassiveHealth, Route, Topology, UpstreamKeepalive,
};
use model::units::Span;
use model::version::Version;

use self::missing::MISSING;
use self::retries::retries;
use self::syntax::parse;
use super::layer4::{is_layer4, set_of, sets, silence};
use super::probing::in_a_row;
use super::{
    Adopts, Ask, BackendView, Balancer, Change, ConfigFile, Deregisters, DrainSignal, HasSettings,
    LogsRequests, Misfit, Operated, Probes, RELOADED_WITHIN, Reloads, RenderError, Rotation, Sighting, Site,
    SplitSteps, Splits, Standing, Step, Succeeded, Succession, Templates, Trigger, Turn, View, ViewError,
    ViewQuery, deregistration, kept, own, recognised_within, routing_settings, setting, sticky_settings, tls,
};
use crate::host::Signal;
use crate::program::{Program, STDERR_FILE, no_modules};

pub(super) struct Haproxy;

const CONFIG: &str = "haproxy.cfg";
/// `timeout connect` in the template.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const SPLITS: &str = "splits.map";
/// Where the state of its servers is saved.
const STATE: &str = "servers.state";
/// A state file of version 1 without a server: what HAProxy finds at its first start.
const NO_STATE: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n";
/// The name of the frontend: no pool is called so, as names have no underscores.
const FRONTEND: &str = "the_listener";

// Requests go to standard output, which is a regular file: a full pipe would lose lines.
static PROGRAM: Program = Program {
    name: "haproxy",
    executable: "haproxy",
    version_arguments: &["-v"],
    modules: no_modules,
    needed_because: None,
    has_workers: true,
    newest_known: Some(Version::minor(3, 2)),
};

impl Balancer for Haproxy {
    fn missing(&self) -> &'static [Lack] {
        MISSING
    }

    fn program(&self) -> &'static Program {
        &PROGRAM
    }

    fn templates(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("haproxy/haproxy.cfg", include_str!("../../../../../proxy-configs/haproxy/haproxy.cfg")),
            ("haproxy/layer4.cfg", include_str!("../../../../../proxy-configs/haproxy/layer4.cfg")),
        ]
    }

    fn files(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        templates: &Templates,
    ) -> Result<Vec<ConfigFile>, RenderError> {
        if let Some(name) = templates.whole() {
            let main = own::rendered(CONFIG, name, topology, site, rotation, "disabled", templates)?;
            let beside = own::beside(&main.text, site, templates);
            return Ok(std::iter::once(main).chain(beside).collect());
        }
        let pools: Vec<Value> = sets(topology)
            .iter()
            .map(|pool| {
                let servers: Vec<Value> = pool
                    .backends
                    .iter()
                    .map(|b| {
                        context! {
                            name => &b.id,
                            address => site.address_of(&b.id).to_string(),
                            out => rotation.of(&b.id) != Standing::In,
                            weight => pool.is_weighted().then_some(b.weight),
                            backup => b.backup,
                        }
                    })
                    .collect();
                let discovery = site.discovered(pool).map(|it| {
                    context! {
                        server => it.server.to_string(),
                        host => format!("{}:{}", it.name, it.port),
                        ttl => it.seconds(),
                        most => it.most,
                    }
                });
                let backups = pool.has_backups();
                context! { name => &pool.name, servers, discovery, backups, sticky => topology.sticky_cookie(&pool.name).map(insert) }
            })
            .collect();
        let splits = map(topology);
        let splits = (!splits.is_empty() && !is_layer4(topology))
            .then(|| ConfigFile::new(SPLITS, splits.join("\n") + "\n"));
        let values = context! {
            workers => topology.workers,
            connections => site.connections + 256,
            listener => site.listener.to_string(),
            admin => site.admin.display().to_string(),
            tls => tls::values(topology, site),
            discovered => topology.is_discovered(),
            hard_stop_after => hard_stop_after(topology),
            response_timeout_ms => server_timeout(topology).whole_millis(),
            silence_ms => silence(topology).whole_millis(),
            state => site.saves_state.then(|| site.directory.join(STATE).display().to_string()),
            splits => splits.as_ref().map(|file| site.directory.join(&file.path).display().to_string()),
            keeps_upstreams => topology.upstream_keepalive == UpstreamKeepalive::On,
            client_keepalive => client_keepalive(topology),
            retries => retries(topology),
            observe => observe(topology),
            queue_timeout => queue_timeout(topology),
            slow_start_ms => topology.slow_start.map(|span| span.whole_millis()),
            limit => limit(topology),
            algorithm => algorithm(topology.balance),
            hashed => topology.balance == Balance::SourceHash,
            health_path => topology.health_check.as_ref().map(|check| check.path.clone()),
            probe => topology.health_check.as_ref().map(probe),
            health_timeout_ms => topology.health_check.as_ref().map(|check| check.timeout.whole_millis()),
            routes => topology.routes.iter().map(route).collect::<Vec<_>>(),
            pools,
        };
        let template = if is_layer4(topology) { "haproxy/layer4.cfg" } else { "haproxy/haproxy.cfg" };
        let config = templates.render(CONFIG, template, values)?;
        let state = site.saves_state.then(|| ConfigFile::new(STATE, NO_STATE));
        Ok([config].into_iter().chain(splits).chain(state).collect())
    }

    fn misfits(&self, topology: &Topology, site: &Site, files: &[ConfigFile]) -> Vec<Misfit> {
        let config = files.iter().find(|file| file.path == CONFIG);
        config.map_or_else(Vec::new, |file| misfits::misfits(file, site, topology))
    }

    fn arguments(&self, _topology: &Topology, site: &Site, _files: &[ConfigFile]) -> Vec<String> {
        // Master-worker: `-db` alone ignores SIGTERM where it is PID 1.
        ["-W", "-db", "-f", &site.directory.join(CONFIG).display().to_string()].map(str::to_owned).to_vec()
    }

    fn view(&self) -> Option<ViewQuery> {
        Some(ViewQuery {
            ask: Ask::Line("show stat -1 4 -1".into()),
            read: read_statistics,
            tells_health: true,
        })
    }

    fn graceful_stop(&self) -> Signal {
        Signal::Usr1
    }

    fn shortage_words(&self) -> &'static [&'static str] {
        &[
            "no free ports",
            "reached process FD limit",
            "reached system FD limit",
            "reached system memory limit",
            "reached the configured maximum connection limit",
            "Cannot get a server socket",
            // "A local resource has been exhausted" (configuration manual, 8.5).
            r#""flags":"R"#,
        ]
    }

    fn deregisters(&self) -> Option<&'static dyn Deregisters> {
        Some(&Haproxy)
    }

    fn splits(&self) -> Option<&'static dyn Splits> {
        Some(&Haproxy)
    }

    fn reloads(&self) -> Option<&'static dyn Reloads> {
        Some(&Haproxy)
    }

    fn succeeded(&self) -> Option<&'static dyn Succeeded> {
        Some(&Haproxy)
    }

    fn probes(&self) -> Option<&'static dyn Probes> {
        Some(&Haproxy)
    }

    fn request_log(&self) -> Option<&'static dyn LogsRequests> {
        Some(&Haproxy)
    }

    fn read_back(&self) -> Option<&'static dyn HasSettings> {
        Some(&Haproxy)
    }

    fn adopts(&self) -> Option<&'static dyn Adopts> {
        Some(&Haproxy)
    }

    fn whole_template(&self) -> &'static str {
        "own/haproxy.cfg"
    }

    fn operated(&self) -> Option<&'static dyn Operated> {
        Some(&Haproxy)
    }
}

fn algorithm(balance: Balance) -> &'static str {
    match balance {
        Balance::RoundRobin => "roundrobin",
        Balance::LeastConnections => "leastconn",
        Balance::TwoChoices => "random(2)",
        Balance::SourceHash => "source",
    }
}

/// The cookie is the balancer's own: backends don't see it.
fn insert(cookie: &str) -> String {
    format!("cookie {cookie} insert indirect nocache")
}

/// HAProxy has no time after which an ejected server returns: its health check brings it back. Without one it
/// would ignore this.
fn observe(topology: &Topology) -> Option<String> {
    match (topology.passive_health, &topology.health_check) {
        (PassiveHealth::On { fails, .. }, Some(_)) => {
            let layer = if is_layer4(topology) { "layer4" } else { "layer7" };
            Some(format!("observe {layer} error-limit {fails} on-error mark-down"))
        }
        _ => None,
    }
}

/// Of every occurrence, each value between commas.
fn condition(header: &HeaderMatch) -> String {
    format!("req.hdr({}) -m str -- {}", header.name, header.value)
}

/// The keys of a route's bounds in the map, with their values.
fn bounds(route: &Route) -> Vec<(String, u32)> {
    let bounds = route.to.bounds().into_iter();
    bounds.map(|(pool, bound)| (format!("{}/{pool}", route.name), bound)).collect()
}

/// The lines of the map.
fn map(topology: &Topology) -> Vec<String> {
    let bounds = topology.routes.iter().flat_map(bounds);
    bounds.map(|(key, bound)| format!("{key} {bound}")).collect()
}

fn route(route: &Route) -> Value {
    let bounds = route.to.bounds().into_iter().zip(bounds(route));
    let parts = bounds.map(|((pool, _), (key, _))| context! { pool, key }).collect::<Vec<_>>();
    context! {
        path => &route.path,
        header => route.header.as_ref().map(condition),
        rest => route.to.pools().last(),
        parts,
    }
}

/// At layer 4 it would end connections that are idle between two requests.
fn server_timeout(topology: &Topology) -> Span {
    if is_layer4(topology) { silence(topology) } else { topology.response_timeout }
}

fn probe(check: &HealthCheck) -> String {
    format!("check inter {}ms fall {} rise {}", check.every.whole_millis(), check.fall, check.rise)
}

/// Where it says nothing, HAProxy waits for a free server as long as for a connection.
fn queue_timeout(topology: &Topology) -> Option<String> {
    let waits = match topology.limits {
        Limits::Each(limit) => limit.queue_timeout,
        Limits::Off | Limits::Default => Some(server_timeout(topology)),
    };
    waits.map(|waits| format!("{}ms", waits.whole_millis()))
}

/// `maxqueue` bounds the queue of a server, in which requests wait that only it may serve. All others wait in the queue of
/// the backend, which only a rule can bound.
fn limit(topology: &Topology) -> Option<Value> {
    match topology.limits {
        Limits::Each(limit) => Some(context! { connections => limit.connections, queue => limit.queue }),
        Limits::Off | Limits::Default => None,
    }
}

fn client_keepalive(topology: &Topology) -> String {
    match topology.client_keepalive {
        Some(span) => format!("timeout http-keep-alive {}ms", span.whole_millis()),
        None => "option httpclose".into(),
    }
}

fn hard_stop_after(topology: &Topology) -> String {
    topology.reload_grace.map_or("1ms".into(), |grace| format!("{}ms", grace.whole_millis()))
}

/// Reads `show stat`: CSV with its column names in the first line (management guide, "Statistics and
/// monitoring"). A configuration of the user's has names of its own: who a server is, its address says. One that stands in
/// several backends is one backend of rig's.
fn read_statistics(answer: &str, site: &Site) -> Result<View, ViewError> {
    let mut lines = answer.lines().filter(|line| !line.is_empty());
    let header = lines.next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default();
    let column = |name: &str| {
        header
            .split(',')
            .position(|c| c == name)
            .ok_or_else(|| ViewError(format!("show stat has no column `{name}`")))
    };
    let (server, current, status) = (column("svname")?, column("scur")?, column("status")?);
    let address = column("addr").ok();
    // A place to which the name has given no address is no backend.
    let is_known = |line: &&str| {
        let at = address.and_then(|place| line.split(',').nth(place)).unwrap_or_default();
        site.names.is_none() || site.backend_at(at) != at
    };
    let views: Vec<BackendView> = lines
        .filter(is_known)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let field = |place: usize| fields.get(place).copied().unwrap_or_default();
            Ok(BackendView {
                backend: match address
                    .map(field)
                    .filter(|it| !it.is_empty())
                    .map(|it| (it, site.backend_at(it)))
                {
                    Some((address, known)) if known != address => known,
                    _ => field(server).to_owned(),
                },
                up: field(status).starts_with("UP") || field(status) == "no check",
                in_flight: field(current).parse().map_err(|_| ViewError(format!("no count in `{line}`")))?,
                words: field(status).to_owned(),
            })
        })
        .collect::<Result<_, _>>()?;
    let mut merged: View = Vec::new();
    for view in views {
        match merged.iter_mut().find(|known| known.backend == view.backend) {
            Some(known) => {
                known.up |= view.up;
                known.in_flight += view.in_flight;
            }
            None => merged.push(view),
        }
    }
    Ok(merged)
}

/// What the configuration calls the servers at the address of `backend`, each with its section.
fn servers_of(config: &str, site: &Site, backend: &str) -> Vec<String> {
    let address = site.address_of(backend).to_string();
    let sections = parse(config);
    let servers =
        sections.iter().flat_map(|section| section.named("server").map(move |line| (section, line)));
    let own = servers.filter(|(_, line)| line.word(2) == address);
    own.map(|(section, line)| format!("{}/{}", section.name, line.word(1))).collect()
}
