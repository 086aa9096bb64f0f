//! What all tests with real components share: one machine, and a look at what is left on it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder};
use engine::runtime::docker::endpoint::Endpoint;

#[path = "../../../engine/tests/skip/mod.rs"]
mod skip;

static MACHINE: RwLock<()> = RwLock::new(());

/// The machine, for one test alone.
pub(crate) fn machine() -> RwLockWriteGuard<'static, ()> {
    // A test that failed while it had the machine has ended all the same.
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// A part of the machine, for a test that judges counts: as many as there are test threads run their cells at once.
#[allow(dead_code, reason = "not every binary of tests has such tests")]
pub(crate) fn beside_others() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Where the engine is, and a connection to it; without one, a test that needs it is to end.
pub(crate) async fn docker() -> Option<(Endpoint, Docker)> {
    let found = async {
        let endpoint = Endpoint::find(&|name| std::env::var_os(name))?;
        let docker = endpoint.connect().await?;
        Ok::<_, engine::runtime::docker::DockerError>((endpoint, docker))
    };
    skip::unless_missing(found.await)
}

/// A container or network that rig has made.
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) labels: HashMap<String, String>,
}

impl Made {
    /// Whether it was made for the process `pid`.
    pub(crate) fn is_of(&self, pid: u32) -> bool {
        self.labels.get("rig.owner").is_some_and(|owner| owner.starts_with(&format!("{pid} ")))
    }
}

/// All containers, running or not, and networks that rig has made.
pub(crate) async fn made(docker: &Docker) -> Vec<Made> {
    let filter = HashMap::from([("label", vec!["rig.run"])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filter).build();
    let containers = docker.list_containers(Some(options)).await.expect("the engine lists containers");
    let options = ListNetworksOptionsBuilder::default().filters(&filter).build();
    let networks = docker.list_networks(Some(options)).await.expect("the engine lists networks");
    let containers = containers.into_iter().map(|it| Made {
        name: format!("container{}", it.names.unwrap_or_default().concat()),
        labels: it.labels.unwrap_or_default(),
    });
    let networks = networks.into_iter().map(|it| Made {
        name: format!("network/{}", it.name.unwrap_or_default()),
        labels: it.labels.unwrap_or_default(),
    });
    containers.chain(networks).collect()
}

/// Every process that works in `directory` or below, as its command line. All of rig's do; none changes it.
pub(crate) fn processes_below(directory: &Path) -> Vec<String> {
    let directory = directory.canonicalize().expect("the directory is there");
    std::fs::read_dir("/proc")
        .expect("/proc can be read")
        .flatten()
        .filter(|entry| entry.path().join("cwd").read_link().is_ok_and(|cwd| cwd.starts_with(&directory)))
        .map(|entry| {
            let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            format!("{} {}", entry.file_name().display(), String::from_utf8_lossy(&words).replace('\0', " "))
        })
        .collect()
}
