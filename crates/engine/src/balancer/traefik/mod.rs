//! Traefik, configured by its file provider. A backend is taken out by a new version of the dynamic file, which Traefik
//! watches (Traefik docs, "File provider"). Its API is not enabled: it listens on TCP alone, where everybody on the machine
//! could ask it.

mod access_log;
mod control;
mod misfits;
mod missing;
mod operations;
mod retries;
mod settings;

use std::time::Duration;

use minijinja::{Value, context};
use model::catalog::Lack;
use model::detection::{DetectionBound, Symptom};
use model::history::Setting;
use model::split::Split;
use model::timeline::Keeps;
use model::topology::{
    Backend, Balance, HeaderMatch, HealthCheck, PassiveHealth, Pool, Route, Topology, UpstreamKeepalive,
};
use model::units::Span;
use model::version::Version;
use sha2::{Digest, Sha256};

use self::missing::MISSING;
use super::layer4::{is_layer4, sets};
use super::probing::in_a_row;
use super::{
    Balancer, Change, ConfigFile, Deregisters, DrainSignal, HasSettings, LogFiles, LogsRequests, Misfit,
    Operated, Probes, RELOADED_WITHIN, Reloads, RenderError, Rotation, Sighting, Site, SplitSteps, Splits,
    Standing, Step, Templates, Trigger, Turn, deregistration, kept, literal, routing_settings, setting,
    sticky_settings, tls,
};
use crate::program::{Program, STDOUT_FILE, no_modules};

pub(super) struct Traefik;

const STATIC: &str = "traefik.yaml";
const DYNAMIC: &str = "dynamic/dynamic.yaml";
const ACCESS_LOG: &str = "access.log";

static PROGRAM: Program = Program {
    name: "traefik",
    executable: "traefik",
    version_arguments: &["version"],
    modules: no_modules,
    needed_because: None,
    has_workers: false,
    newest_known: Some(Version::minor(3, 7)),
};

impl Balancer for Traefik {
    fn missing(&self) -> &'static [Lack] {
        MISSING
    }

    fn program(&self) -> &'static Program {
        &PROGRAM
    }

    fn templates(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("traefik/traefik.yaml", include_str!("../../../../../proxy-configs/traefik/traefik.yaml")),
            ("traefik/dynamic.yaml", include_str!("../../../../../proxy-configs/traefik/dynamic.yaml")),
            ("traefik/layer4.yaml", include_str!("../../../../../proxy-configs/traefik/layer4.yaml")),
        ]
    }

    fn files(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        templates: &Templates,
    ) -> Result<Vec<ConfigFile>, RenderError> {
        let values = context! {
            directory => site.directory.display().to_string(),
            listener => site.listener.to_string(),
            client_keepalive => topology.client_keepalive.map(duration),
        };
        let main = templates.render(STATIC, "traefik/traefik.yaml", values)?;
        Ok(vec![main, version(topology, site, rotation, 0, templates)?.file])
    }

    fn misfits(&self, topology: &Topology, site: &Site, files: &[ConfigFile]) -> Vec<Misfit> {
        misfits::misfits(files, site, topology)
    }

    fn arguments(&self, _topology: &Topology, site: &Site, _files: &[ConfigFile]) -> Vec<String> {
        vec![format!("--configFile={}", site.directory.join(STATIC).display())]
    }

    /// Its threads are the Go runtime's.
    fn variables(&self, topology: &Topology, _site: &Site) -> Vec<(&'static str, String)> {
        vec![("GOMAXPROCS", topology.workers.to_string())]
    }

    fn logs(&self) -> LogFiles {
        LogFiles { access: ACCESS_LOG, notices: STDOUT_FILE }
    }

    fn shortage_words(&self) -> &'static [&'static str] {
        &super::shortage::IN_GO
    }

    fn deregisters(&self) -> Option<&'static dyn Deregisters> {
        Some(&Traefik)
    }

    fn splits(&self) -> Option<&'static dyn Splits> {
        Some(&Traefik)
    }

    fn reloads(&self) -> Option<&'static dyn Reloads> {
        Some(&Traefik)
    }

    fn probes(&self) -> Option<&'static dyn Probes> {
        Some(&Traefik)
    }

    fn request_log(&self) -> Option<&'static dyn LogsRequests> {
        Some(&Traefik)
    }

    fn read_back(&self) -> Option<&'static dyn HasSettings> {
        Some(&Traefik)
    }

    fn operated(&self) -> Option<&'static dyn Operated> {
        Some(&Traefik)
    }
}

