//! nginx, open source. No active health checks and no runtime API: a backend is taken out by a flag file that
//! every request tests (`if (-f …)`, ngx_http_rewrite_module), or by a new configuration and SIGHUP.

use std::time::Duration;

use minijinja::{Value, context};
use model::access_log::{Attempt, LogGap};
use model::catalog::Capability;
use model::history::Setting;
use model::plan::Variant;
use model::timeline::Deregister;
use model::topology::{Balance, PassiveHealth, Pool, Retries, Topology};
use serde::Deserialize;

use super::{
    Balancer, Change, ConfigFile, DrainSignal, LogError, LogFiles, LogLine, OldWorkers, Rotation, Sighting,
    Signal, Site, Standing, Step, Turn, ViewQuery, deregistration, logged_id, or_default, setting,
    wall_nanos,
};
use crate::error::EngineError;
use crate::templates::Templates;

pub(super) struct Nginx;

const CONFIG: &str = "nginx.conf";
const NOTICES: &str = "error.log";

impl Balancer for Nginx {
    fn missing(&self) -> &'static [(Capability, &'static str)] {
        &[
            (Capability::ActiveHealthChecks, "nginx OSS has passive checks only"),
            (Capability::InFlightView, "nginx OSS doesn't say what each backend has in flight"),
        ]
    }

    fn log_gaps(&self) -> &'static [LogGap] {
        &[]
    }

    fn version_arguments(&self) -> &'static [&'static str] {
        &["-v"]
    }

    fn settings(&self, variant: &Variant) -> Vec<Setting> {
        let topology = &variant.topology;
        let server = server_parameters(topology.passive_health);
        let or_default = |rendered, default| or_default(rendered, "nginx", default);
        vec![
            setting("balance", or_default(algorithm(topology.balance), "round robin")),
            setting(
                "retries",
                or_default(next_upstream(topology.retries), "proxy_next_upstream error timeout;"),
            ),
            setting("passive_health", or_default(server, "max_fails=1 fail_timeout=10s")),
            setting("health_check", "none: nginx OSS has passive checks only"),
            setting("client_keepalive", format!("keepalive_timeout {};", keepalive(topology))),
            setting(
                "response_timeout",
                format!("proxy_read_timeout {}ms;", topology.response_timeout.whole_millis()),
            ),
            deregistration(
                variant,
                "route flag: if (-f drain/BACKEND) { set $pool POOL_without_BACKEND; }",
                "server … down in a new configuration, SIGHUP",
            ),
        ]
    }

    fn files(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        templates: &Templates,
    ) -> Result<Vec<ConfigFile>, EngineError> {
        // The scratch files make the directories that nginx expects to find.
        let mut files = vec![
            configuration(topology, site, &Rotation::default(), templates)?,
            ConfigFile::new("tmp/.keep", ""),
            ConfigFile::new("drain/.keep", ""),
        ];
        for backend in topology.pools.iter().flat_map(|pool| &pool.backends) {
            if rotation.of(&backend.id) != Standing::In {
                files.push(ConfigFile::new(flag(&backend.id), ""));
            }
        }
        Ok(files)
    }

    fn arguments(&self, site: &Site) -> Vec<String> {
        let directory = site.directory.display();
        [
            "-e",
            &format!("{directory}/{NOTICES}"),
            "-p",
            &directory.to_string(),
            "-c",
            &format!("{directory}/{CONFIG}"),
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn change(
        &self,
        topology: &Topology,
        site: &Site,
        turn: Turn<'_>,
        templates: &Templates,
    ) -> Result<Change, EngineError> {
        let admitted = turn.to.of(turn.backend) == Standing::In;
        let old_workers = |then| OldWorkers { log: NOTICES, began: "start worker process ", then };
        Ok(match turn.how {
            Deregister::Live => Change {
                steps: vec![match admitted {
                    true => Step::Remove { path: flag(turn.backend) },
                    false => Step::Write { path: flag(turn.backend), text: String::new() },
                }],
                proof: "route flag, tested by every request",
                // A request that has passed the test and not reached the backend yet is in nobody's count.
                drained: DrainSignal::Backend { steady: Duration::from_millis(250) },
            },
            Deregister::Reload => {
                let config = configuration(topology, site, turn.to, templates)?;
                let mut steps = vec![Step::Write { path: config.path, text: config.text }];
                if admitted {
                    steps.push(Step::Remove { path: flag(turn.backend) });
                }
                steps.push(Step::Signal(Signal::Hup));
                steps.push(Step::Await {
                    sighting: Sighting::OldWorkers(old_workers("gracefully shutting down")),
                    within: Duration::from_secs(10),
                });
                Change {
                    steps,
                    proof: "SIGHUP; the old workers accept no more",
                    drained: DrainSignal::OldWorkers(old_workers(" exited ")),
                }
            }
        })
    }

    fn view(&self, _site: &Site) -> Option<ViewQuery> {
        None
    }

    fn graceful_stop(&self) -> Signal {
        Signal::Quit
    }

    fn logs(&self) -> LogFiles {
        LogFiles { access: "access.log", notices: NOTICES }
    }

    fn read_log(&self, line: &str, site: &Site) -> Result<Option<LogLine>, LogError> {
        #[derive(Deserialize)]
        struct Line<'a> {
            id: &'a str,
            ts: &'a str,
            status: u16,
            upstream: &'a str,
            upstream_status: &'a str,
            completion: &'a str,
        }
        let line: Line<'_> = serde_json::from_str(line).map_err(|error| LogError(error.to_string()))?;
        // Several attempts are separated by `, ` ($upstream_addr, $upstream_status).
        let attempts = line
            .upstream
            .split(", ")
            .zip(line.upstream_status.split(", "))
            // With no live backend nginx logs the name of the upstream block instead of an address.
            .filter(|(address, _)| address.contains(':'))
            .map(|(address, status)| Attempt {
                backend: Some(site.backend_at(address)),
                status: status.parse().ok(),
            })
            .collect();
        Ok(Some(LogLine {
            id: logged_id(line.id)?,
            wall: wall_nanos(line.ts)?,
            status: line.status,
            attempts,
            flags: line.completion.to_owned(),
        }))
    }
}

