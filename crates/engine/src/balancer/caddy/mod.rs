//! Caddy, the standard build. A backend is taken out by a flag file that every request tests (matcher `file`), or by a new
//! configuration: every change of it is a reload, whether SIGUSR1 or the admin API brings it (Caddy docs, "API").

mod access_log;
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
use model::split::Split;
use model::timeline::{Deregister, Keeps};
use model::topology::{
    Backend, Balance, HeaderMatch, HealthCheck, Limits, PassiveHealth, Pool, Route, Topology,
    UpstreamKeepalive,
};
use model::units::Span;
use model::version::Version;
use serde::Deserialize;

use self::missing::MISSING;
use super::{
    Ask, BackendView, Balancer, Change, ConfigFile, Deregisters, DrainSignal, HasSettings, LogFiles,
    LogsRequests, Misfit, Operated, Probes, RELOADED_WITHIN, Reloads, RenderError, Rotation, Sighting, Site,
    SplitSteps, Splits, Standing, Step, Templates, Trigger, Turn, View, ViewError, ViewQuery, deregistration,
    literal, routing_settings, setting, sticky_settings, tls,
};
use crate::host::Signal;
use crate::program::{Program, STDERR_FILE, no_modules};

pub(super) struct Caddy;

const CONFIG: &str = "Caddyfile";
const ACCESS_LOG: &str = "access.log";

static PROGRAM: Program = Program {
    name: "caddy",
    executable: "caddy",
    version_arguments: &["version"],
    modules: no_modules,
    needed_because: None,
    has_workers: false,
    newest_known: Some(Version::minor(2, 11)),
};

impl Balancer for Caddy {
    fn missing(&self) -> &'static [Lack] {
        MISSING
    }

    fn program(&self) -> &'static Program {
        &PROGRAM
    }

    fn templates(&self) -> &'static [(&'static str, &'static str)] {
        &[("caddy/Caddyfile", include_str!("../../../../../proxy-configs/caddy/Caddyfile"))]
    }

    fn files(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        templates: &Templates,
    ) -> Result<Vec<ConfigFile>, RenderError> {
        let mut files = vec![
            configuration(topology, site, &Rotation::default(), templates)?,
            // It makes the directory that requests look into.
            ConfigFile::new("drain/.keep", ""),
        ];
        let flagged = topology.pools.iter().filter(|pool| pool.discovery.is_none());
        let all = flagged.flat_map(|pool| &pool.backends);
        let out = all.filter(|backend| rotation.of(&backend.id) != Standing::In);
        files.extend(out.map(|backend| ConfigFile::new(flag(&backend.id), "")));
        files.extend(topology.routes.iter().flat_map(shares));
        Ok(files)
    }

    fn misfits(&self, topology: &Topology, site: &Site, files: &[ConfigFile]) -> Vec<Misfit> {
        let main = files.iter().find(|file| file.path == CONFIG);
        main.map_or_else(Vec::new, |file| misfits::misfits(file, site, topology))
    }

    fn arguments(&self, _topology: &Topology, site: &Site, _files: &[ConfigFile]) -> Vec<String> {
        let config = site.directory.join(CONFIG).display().to_string();
        ["run", "--config", &config, "--adapter", "caddyfile"].map(str::to_owned).to_vec()
    }

    /// Its threads are the Go runtime's; its own files would be below the user's home.
    fn variables(&self, topology: &Topology, site: &Site) -> Vec<(&'static str, String)> {
        let below = |name: &str| site.directory.join(name).display().to_string();
        vec![
            ("GOMAXPROCS", topology.workers.to_string()),
            ("XDG_CONFIG_HOME", below("config")),
            ("XDG_DATA_HOME", below("data")),
        ]
    }

    fn logs(&self) -> LogFiles {
        LogFiles { access: ACCESS_LOG, notices: STDERR_FILE }
    }

    fn shortage_words(&self) -> &'static [&'static str] {
        &super::shortage::IN_GO
    }

    /// It counts requests, and does not say what its probes found.
    fn view(&self) -> Option<ViewQuery> {
        let ask = Ask::Get("/reverse_proxy/upstreams".into());
        Some(ViewQuery { ask, read: read_upstreams, tells_health: false })
    }

    fn deregisters(&self) -> Option<&'static dyn Deregisters> {
        Some(&Caddy)
    }

    fn splits(&self) -> Option<&'static dyn Splits> {
        Some(&Caddy)
    }

    fn reloads(&self) -> Option<&'static dyn Reloads> {
        Some(&Caddy)
    }

    fn probes(&self) -> Option<&'static dyn Probes> {
        Some(&Caddy)
    }

    fn request_log(&self) -> Option<&'static dyn LogsRequests> {
        Some(&Caddy)
    }

    fn read_back(&self) -> Option<&'static dyn HasSettings> {
        Some(&Caddy)
    }

    fn operated(&self) -> Option<&'static dyn Operated> {
        Some(&Caddy)
    }
}

