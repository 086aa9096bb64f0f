//! Whether a Docker engine is one that rig can use, and what of it bears on figures.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use bollard::Docker;
use bollard::models::SystemInfo;
use futures_util::future::join_all;

use super::endpoint::Endpoint;
use super::error::{DockerError, words};
use super::images::{ImageChoice, ImageOf, ImageSource, Pull};
use super::network::{SUBNETS, routed};
use super::official::Official;
use super::sweep::leftovers;
use crate::checkup::Check;
use crate::host::checkup::{open_files, told};
use crate::program::Program;

/// How long a registry may take to say what it has, the engine's attempts included.
const REGISTRY_WITHIN: Duration = Duration::from_secs(5);
/// A table of connections that is fuller soon drops packets of new ones.
const FULL: f64 = 0.8;
const CONNTRACK: &str = "/proc/sys/net/netfilter/nf_conntrack";
const BRIDGE_FILTER: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";
const LOCALLY: &str = "rig run SCENARIO --runtime process   # or run rig on the engine's machine";
const LOG: &str = "sudo journalctl --unit docker --lines 50   # what the engine says about it";
const IMAGE_HELP: &str = "make setup   # or let the engine reach a registry, or `docker load` the image";

/// An engine that answers.
pub struct Answering {
    /// The connection.
    pub docker: Docker,
    /// Where it is.
    pub endpoint: Endpoint,
    version: String,
    info: SystemInfo,
}

impl Answering {
    /// Finds the engine as [`Endpoint::find`] does and connects to it.
    ///
    /// # Errors
    /// There is none, it can't be used, or it doesn't describe itself.
    pub async fn find(environment: &impl Fn(&str) -> Option<OsString>) -> Result<Answering, DockerError> {
        let endpoint = Endpoint::find(environment)?;
        let docker = endpoint.connect().await?;
        let version = docker.version().await.map_err(DockerError::refused("tell its version"))?;
        let info = docker.info().await.map_err(DockerError::refused("describe itself"))?;
        Ok(Answering { docker, endpoint, version: version.version.unwrap_or_default(), info })
    }

    /// Which engine it is, and what led to it.
    pub fn engine(&self) -> Check {
        let Endpoint { url, found_by } = &self.endpoint;
        let (version, api) = (&self.version, self.docker.client_version());
        Check::ok("engine", format!("{version}, API {api}, at {url} (from {found_by})"))
    }

    /// Whether components in it can be reached and read from here, as far as it says.
    pub fn location(&self) -> [Check; 2] {
        let here = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let options = self.info.security_options.as_deref().unwrap_or_default();
        [rootless(options), kernel(self.info.kernel_version.as_deref(), here.trim())]
    }

    /// What bears on figures.
    pub fn facts(&self) -> Vec<Check> {
        let fact = |name, value: Option<String>| match value.filter(|value| !value.is_empty()) {
            Some(value) => Check::ok(name, value),
            None => Check::not_checked(name, "the engine doesn't tell"),
        };
        let cgroup = self.info.cgroup_version.map(|version| version.to_string());
        vec![
            fact("storage driver", self.info.driver.clone()),
            fact("cgroup version", cgroup),
            conntrack(),
            told("bridge filter", BRIDGE_FILTER, |value| Some(bridge_filter(value))),
            told("subnets", "/proc/net/route", |routes| Some(subnets(routed(routes)))),
        ]
    }

    /// The image that each of `programs`, and rig's agents, would run from; agents are `executable`. Nothing changes on the
    /// engine.
    pub async fn images(
        &self,
        programs: impl Iterator<Item = &'static Program>,
        executable: PathBuf,
    ) -> Vec<(ImageOf, Check)> {
        let with = |pull| ImageSource { docker: self.docker.clone(), pull, executable: executable.clone() };
        let (missing, never) = (with(Pull::Missing), with(Pull::Never));
        let images = programs.map(|program| ImageOf::Program(program.into())).chain([ImageOf::Agent]);
        let checks = images.map(async |of| (of, self.image(of, &missing, &never).await));
        join_all(checks).await
    }

