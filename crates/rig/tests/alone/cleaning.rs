//! `rig clean` on an engine where others are at work.

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::{ContainerCreateBody, NetworkCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListImagesOptions, RemoveContainerOptionsBuilder,
};
use testing::Nginx;
use testing::docker::{self, made, made_by};

use crate::RIG;

#[test]
#[ignore = "takes long: make test-rest"]
fn clean_removes_what_dead_runs_have_left_and_spares_the_rest() {
    // Others are killed at times, and what removes their containers would meet this.
    let Some(rig) = RIG.alone().with_docker() else { return };
    let mut live = rig.run("docker-drain").on([Nginx]).docker().loud().begin();
    live.until("scheduled");
    let all = docker::ask(async |_, docker| made(docker).await).unwrap();
    let its = all.into_iter().find(|made| made.is_of(live.pid())).unwrap();
    let owner = its.labels["rig.owner"].clone();
    // The same number, of a process that started at another time; and one on another kernel.
    let mut words: Vec<&str> = owner.split(' ').collect();
    words[1] = "1";
    let dead = words.join(" ");
    words[2] = "another-boot";
    let unseen = words.join(" ");
    docker::ask(async |_, docker| {
        leave(docker, "dead", &dead).await;
        leave(docker, "unseen", &unseen).await;
    });
    let mut kept = made_by(live.pid());
    kept.retain(|name| !name.ends_with("/rig-test-dead"));

    let ended = rig.command(["clean"]).ends();
    let left = all_made();
    let spared = made_by(live.pid());
    let pid = live.pid();
    drop(live);
    let removal = RemoveContainerOptionsBuilder::default().force(true).build();
    docker::ask(async |_, docker| {
        docker.remove_container("rig-test-unseen", Some(removal)).await.unwrap();
        docker.remove_network("rig-test-unseen").await.unwrap();
    });

    assert!(!left.iter().any(|name| name.ends_with("/rig-test-dead")), "{left:?}");
    assert_eq!(left.iter().filter(|name| name.ends_with("/rig-test-unseen")).count(), 2, "{left:?}");
    assert_eq!(spared, kept);
    let run = &its.labels["rig.run"];
    let ended = ended.exits(0).says(&format!("kept: run {run}: it is live: process {pid}\n"));
    ended.says("kept: run unseen: its owner can't be seen from here");
}

fn all_made() -> Vec<String> {
    let all = docker::ask(async |_, docker| made(docker).await).unwrap_or_default();
    all.into_iter().map(|made| made.name).collect()
}

/// Leaves a container and a network of the run `run`, as one that was killed together with its reaper would.
async fn leave(docker: &Docker, run: &str, owner: &str) {
    let name = format!("rig-test-{run}");
    let labels = HashMap::from([("rig.run", run), ("rig.owner", owner)]);
    let labels: HashMap<String, String> =
        labels.into_iter().map(|(label, value)| (label.to_owned(), value.to_owned())).collect();
    let images = docker.list_images(None::<ListImagesOptions>).await.unwrap();
    let agent =
        images.into_iter().flat_map(|image| image.repo_tags).find(|tag| tag.starts_with("rig-agent:"));
    let options = CreateContainerOptionsBuilder::default().name(&name).build();
    let container = ContainerCreateBody {
        image: Some(agent.unwrap()),
        cmd: Some(["rig", "agent", "pause"].map(str::to_owned).to_vec()),
        labels: Some(labels.clone()),
        ..ContainerCreateBody::default()
    };
    docker.create_container(Some(options), container).await.unwrap();
    let network = NetworkCreateRequest { name, labels: Some(labels), ..NetworkCreateRequest::default() };
    docker.create_network(network).await.unwrap();
}