/// The file whose existence takes `backend` out of its pool.
fn flag(backend: &str) -> String {
    format!("drain/{backend}")
}

fn algorithm(balance: Balance) -> String {
    match balance {
        Balance::RoundRobin => "",
        Balance::LeastConnections => "least_conn;",
        Balance::TwoChoices => "random two least_conn;",
        // `ip_hash` looks at the /24 only.
        Balance::SourceHash => "hash $remote_addr consistent;",
    }
    .into()
}

fn next_upstream(retries: Retries) -> String {
    match retries {
        Retries::Off => "proxy_next_upstream off;".into(),
        Retries::Default => String::new(),
        Retries::On { tries } => {
            format!(
                "proxy_next_upstream error timeout http_502 http_503 http_504; proxy_next_upstream_tries {tries};"
            )
        }
    }
}

fn server_parameters(passive: PassiveHealth) -> String {
    match passive {
        PassiveHealth::Off => "max_fails=0".into(),
        PassiveHealth::Default => String::new(),
        // fail_timeout has whole seconds.
        PassiveHealth::On { fails, out_for } => {
            format!("max_fails={fails} fail_timeout={}s", out_for.seconds().ceil())
        }
    }
}

fn keepalive(topology: &Topology) -> String {
    topology.client_keepalive.map_or("0".into(), |span| format!("{}ms", span.whole_millis()))
}

/// The main file. A backend that is out in `rotation` is `down` in it; the flags are tested beside that.
fn configuration(
    topology: &Topology,
    site: &Site,
    rotation: &Rotation,
    templates: &Templates,
) -> Result<ConfigFile, EngineError> {
    let down = |id: &str| rotation != &Rotation::default() && rotation.of(id) != Standing::In;
    let upstreams: Vec<Value> = topology
        .pools
        .iter()
        .flat_map(|pool| {
            let whole = context! { name => &pool.name, servers => servers(pool, None, site, down) };
            let without = pool.backends.iter().map(|absent| {
                let servers = servers(pool, Some(&absent.id), site, down);
                context! { name => upstream_without(&pool.name, &absent.id), servers }
            });
            std::iter::once(whole).chain(without)
        })
        .collect();
    let routes: Vec<Value> = topology
        .routes
        .iter()
        .map(|route| {
            let pool = topology.pool(&route.to);
            let flags: Vec<Value> = pool
                .iter()
                .flat_map(|pool| &pool.backends)
                .map(|b| context! { file => flag(&b.id), upstream => upstream_without(&route.to, &b.id) })
                .collect();
            context! { path => &route.path, pool => &route.to, flags }
        })
        .collect();
    let values = context! {
        directory => site.directory.display().to_string(),
        as_root => site.as_root,
        workers => topology.workers,
        connections => u64::from(site.connections) * 2 + 512,
        descriptors => u64::from(site.connections) * 2 + 1024,
        listener => site.listener.to_string(),
        keepalive_timeout => keepalive(topology),
        response_timeout_ms => topology.response_timeout.whole_millis(),
        next_upstream => next_upstream(topology.retries),
        algorithm => algorithm(topology.balance),
        server_parameters => server_parameters(topology.passive_health),
        upstreams, routes,
    };
    Ok(ConfigFile::new(CONFIG, templates.render("nginx/nginx.conf", values)?))
}

/// The servers of `pool` without `absent`. One at most: of each pool a deploy has one backend out at a time. nginx
/// refuses an upstream without servers, so the only backend of a pool stands there as `down` when it is absent.
fn servers(pool: &Pool, absent: Option<&str>, site: &Site, down: impl Fn(&str) -> bool) -> Vec<Value> {
    let alone = pool.backends.len() == 1;
    pool.backends
        .iter()
        .map(|b| (b.id.as_str(), absent == Some(b.id.as_str())))
        .filter(|(_, is_absent)| alone || !is_absent)
        .map(|(id, is_absent)| {
            context! { address => site.address_of(id).to_string(), down => is_absent || down(id) }
        })
        .collect()
}

/// `web_without_web-1`: no pool is called so, as names have no underscores.
fn upstream_without(pool: &str, absent: &str) -> String {
    format!("{pool}_without_{absent}")
}