    async fn image(&self, of: ImageOf, missing: &ImageSource, never: &ImageSource) -> Check {
        let name = image_name(of);
        let chosen = match missing.choose(of).await {
            Ok(chosen) => chosen,
            Err(error) => return Check::broken(name, &error, LOG),
        };
        let ImageOf::Program(program) = of else { return image(name, &chosen, None) };
        if chosen.present {
            return image(name, &chosen, None);
        }
        let official = Official::of(program);
        let pinned = official.pinned();
        let asked = self.docker.inspect_registry_image(&pinned, None);
        let refusal = match tokio::time::timeout(REGISTRY_WITHIN, asked).await {
            Ok(Ok(_)) => return Check::ok(name, format!("{}, to be pulled", official.tagged())),
            Ok(Err(error)) => words(&error),
            Err(_) => format!("the registry did not answer within {} s", REGISTRY_WITHIN.as_secs()),
        };
        match never.choose(of).await {
            Ok(packed) => image(name, &packed, Some(&refusal)),
            Err(error) => Check::broken(name, &error, LOG),
        }
    }

    /// What dead runs have left on it.
    pub async fn leftovers(&self) -> Check {
        let name = "leftovers";
        match leftovers(&self.docker).await {
            Ok(left) if left.dead > 0 => Check::limits(
                name,
                format!("{} containers and networks of dead runs", left.dead),
                "rig clean",
            ),
            Ok(left) if left.unseen > 0 => Check::limits(
                name,
                format!(
                    "{} containers and networks of runs whose owner can't be seen from here",
                    left.unseen
                ),
                "rig clean --unseen   # if no rig runs elsewhere on this engine",
            ),
            Ok(_) => Check::ok(name, "no container or network of a dead run"),
            Err(error) => Check::broken(name, &error, LOG),
        }
    }
}

/// By the hard limit of open files that containers get.
pub fn container_files(limit: Option<i64>) -> Check {
    let name = "open files in containers";
    match limit {
        None => Check::not_checked(name, "the limits of a container's process can't be read from here"),
        Some(limit) => open_files(name, u64::try_from(limit).ok(), FILES_HELP),
    }
}

const FILES_HELP: &str = "sudo systemctl edit docker   # [Service] LimitNOFILE=1048576, then restart docker";

fn image_name(of: ImageOf) -> String {
    match of {
        ImageOf::Program(program) => format!("image for {program}"),
        ImageOf::Agent => "image for agents".to_owned(),
    }
}

/// A rootless engine's networks are in a namespace of their own
/// (docs.docker.com/engine/security/rootless/troubleshoot, "Known limitations").
fn rootless(security_options: &[String]) -> Check {
    match security_options.iter().any(|option| option.contains("rootless")) {
        true => Check::failed(
            "rootless",
            "the engine is rootless: its containers' addresses can't be reached from here",
            "DOCKER_HOST=unix:///var/run/docker.sock rig doctor   # a root engine, or use --runtime process",
        ),
        false => Check::ok("rootless", "no: containers' addresses are on this machine"),
    }
}

/// Two kernels are two machines; one version can still be two.
fn kernel(engines: Option<&str>, here: &str) -> Check {
    match engines {
        Some(engines) if engines == here => Check::ok("kernel", format!("{here}, here and in containers")),
        Some(engines) => Check::failed(
            "kernel",
            format!("the engine is on another machine: its kernel is {engines}, and the one here {here}"),
            LOCALLY,
        ),
        None => Check::not_checked("kernel", "the engine doesn't tell which it has"),
    }
}

/// `chosen` as it stands, or packed because no registry gave the official one.
fn image(name: String, chosen: &ImageChoice, refusal: Option<&str>) -> Check {
    let why = chosen.why.split('\n').next().unwrap_or_default();
    let Some(reference) = &chosen.reference else {
        let refusal = refusal.map(|words| format!("; and none is pulled: {words}")).unwrap_or_default();
        return Check::failed(name, format!("none can be had: {why}{refusal}"), IMAGE_HELP);
    };
    // The digest says nothing to people.
    let reference = reference.split('@').next().unwrap_or_default();
    let origin = match refusal {
        // What follows says that pulling was declined, which is only how this was asked.
        Some(words) => format!("{}: {words}", why.split(": ").next().unwrap_or_default()),
        None => why.to_owned(),
    };
    let yet = if chosen.present { "" } else { "to be " };
    Check::ok(name, format!("{reference}, {yet}{origin}"))
}

fn conntrack() -> Check {
    let max = std::fs::read_to_string(format!("{CONNTRACK}_max"));
    told("conntrack", &format!("{CONNTRACK}_count"), |count| connections(count, max.ok()?.trim()))
}

