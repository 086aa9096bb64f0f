//! The same in containers; and what happens where there is no engine.

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::{ContainerCreateBody, NetworkCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListImagesOptions, RemoveContainerOptionsBuilder,
};
use model::history::CellStage;
use model::timeline::FaultKind;
use testing::docker::{self, made, made_by};
use testing::{
    BalancerKind, Happening, Haproxy, Nginx, OutcomeKind, Run, Verdict, books_balance, counts_are_trusted,
    deploy,
};

use crate::RIG;

const NOWHERE: &str = "unix:///nonexistent/docker.sock";

/// One test for each balancer, so that they share the machine.
macro_rules! proofs {
    ($($name:ident: $balancer:ident),+) => {
        mod the_proof_holds_in_containers {
            $(#[test]
            fn $name() {
                super::prove(testing::$balancer);
            })+
        }
    };
}

proofs!(nginx: Nginx, haproxy: Haproxy, envoy: Envoy);

fn prove(balancer: BalancerKind) {
    let Some(rig) = RIG.beside_others().with_docker() else { return };
    let run = rig.run("docker-drain").on([balancer]).docker().json();
    run.exits(0).quietly();
    assert_eq!(run.verdict, Verdict::Passed);
    let [without, with] = ["without-drain", "with-drain"].map(|variant| run.cell(balancer, variant));
    for cell in [without, with] {
        assert_eq!(cell.runtime, "docker");
        assert_eq!(cell.counts.scheduled, 1200);
        counts_are_trusted(cell);
        assert_eq!(deploy(cell).replaced, 2);
        books_balance(cell);
        assert_eq!(Some(cell.books.recorded), cell.books.scheduled);
    }
    assert!(without.counts.dropped > 0);
    assert_eq!((with.counts.dropped, with.counts.of(OutcomeKind::Ok)), (0, 1200));
    what_it_ran_on_is_recorded(&run, balancer);
    the_history_has_stages_cpu_time_and_the_way_in(&run);
}

/// The engine, and each image with its digest and where it came from.
fn what_it_ran_on_is_recorded(run: &Run, balancer: BalancerKind) {
    let engine = run.environment.engine.as_ref().unwrap();
    for fact in [&engine.endpoint, &engine.version, &engine.api, &engine.network] {
        assert!(!fact.is_empty(), "{engine:?}");
    }
    for component in ["agent", balancer.name()] {
        let image = &engine.images[component];
        assert!(image.digest.starts_with("sha256:"), "{component}: {image:?}");
        assert!(!image.origin.is_empty(), "{component}: {image:?}");
    }
}

fn the_history_has_stages_cpu_time_and_the_way_in(run: &Run) {
    let histories = run.sandbox.histories();
    assert_eq!(histories.len(), 2);
    for history in histories {
        let stages = history.all(|event| match event {
            Happening::StageEnded { stage, .. } => Some(*stage),
            _ => None,
        });
        assert_eq!(stages, [CellStage::Launch, CellStage::Ready, CellStage::Load, CellStage::Teardown]);
        let readings = history.all(|event| match event {
            Happening::CpuRead { component, seconds, .. } => Some((component.to_string(), *seconds)),
            _ => None,
        });
        for component in ["generator", "web-1/1", "web-1/2", "web-2/1", "web-2/2"] {
            let reading = readings.iter().rfind(|(its, _)| *its == component);
            assert!(reading.unwrap().1 > 0.0, "{component}: {readings:?}");
        }
        // Clients in the network use the one, people on this machine the other.
        let ways_in = history.all(|event| match event {
            Happening::Balancer { listener, published, .. } => Some((listener, published.as_ref().unwrap())),
            _ => None,
        });
        let (listener, published) = ways_in[0];
        assert!(listener.starts_with("198.1"), "{ways_in:?}");
        assert!(published.starts_with("127.0.0.1:"), "{ways_in:?}");
    }
}

#[test]
fn a_cut_network_is_measured_in_containers() {
    let Some(rig) = RIG.beside_others().with_docker() else { return };
    // An engine may take a second to connect a container again: the load goes on for long enough after it.
    let run = rig.run("partition").variants(["cut"]).set("load.for", "5s").docker().json();
    run.exits(0);
    assert_eq!(run.unavailable, []);
    let cut = run.cell(Haproxy, "cut");
    counts_are_trusted(cut);
    books_balance(cut);
    let groups = &cut.dropped;
    assert!(groups.iter().all(|group| group.source.backend.as_deref() == Some("web-1")), "{groups:?}");
    let histories = rig.histories();
    let faults: Vec<FaultKind> = histories
        .iter()
        .flat_map(|history| {
            history.all(|event| match event {
                Happening::Faulted { fault, .. } => Some(*fault),
                _ => None,
            })
        })
        .collect();
    assert_eq!(faults, [FaultKind::Partition]);
    let healed = histories
        .iter()
        .flat_map(|history| history.all(|event| matches!(event, Happening::Healed { .. }).then_some(())));
    assert_eq!(healed.count(), 1);
}

#[test]
fn without_an_engine_auto_falls_back_and_tells_why_and_what_is_then_not_run() {
    let rig = RIG.beside_others();
    let run = rig.run("partition").runtime("auto").loud().env("DOCKER_HOST", NOWHERE).json();
    run.exits(0);
    let first = run.said.lines().next().unwrap();
    let words = format!("runtime: process (auto: no Docker engine answers at {NOWHERE} (from DOCKER_HOST): ");
    assert!(first.starts_with(&words), "{first}");
    assert_eq!(run.cell(Haproxy, "calm").runtime, "process");
    assert_eq!(run.cells.len(), 1);
    let [left_out] = run.unavailable.as_slice() else { panic!("{:?}", run.unavailable) };
    assert_eq!(left_out.variant, "cut");
    assert!(left_out.reason.starts_with("process runtime: no `partition` ("), "{left_out:?}");
}

#[test]
fn where_no_cell_is_left_to_run_none_is_and_the_exit_is_3() {
    let ended = RIG.idle().run("partition").variants(["cut"]).exits(3).says_nothing().leaves_nothing();
    ended.complains("no cell is left to run: cut: process runtime: no `partition`");
}

#[test]
fn docker_by_name_is_docker_or_an_error() {
    let run = RIG.idle().run("docker-drain").docker().loud().env("DOCKER_HOST", NOWHERE);
    let ended = run.exits(3).says_nothing().complains("help: start Docker").leaves_nothing();
    let words = format!("error: no Docker engine answers at {NOWHERE} (from DOCKER_HOST): ");
    assert!(ended.err.starts_with(&words), "{ended}");
}

#[test]
fn a_listener_that_is_taken_is_named_in_docker_too_and_nothing_is_left() {
    let Some(rig) = RIG.beside_others().with_docker() else { return };
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap().to_string();
    let mut running = rig.run("docker-drain").on([Nginx]).docker().args(["--listen", &address]).begin();
    running.exits(3);
    let said = running.said();
    assert!(said.contains(&format!("error: {address} ")) && said.contains("--listen"), "{said}");
    assert_eq!(made_by(running.pid()), Vec::<String>::new());
}

#[test]
fn clean_removes_what_dead_runs_have_left_and_spares_the_rest() {
    // Alone: others are killed at times, and what removes their containers would meet this.
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
