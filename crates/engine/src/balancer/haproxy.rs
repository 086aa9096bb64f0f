//! HAProxy. Controlled through its runtime socket (management guide, "Unix Socket commands"), which rig has it
//! open on a loopback address.

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
    STDERR_FILE, STDOUT_FILE, Sighting, Signal, Site, Standing, Step, Turn, View, ViewError, ViewQuery,
    deregistration, logged_id, or_default, recognised_within, setting, wall_nanos,
};
use crate::error::EngineError;
use crate::templates::Templates;

pub(super) struct Haproxy;

const CONFIG: &str = "haproxy.cfg";

impl Balancer for Haproxy {
    fn missing(&self) -> &'static [(Capability, &'static str)] {
        &[
            (Capability::ReloadDeregister, "rig's HAProxy adapter deregisters through the runtime socket"),
            (
                Capability::PassiveHealthAlone,
                "HAProxy observes the traffic only of servers that it probes, and only probes bring one back",
            ),
        ]
    }

    fn log_gaps(&self) -> &'static [LogGap] {
        &[LogGap::SilentClose]
    }

    fn version_arguments(&self) -> &'static [&'static str] {
        &["-v"]
    }

    fn settings(&self, variant: &Variant) -> Vec<Setting> {
        let topology = &variant.topology;
        let or_default = |rendered, default| or_default(rendered, "HAProxy", default);
        vec![
            setting("balance", format!("balance {}", algorithm(topology.balance))),
            setting(
                "retries",
                or_default(retries(topology.retries).join("; "), "retries 3, on connection failures"),
            ),
            setting(
                "passive_health",
                match observe(topology) {
                    Some(observe) => format!("{observe} (`for` has no equivalent: probes bring it back)"),
                    None => or_default(String::new(), "none"),
                },
            ),
            setting(
                "health_check",
                topology.health_check.as_ref().map_or("none".into(), |check| {
                    format!("option httpchk GET {}; {}", check.path, probe(check))
                }),
            ),
            setting(
                "client_keepalive",
                match topology.client_keepalive {
                    Some(_) => client_keepalive(topology),
                    None => format!(
                        "{} (closes the connection to the server as well)",
                        client_keepalive(topology)
                    ),
                },
            ),
            setting(
                "response_timeout",
                format!("timeout server {}ms", topology.response_timeout.whole_millis()),
            ),
            deregistration(variant, "set server POOL/BACKEND state drain", "(no reload)"),
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
                let servers: Vec<Value> = pool
                    .backends
                    .iter()
                    .map(|b| {
                        context! {
                            name => &b.id,
                            address => site.address_of(&b.id).to_string(),
                            out => rotation.of(&b.id) != Standing::In,
                        }
                    })
                    .collect();
                context! { name => &pool.name, servers }
            })
            .collect();
        let routes: Vec<Value> =
            topology.routes.iter().map(|route| context! { path => &route.path, pool => &route.to }).collect();
        let values = context! {
            workers => topology.workers,
            connections => site.connections + 256,
            listener => site.listener.to_string(),
            admin => site.admin.to_string(),
            response_timeout_ms => topology.response_timeout.whole_millis(),
            client_keepalive => client_keepalive(topology),
            retries => retries(topology.retries),
            observe => observe(topology),
            algorithm => algorithm(topology.balance),
            hashed => topology.balance == Balance::SourceHash,
            health_path => topology.health_check.as_ref().map(|check| check.path.clone()),
            probe => topology.health_check.as_ref().map(probe),
            health_timeout_ms => topology.health_check.as_ref().map(|check| check.timeout.whole_millis()),
            pools, routes,
        };
        Ok(vec![ConfigFile::new(CONFIG, templates.render("haproxy/haproxy.cfg", values)?)])
    }

    fn arguments(&self, site: &Site) -> Vec<String> {
        // Master-worker: `-db` alone ignores SIGTERM where it is PID 1.
        ["-W", "-db", "-f", &site.directory.join(CONFIG).display().to_string()].map(str::to_owned).to_vec()
    }

    fn change(
        &self,
        topology: &Topology,
        _site: &Site,
        turn: Turn<'_>,
        _templates: &Templates,
    ) -> Result<Change, EngineError> {
        debug_assert_eq!(turn.how, Deregister::Live, "validation rejects what the catalog says is missing");
        let pool = topology.pool_of(turn.backend).map_or("", |pool| pool.name.as_str());
        let backend = turn.backend.to_owned();
        let (command, sighting, proof) = match turn.to.of(turn.backend) {
            Standing::In => {
                ("state ready", Sighting::Up(backend), "set server state ready; show stat says UP")
            }
            Standing::Draining => {
                ("state drain", Sighting::NotUp(backend), "set server state drain; show stat says DRAIN")
            }
            Standing::Out => {
                ("state maint", Sighting::NotUp(backend), "set server state maint; show stat says MAINT")
            }
        };
        Ok(Change {
            steps: vec![
                Step::Send(format!("set server {pool}/{} {command}", turn.backend)),
                Step::Await { sighting, within: recognised_within(topology.health_check.as_ref()) },
            ],
            proof,
            drained: DrainSignal::View,
        })
    }

    fn view(&self, _site: &Site) -> Option<ViewQuery> {
        Some(ViewQuery { ask: Ask::Line("show stat -1 4 -1".into()), read: read_statistics })
    }

    fn graceful_stop(&self) -> Signal {
        Signal::Usr1
    }

    fn logs(&self) -> LogFiles {
        // Requests go to standard output, which is a regular file: a full pipe would lose lines.
        LogFiles { access: STDOUT_FILE, notices: STDERR_FILE }
    }

    fn read_log(&self, line: &str, _site: &Site) -> Result<Option<LogLine>, LogError> {
        #[derive(Deserialize)]
        struct Line<'a> {
            id: &'a str,
            ts: &'a str,
            status: i32,
            active: i64,
            server: &'a str,
            flags: &'a str,
            retries: &'a str,
        }
        // Its own notices (a server is down, a proxy stopped) share the file.
        if !line.starts_with('{') {
            return Ok(None);
        }
        let line: Line<'_> = serde_json::from_str(line).map_err(|error| LogError(error.to_string()))?;
        // The last server is named; the attempts before it are counted, with a `+` if they were at other servers.
        let retries = line.retries.strip_prefix('+').unwrap_or(line.retries);
        let retries: u8 =
            retries.parse().map_err(|_| LogError(format!("`{}` is no count of retries", line.retries)))?;
        let unnamed = (0..retries).map(|_| Attempt { backend: None, status: None });
        let last = Some(line.server).filter(|server| !matches!(*server, "<NOSRV>" | ""));
        let last = last.map(|server| Attempt { backend: Some(server.to_owned()), status: None });
        let attempts = unnamed.chain(last).collect();
        Ok(Some(LogLine {
            id: logged_id(line.id)?,
            wall: wall_nanos(line.ts)? + line.active.max(0) * 1_000_000,
            // -1: nothing was sent to the client.
            status: u16::try_from(line.status).unwrap_or(0),
            attempts,
            flags: line.flags.to_owned(),
        }))
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