/// By net.netfilter.nf_conntrack_count and nf_conntrack_max; 0 is without limit.
fn connections(count: &str, max: &str) -> Option<Check> {
    let (count, max): (u64, u64) = (count.parse().ok()?, max.parse().ok()?);
    let found = format!("{count} of {max} connections are tracked");
    Some(if max > 0 && count as f64 > FULL * max as f64 {
        let more = format!("sudo sysctl net.netfilter.nf_conntrack_max={}", max.saturating_mul(4));
        Check::limits("conntrack", format!("{found}: new ones will soon be dropped"), more)
    } else {
        Check::ok("conntrack", found)
    })
}

/// By net.bridge.bridge-nf-call-iptables.
fn bridge_filter(value: &str) -> Check {
    let meaning = match value {
        "0" => "packets between containers pass no firewall rules",
        _ => "packets between containers pass the firewall's rules, which costs CPU time",
    };
    Check::ok("bridge filter", format!("bridge-nf-call-iptables {value}: {meaning}"))
}

fn subnets(routed: u32) -> Check {
    match routed {
        SUBNETS => Check::failed(
            "subnets",
            "all of 198.18.0.0/15 is routed already, so that no cell can have a network",
            "ip route show root 198.18.0.0/15   # shows what has them",
        ),
        routed => {
            Check::ok("subnets", format!("{} of {SUBNETS} in 198.18.0.0/15 are free", SUBNETS - routed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkup::CheckState;

    #[test]
    fn a_rootless_engine_and_one_on_another_kernel_are_refused() {
        let option = |text: &str| vec!["name=seccomp,profile=default".to_owned(), text.to_owned()];
        assert_eq!(rootless(&option("name=rootless")).state, CheckState::Failed);
        assert_eq!(rootless(&option("name=cgroupns")).state, CheckState::Ok);
        assert_eq!(kernel(Some("6.1.0"), "6.1.0").state, CheckState::Ok);
        assert_eq!(kernel(Some("6.10.14-linuxkit"), "6.1.0").state, CheckState::Failed);
        assert_eq!(kernel(None, "6.1.0").state, CheckState::NotChecked);
    }

    #[test]
    fn a_table_of_connections_is_full_at_four_fifths() {
        let state = |count, max| connections(count, max).map(|check| check.state);
        assert_eq!(state("80", "100"), Some(CheckState::Ok));
        assert_eq!(state("81", "100"), Some(CheckState::Limits));
        assert_eq!(state("81", "0"), Some(CheckState::Ok));
        assert_eq!(state("", "100"), None);
    }

    #[test]
    fn subnets_fail_only_when_none_is_left() {
        assert_eq!(subnets(0).found, "512 of 512 in 198.18.0.0/15 are free");
        assert_eq!(subnets(SUBNETS - 1).state, CheckState::Ok);
        assert_eq!(subnets(SUBNETS).state, CheckState::Failed);
    }

    #[test]
    fn an_image_is_told_with_its_origin_and_the_lack_of_one_with_every_reason() {
        let choice = |reference: Option<&str>, present, why: &str| ImageChoice {
            component: "envoy".to_owned(),
            reference: reference.map(str::to_owned),
            digest: None,
            present,
            why: why.to_owned(),
        };
        let told = |choice, refusal| image("image".into(), &choice, refusal);
        let local = told(choice(Some("envoy:1@sha256:00"), true, "local"), None);
        assert_eq!((local.state, local.found.as_str()), (CheckState::Ok, "envoy:1, local"));
        let packed =
            choice(Some("rig-packed/envoy:00"), false, "packed from /bin/envoy: not pulled, as asked");
        let packed = told(packed, Some("no such host"));
        assert_eq!(packed.found, "rig-packed/envoy:00, to be packed from /bin/envoy: no such host");
        let none = told(choice(None, false, "envoy is not installed\n  help: do"), Some("no such host"));
        assert_eq!(none.state, CheckState::Failed);
        assert_eq!(none.found, "none can be had: envoy is not installed; and none is pulled: no such host");
    }

    #[test]
    fn containers_with_few_descriptors_limit_figures() {
        let states = [Some(1024), Some(1 << 20), Some(-1), None].map(|limit| container_files(limit).state);
        assert_eq!(states, [CheckState::Limits, CheckState::Ok, CheckState::Ok, CheckState::NotChecked]);
    }
}
