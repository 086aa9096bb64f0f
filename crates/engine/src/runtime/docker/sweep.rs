//! Removes what rig has made on an engine, by its labels: after a cell, after a run, and for `rig clean`.

use std::collections::{BTreeMap, HashMap};

use bollard::Docker;
use bollard::models::ContainerSummaryStateEnum;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveImageOptions,
};
use futures_util::stream::{self, StreamExt};

use super::error::DockerError;
use super::owner::{COMPONENT, OWNER, Owner, OwnerState, REAPER, RUN, filter};
use super::packing::PACKED;

/// How many removals are under way at once.
const AT_ONCE: usize = 4;

/// Something on the engine that carries rig's labels.
struct Thing {
    id: String,
    labels: HashMap<String, String>,
    /// Of a container: whether it was started, and has not ended.
    runs: bool,
}

impl Thing {
    fn owner(&self) -> Option<Owner> {
        self.labels.get(OWNER).and_then(|label| label.parse().ok())
    }
}

/// Without an owner it is unknown.
fn owner_state(owner: Option<&Owner>) -> OwnerState {
    owner.map_or(OwnerState::Unknown, Owner::owner_state)
}

/// Removes every container and network that carries all of `labels`, but for reapers that run; returns how many there
/// were.
pub(super) async fn sweep(docker: &Docker, labels: &[String]) -> Result<usize, DockerError> {
    remove(docker, labels, |thing| !(is_reaper(thing) && thing.runs)).await
}

/// The same, and the reapers.
pub(super) async fn sweep_all(docker: &Docker, labels: &[String]) -> Result<usize, DockerError> {
    remove(docker, labels, |_| true).await
}

async fn remove(
    docker: &Docker,
    labels: &[String],
    which: impl Fn(&Thing) -> bool,
) -> Result<usize, DockerError> {
    let containers = containers(docker, labels).await?;
    let containers: Vec<Thing> = containers.into_iter().filter(which).collect();
    let networks = networks(docker, labels).await?;
    let found = containers.len() + networks.len();
    remove_containers(docker, &containers).await?;
    remove_networks(docker, &networks).await?;
    Ok(found)
}

/// Containers and networks of runs that may be over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Leftovers {
    /// Those whose owner is gone.
    pub(super) dead: usize,
    /// Those whose owner can't be seen from here.
    pub(super) unseen: usize,
}

/// Counts what [`clean`] would remove.
pub(super) async fn leftovers(docker: &Docker) -> Result<Leftovers, DockerError> {
    let labels = [RUN.to_owned()];
    let mut left = Leftovers::default();
    for thing in containers(docker, &labels).await?.iter().chain(&networks(docker, &labels).await?) {
        match owner_state(thing.owner().as_ref()) {
            OwnerState::Lives => {}
            OwnerState::Gone => left.dead += 1,
            OwnerState::Unknown => left.unseen += 1,
        }
    }
    Ok(left)
}

/// What [`clean`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Containers and networks that were removed.
    pub removed: usize,
    /// Runs that were left alone, and why.
    pub spared: Vec<String>,
}

/// Removes what runs of rig have left behind whose owner is gone. A live run is never touched, nor one whose owner
/// can't be seen from here unless `unseen` says so too.
pub async fn clean(docker: &Docker, unseen: bool) -> Result<Cleaned, DockerError> {
    let labels = [RUN.to_owned()];
    let (containers, networks) = (containers(docker, &labels).await?, networks(docker, &labels).await?);
    let mut runs: BTreeMap<String, Option<Owner>> = BTreeMap::new();
    for thing in containers.iter().chain(&networks) {
        runs.insert(thing.labels.get(RUN).cloned().unwrap_or_default(), thing.owner());
    }
    let mut cleaned = Cleaned::default();
    runs.retain(|run, owner| {
        let why = match owner_state(owner.as_ref()) {
            OwnerState::Gone => return true,
            OwnerState::Unknown if unseen => return true,
            OwnerState::Unknown => "its owner can't be seen from here; --unseen removes it".to_owned(),
            OwnerState::Lives => {
                format!("it is live: process {}", owner.as_ref().map_or(0, |owner| owner.pid))
            }
        };
        cleaned.spared.push(format!("run {run}: {why}"));
        false
    });
    let stale = |thing: &Thing| thing.labels.get(RUN).is_some_and(|run| runs.contains_key(run));
    let containers: Vec<Thing> = containers.into_iter().filter(stale).collect();
    let networks: Vec<Thing> = networks.into_iter().filter(stale).collect();
    remove_containers(docker, &containers).await?;
    remove_networks(docker, &networks).await?;
    cleaned.removed = containers.len() + networks.len();
    Ok(cleaned)
}

/// Removes the images that rig has packed and that no container uses; returns how many.
pub async fn remove_packed_images(docker: &Docker) -> Result<usize, DockerError> {
    let options = ListImagesOptionsBuilder::default().filters(&filter(&[PACKED.to_owned()])).build();
    let images = docker.list_images(Some(options)).await.map_err(DockerError::refused("list images"))?;
    let mut removed = 0;
    for name in images.into_iter().flat_map(|image| image.repo_tags) {
        match docker.remove_image(&name, None::<RemoveImageOptions>, None).await {
            Ok(_) => removed += 1,
            // Somebody uses it.
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 409, .. }) => {}
            Err(error) => return Err(DockerError::refused("remove a packed image")(error)),
        }
    }
    Ok(removed)
}

fn is_reaper(thing: &Thing) -> bool {
    thing.labels.get(COMPONENT).is_some_and(|component| component == REAPER)
}

async fn containers(docker: &Docker, labels: &[String]) -> Result<Vec<Thing>, DockerError> {
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filter(labels)).build();
    let found =
        docker.list_containers(Some(options)).await.map_err(DockerError::refused("list containers"))?;
    let thing = |it: bollard::models::ContainerSummary| {
        let runs = it.state == Some(ContainerSummaryStateEnum::RUNNING);
        Some(Thing { id: it.id?, labels: it.labels.unwrap_or_default(), runs })
    };
    Ok(found.into_iter().filter_map(thing).collect())
}

async fn networks(docker: &Docker, labels: &[String]) -> Result<Vec<Thing>, DockerError> {
    let options = ListNetworksOptionsBuilder::default().filters(&filter(labels)).build();
    let found = docker.list_networks(Some(options)).await.map_err(DockerError::refused("list networks"))?;
    let thing = |it: bollard::models::Network| {
        Some(Thing { id: it.id?, labels: it.labels.unwrap_or_default(), runs: false })
    };
    Ok(found.into_iter().filter_map(thing).collect())
}

async fn remove_containers(docker: &Docker, things: &[Thing]) -> Result<(), DockerError> {
    let removals = things.iter().map(|thing| async {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        gone(docker.remove_container(&thing.id, Some(options)).await)
            .map_err(DockerError::refused("remove a container"))
    });
    let results: Vec<_> = stream::iter(removals).buffer_unordered(AT_ONCE).collect().await;
    results.into_iter().collect()
}

async fn remove_networks(docker: &Docker, things: &[Thing]) -> Result<(), DockerError> {
    for thing in things {
        gone(docker.remove_network(&thing.id).await).map_err(DockerError::refused("remove a network"))?;
    }
    Ok(())
}

/// What is gone already, or is being removed by somebody else, needs no removal.
fn gone(result: Result<(), bollard::errors::Error>) -> Result<(), bollard::errors::Error> {
    match result {
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 409, message })
            if message.contains("already in progress") =>
        {
            Ok(())
        }
        result => result,
    }
}