/// The file whose existence takes `backend` out of its pool.
fn flag(backend: &str) -> String {
    format!("drain/{backend}")
}

/// The main file. A backend that is out in `rotation` is in none of its pools; the flags are tested beside that.
fn configuration(
    topology: &Topology,
    site: &Site,
    rotation: &Rotation,
    templates: &Templates,
) -> Result<ConfigFile, RenderError> {
    let out = |id: &str| *rotation != Rotation::default() && rotation.of(id) != Standing::In;
    let pools = topology.pools.iter().enumerate().map(|(n, pool)| {
        let left = |absent: Option<&str>| -> Vec<&Backend> {
            let left = |it: &&Backend| absent != Some(it.id.as_str()) && !out(&it.id);
            pool.backends.iter().filter(left).collect()
        };
        let upstreams = |absent: Option<&str>| {
            let left = left(absent).into_iter();
            left.map(|it| site.address_of(&it.id).to_string()).collect::<Vec<_>>().join(" ")
        };
        // One at most: of each pool a deploy has one backend out at a time.
        let flagged = pool.backends.iter().filter(|_| pool.discovery.is_none());
        let ids: Vec<&str> = flagged.map(|it| it.id.as_str()).collect();
        // Weights stand in the policy in the order of the upstreams, so each set of upstreams has a policy of its own.
        let snippet = |absent: Option<&str>| match absent.filter(|_| pool.is_weighted()) {
            Some(absent) => format!("pool_{n}_without_{absent}"),
            None => format!("pool_{n}"),
        };
        let absences = ids.iter().copied().filter(|_| pool.is_weighted()).map(Some);
        let snippets = std::iter::once(None).chain(absences).map(|absent| {
            context! { name => snippet(absent), policy => policy(topology, pool, &left(absent)) }
        });
        let without = ids.iter().copied().map(|id| {
            context! { backend => id, upstreams => upstreams(Some(id)), snippet => snippet(Some(id)) }
        });
        context! {
            n,
            name => &pool.name,
            snippets => snippets.collect::<Vec<_>>(),
            upstreams => if pool.discovery.is_none() { upstreams(None) } else { String::new() },
            discovery => site.discovered(pool).map(|it| {
                let server = it.server.to_string();
                context! { server, name => &it.name, port => it.port, refresh => it.seconds() }
            }),
            without => without.collect::<Vec<_>>(),
        }
    });
    let values = context! {
        directory => site.directory.display().to_string(),
        admin => site.admin.display().to_string(),
        listener => context! { ip => site.listener.ip().to_string(), port => site.listener.port() },
        tls => tls::values(topology, site),
        client_keepalive => topology.client_keepalive.map(duration),
        grace_period => topology.reload_grace.map_or("1ms".into(), duration),
        response_timeout => duration(topology.response_timeout),
        keeps_upstreams => topology.upstream_keepalive == UpstreamKeepalive::On,
        retries => retries::retries(&topology.retries),
        request_count => match topology.limits {
            Limits::Each(limit) => Some(limit.connections),
            Limits::Off | Limits::Default => None,
        },
        health_check => topology.health_check.as_ref().map(health_check),
        passive_health => match topology.passive_health {
            PassiveHealth::Off | PassiveHealth::Default => None,
            PassiveHealth::On { fails, out_for } => {
                Some(context! { fails, out_for => duration(out_for) })
            }
        },
        routes => topology.routes.iter().enumerate().map(|(n, it)| route(n, it)).collect::<Vec<_>>(),
        pools => pools.collect::<Vec<_>>(),
    };
    templates.render(CONFIG, "caddy/Caddyfile", values)
}