fn retries(retries: Retries) -> Vec<String> {
    match retries {
        Retries::Off => vec!["retries 0".into()],
        Retries::Default => vec![],
        Retries::On { tries } => vec![
            format!("retries {}", tries.saturating_sub(1)),
            "option redispatch 1".into(),
            "retry-on conn-failure empty-response response-timeout 502 503 504".into(),
        ],
    }
}

/// HAProxy has no time after which an ejected server returns: its health check brings it back. Without one it
/// would ignore this.
fn observe(topology: &Topology) -> Option<String> {
    match (topology.passive_health, &topology.health_check) {
        (PassiveHealth::On { fails, .. }, Some(_)) => {
            Some(format!("observe layer7 error-limit {fails} on-error mark-down"))
        }
        _ => None,
    }
}

fn probe(check: &HealthCheck) -> String {
    format!("check inter {}ms fall {} rise {}", check.every.whole_millis(), check.fall, check.rise)
}

fn client_keepalive(topology: &Topology) -> String {
    match topology.client_keepalive {
        Some(span) => format!("timeout http-keep-alive {}ms", span.whole_millis()),
        None => "option httpclose".into(),
    }
}

/// Reads `show stat`: CSV with its column names in the first line (management guide, "Statistics and
/// monitoring").
fn read_statistics(answer: &str, _site: &Site) -> Result<View, ViewError> {
    let mut lines = answer.lines().filter(|line| !line.is_empty());
    let header = lines.next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default();
    let column = |name: &str| {
        header
            .split(',')
            .position(|c| c == name)
            .ok_or_else(|| ViewError(format!("show stat has no column `{name}`")))
    };
    let (server, current, status) = (column("svname")?, column("scur")?, column("status")?);
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let field = |place: usize| fields.get(place).copied().unwrap_or_default();
            Ok(BackendView {
                backend: field(server).to_owned(),
                up: field(status).starts_with("UP") || field(status) == "no check",
                in_flight: field(current).parse().map_err(|_| ViewError(format!("no count in `{line}`")))?,
                words: field(status).to_owned(),
            })
        })
        .collect()
}