/// A version of the dynamic file.
struct FileVersion {
    file: ConfigFile,
    /// What is answered as soon as it serves.
    path: String,
}

/// Its name is a hash of all that it says: the same again is the same version. `nth` tells reloads apart, which say nothing
/// new.
fn version(
    topology: &Topology,
    site: &Site,
    rotation: &Rotation,
    nth: u32,
    templates: &Templates,
) -> Result<FileVersion, RenderError> {
    let sets = sets(topology);
    let pools: Vec<Value> = sets.iter().map(|set| pool(topology, set, site, rotation)).collect();
    let values = context! {
        tls => tls::values(topology, site),
        strategy => strategy(topology.balance),
        response_timeout => duration(topology.response_timeout),
        keeps_upstreams => topology.upstream_keepalive == UpstreamKeepalive::On,
        retries => retries::retries(&topology.retries),
        health_check => topology.health_check.as_ref().map(health_check),
        passive_health => match topology.passive_health {
            PassiveHealth::Off | PassiveHealth::Default => None,
            PassiveHealth::On { fails, out_for } => {
                Some(context! { fails, out_for => duration(out_for) })
            }
        },
        set => &pools[0],
        routes => routes(topology),
        pools,
    };
    let template = if is_layer4(topology) { "traefik/layer4.yaml" } else { "traefik/dynamic.yaml" };
    let render = |version: &str| templates.render(DYNAMIC, template, context! { version, ..values.clone() });
    let hash = Sha256::digest(format!("{nth} {}", render("")?.text));
    let name: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Ok(FileVersion { file: render(&name)?, path: format!("/.rig/{name}") })
}

fn duration(span: Span) -> String {
    format!("{}ms", span.whole_millis())
}

/// One failed probe takes a server out, and one that succeeds brings it back: `fall` and `rise` have no equivalent.
fn health_check(check: &HealthCheck) -> Value {
    context! { path => &check.path, every => duration(check.every), timeout => duration(check.timeout) }
}

fn pool(topology: &Topology, pool: &Pool, site: &Site, rotation: &Rotation) -> Value {
    let serving = || pool.backends.iter().filter(|backend| rotation.of(&backend.id) == Standing::In);
    let address = |backend: &Backend| site.address_of(&backend.id).to_string();
    let weight = |backend: &Backend| pool.is_weighted().then_some(backend.weight);
    let server = |backend: &Backend| context! { address => address(backend), weight => weight(backend) };
    context! {
        name => &pool.name,
        servers => serving().map(server).collect::<Vec<_>>(),
        addresses => serving().map(address).collect::<Vec<_>>(),
        sticky => topology.sticky_cookie(&pool.name),
    }
}

/// `wrr` is round robin with weights, which are all the same.
fn strategy(balance: Balance) -> &'static str {
    match balance {
        Balance::TwoChoices => "p2c",
        Balance::SourceHash => "hrw",
        // Validation refuses least connections.
        Balance::RoundRobin | Balance::LeastConnections => "wrr",
    }
}

/// The first that fits counts: it has the greatest priority.
fn routes(topology: &Topology) -> Vec<Value> {
    let priorities = (1..=topology.routes.len()).rev();
    let each = topology.routes.iter().enumerate().zip(priorities);
    each.map(|((n, route), priority)| {
        let header = |header: &HeaderMatch| context! { name => &header.name, regex => header_regex(header) };
        let only = route.to.only();
        context! {
            n, priority,
            path => &route.path,
            header => route.header.as_ref().map(header),
            // No pool is called so, as names have no underscores.
            service => only.map_or_else(|| format!("split_{n}"), str::to_owned),
            parts => if only.is_some() { vec![] } else { parts(route) },
        }
    })
    .collect()
}

fn parts(route: &Route) -> Vec<Value> {
    let mut begins = 0;
    let bounds = route.to.bounds().into_iter().map(|(_, bound)| bound).chain([Split::PARTS]);
    let parts = route.to.pools().zip(bounds).map(|(pool, bound)| {
        let weight = bound - std::mem::replace(&mut begins, bound);
        context! { pool, weight }
    });
    parts.collect()
}

/// Traefik matches each occurrence of a header by itself; one may be a list.
fn header_regex(header: &HeaderMatch) -> String {
    format!("(^|,) *{} *(,|$)", literal(header))
}

#[cfg(test)]
mod tests;