fn duration(span: Span) -> String {
    format!("{}ms", span.whole_millis())
}

fn health_check(check: &HealthCheck) -> Value {
    context! {
        path => &check.path, every => duration(check.every), timeout => duration(check.timeout),
        fall => check.fall, rise => check.rise,
    }
}

/// How a backend of `pool` is chosen among those that are `left`. Where users are kept, it chooses the backends of new ones.
fn policy(topology: &Topology, pool: &Pool, left: &[&Backend]) -> String {
    let algorithm = match pool.is_weighted() && left.len() > 1 {
        true => left.iter().fold("weighted_round_robin".to_owned(), |all, it| format!("{all} {}", it.weight)),
        false => algorithm(topology.balance).to_owned(),
    };
    match topology.sticky_cookie(&pool.name) {
        Some(cookie) => format!("cookie {cookie} {{\n\t\t\tfallback {algorithm}\n\t\t}}"),
        None => algorithm,
    }
}

fn algorithm(balance: Balance) -> &'static str {
    match balance {
        Balance::RoundRobin => "round_robin",
        Balance::LeastConnections => "least_conn",
        Balance::TwoChoices => "random_choose 2",
        Balance::SourceHash => "ip_hash",
    }
}

fn route(n: usize, route: &Route) -> Value {
    let header = |header: &HeaderMatch| context! { name => &header.name, regex => header_regex(header) };
    let parts = route.to.bounds().into_iter();
    let parts = parts.map(|(pool, _)| context! { pool, file => share(route, pool) });
    context! {
        n,
        path => &route.path,
        header => route.header.as_ref().map(header),
        parts => parts.collect::<Vec<_>>(),
        rest => route.to.pools().last(),
    }
}

/// Caddy matches each occurrence of a header by itself; one may be a list.
fn header_regex(header: &HeaderMatch) -> String {
    format!("(^|,) *{} *(,|$)", literal(header))
}

/// The file of a pool's share in a route.
fn share(route: &Route, pool: &str) -> String {
    format!("shares/{}/{pool}", route.name)
}

/// Where the part of each pool but the last ends, in files.
fn shares(route: &Route) -> Vec<ConfigFile> {
    let bounds = route.to.bounds().into_iter();
    bounds.map(|(pool, bound)| ConfigFile::new(share(route, pool), below(bound))).collect()
}

/// What of all UUIDs, as texts, the first `bound` of [`Split::PARTS`] are less than. Their first digits are random.
fn below(bound: u32) -> String {
    if bound >= Split::PARTS {
        return "g".to_owned();
    }
    format!("{:08x}", (u64::from(bound) << 32) / u64::from(Split::PARTS))
}

/// Reads `/reverse_proxy/upstreams`. One that is in no pool any more is listed for as long as it has requests.
fn read_upstreams(answer: &str, site: &Site) -> Result<View, ViewError> {
    #[derive(Deserialize)]
    struct Upstream {
        address: String,
        num_requests: u64,
        #[serde(default)]
        fails: u64,
    }
    let upstreams: Vec<Upstream> =
        serde_json::from_str(answer).map_err(|error| ViewError(error.to_string()))?;
    let view = site.backends.iter().map(|(backend, address)| {
        let address = address.to_string();
        let known = upstreams.iter().find(|it| it.address == address);
        BackendView {
            backend: backend.clone(),
            up: true,
            in_flight: known.map_or(0, |it| it.num_requests),
            words: known.map_or("not listed".into(), |it| format!("fails {}", it.fails)),
        }
    });
    Ok(view.collect())
}

#[cfg(test)]
mod tests;
