//! The same in containers; and what happens where there is no engine.

use std::collections::HashMap;
use std::process::Stdio;

use bollard::Docker;
use bollard::models::{ContainerCreateBody, NetworkCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListImagesOptions, RemoveContainerOptionsBuilder,
};
use serde_json::Value;

use crate::harness::{
    Running, beside_others, cell, files, has_docker, histories, machine, made_by, of_docker, rig, said,
    scenario,
};
use crate::shared::made;

const NOWHERE: &str = "unix:///nonexistent/docker.sock";

/// The events `event` in the history of the run's cells, in order.
fn events(out: &std::path::Path, event: &str) -> Vec<Vec<Value>> {
    let of = |text: &String| {
        let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|told| told["event"] == event).collect()
    };
    histories(out).iter().map(of).collect()
}

/// One test for each balancer, so that they share the machine.
macro_rules! proofs {
    ($($balancer:ident),+) => {
        mod the_proof_holds_in_containers {
            $(#[test]
            fn $balancer() {
                super::prove(stringify!($balancer));
            })+
        }
    };
}

proofs!(nginx, haproxy, envoy);

fn prove(balancer: &str) {
    let _share = beside_others();
    if !has_docker() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["run", &scenario("docker-drain"), "--runtime", "docker", "--format", "json", "--quiet"];
    let ended = said(rig(dir.path(), &arguments).args(["--balancer", balancer]));
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    let run: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(run["verdict"], "passed");
    let [without, with] = ["without-drain", "with-drain"].map(|variant| cell(&run, balancer, variant));
    for cell in [without, with] {
        assert_eq!(cell["runtime"], "docker");
        assert_eq!(cell["counts"]["scheduled"], 1200);
        assert_ne!(cell["validity"]["counts"]["verdict"], "INVALID", "{}", cell["validity"]);
        assert_eq!(cell["deploy"]["replaced"], 2);
        assert_eq!(cell["books"]["unmatched"], Value::Array(vec![]));
        assert_eq!(cell["books"]["recorded"], cell["books"]["scheduled"]);
    }
    assert!(without["counts"]["dropped"].as_u64().unwrap() > 0);
    assert_eq!((&with["counts"]["dropped"], &with["counts"]["ok"]), (&0.into(), &1200.into()));
    what_it_ran_on_is_recorded(dir.path(), balancer);
    the_history_has_stages_cpu_time_and_the_way_in(dir.path());
}

/// The engine, and each image with its digest and where it came from.
fn what_it_ran_on_is_recorded(dir: &std::path::Path, balancer: &str) {
    let path = dir.join("results/docker-drain/latest/environment.json");
    let environment: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let engine = &environment["engine"];
    for fact in ["endpoint", "version", "api", "network"] {
        assert!(!engine[fact].as_str().unwrap().is_empty(), "{engine}");
    }
    for component in ["agent", balancer] {
        let image = &engine["images"][component];
        assert!(image["digest"].as_str().unwrap().starts_with("sha256:"), "{component}: {image}");
        assert!(!image["origin"].as_str().unwrap().is_empty(), "{component}: {image}");
    }
}

fn the_history_has_stages_cpu_time_and_the_way_in(dir: &std::path::Path) {
    for stages in events(dir, "stage_ended") {
        let stages: Vec<&str> = stages.iter().map(|event| event["stage"].as_str().unwrap()).collect();
        assert_eq!(stages, ["launch", "ready", "load", "teardown"]);
    }
    for readings in events(dir, "cpu_read") {
        for component in ["generator", "web-1/1", "web-1/2", "web-2/1", "web-2/2"] {
            let reading = readings.iter().rfind(|event| event["component"] == component);
            assert!(reading.unwrap()["seconds"].as_f64().unwrap() > 0.0, "{component}: {readings:?}");
        }
    }
    let told = events(dir, "balancer");
    assert_eq!(told.len(), 2);
    for told in told {
        // Clients in the network use the one, people on this machine the other.
        let (listener, published) = (&told[0]["listener"], &told[0]["published"]);
        assert!(listener.as_str().unwrap().starts_with("198.1"), "{told:?}");
        assert!(published.as_str().unwrap().starts_with("127.0.0.1:"), "{told:?}");
    }
}

#[test]
fn a_cut_network_is_measured_in_containers() {
    let _share = beside_others();
    if !has_docker() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["run", &scenario("partition"), "--variant", "cut", "--format", "json", "--quiet"];
    let ended = said(rig(dir.path(), &arguments).args(["--runtime", "docker"]));
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let run: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(run["unavailable"], Value::Array(vec![]));
    let cut = cell(&run, "haproxy", "cut");
    assert_ne!(cut["validity"]["counts"]["verdict"], "INVALID", "{}", cut["validity"]);
    assert_eq!(cut["books"]["unmatched"], Value::Array(vec![]));
    let groups = cut["dropped"].as_array().unwrap();
    assert!(groups.iter().all(|group| group["backend"] == "web-1"), "{groups:?}");
    for (event, detail) in [("faulted", "partition"), ("healed", "")] {
        let told = events(dir.path(), event).concat();
        assert_eq!(told.len(), 1, "{event}");
        assert_eq!(told[0]["fault"].as_str().unwrap_or_default(), detail);
    }
}

#[test]
fn without_an_engine_auto_falls_back_and_tells_why_and_what_is_then_not_run() {
    let _share = beside_others();
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["run", &scenario("partition"), "--runtime", "auto", "--format", "json"];
    let ended = said(rig(dir.path(), &arguments).env("DOCKER_HOST", NOWHERE));
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let first = ended.err.lines().next().unwrap();
    let words = format!("runtime: process (auto: no Docker engine answers at {NOWHERE} (from DOCKER_HOST): ");
    assert!(first.starts_with(&words), "{first}");
    let run: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(cell(&run, "haproxy", "calm")["runtime"], "process");
    assert_eq!(run["cells"].as_array().unwrap().len(), 1);
    let [left_out] = run["unavailable"].as_array().unwrap().as_slice() else {
        panic!("{}", run["unavailable"])
    };
    assert_eq!(left_out["variant"], "cut");
    assert!(
        left_out["reason"].as_str().unwrap().starts_with("process runtime: no `partition` ("),
        "{left_out}"
    );
}

#[test]
fn where_no_cell_is_left_to_run_none_is_and_the_exit_is_3() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["run", &scenario("partition"), "--runtime", "process", "--variant", "cut", "--quiet"];
    let ended = said(&mut rig(dir.path(), &arguments));
    assert_eq!((ended.code, ended.out.as_str()), (3, ""), "{}", ended.err);
    assert!(
        ended.err.contains("no cell is left to run: cut: process runtime: no `partition`"),
        "{}",
        ended.err
    );
    assert_eq!(files(dir.path()).len(), 0);
}

#[test]
fn docker_by_name_is_docker_or_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["run", &scenario("docker-drain"), "--runtime", "docker"];
    let ended = said(rig(dir.path(), &arguments).env("DOCKER_HOST", NOWHERE));
    assert_eq!((ended.code, ended.out.as_str()), (3, ""), "{}", ended.err);
    let words = format!("error: no Docker engine answers at {NOWHERE} (from DOCKER_HOST): ");
    assert!(ended.err.starts_with(&words) && ended.err.contains("help: start Docker"), "{}", ended.err);
    assert_eq!(files(dir.path()).len(), 0);
}

#[test]
fn a_listener_that_is_taken_is_named_in_docker_too_and_nothing_is_left() {
    let _machine = machine();
    if !has_docker() {
        return;
    }
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["run", &scenario("docker-drain"), "--runtime", "docker", "--balancer", "nginx"];
    let mut command = rig(dir.path(), &arguments);
    let run = command.args(["--quiet", "--listen", &address]).stderr(Stdio::piped()).spawn().unwrap();
    let pid = run.id();
    let ended = run.wait_with_output().unwrap();
    let err = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{err}");
    assert!(err.contains(&format!("error: {address} ")) && err.contains("--listen"), "{err}");
    assert_eq!(made_by(pid), Vec::<String>::new());
}

#[test]
fn clean_removes_what_dead_runs_have_left_and_spares_the_rest() {
    let _machine = machine();
    if !has_docker() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["run", &scenario("docker-drain"), "--runtime", "docker", "--balancer", "nginx"];
    let mut live = Running::start(dir.path(), &arguments);
    live.until("scheduled");
    let all = of_docker(async |docker| made(docker).await).unwrap();
    let its = all.into_iter().find(|made| made.is_of(live.child.id())).unwrap();
    let owner = its.labels["rig.owner"].clone();
    // The same number, of a process that started at another time; and one on another kernel.
    let mut words: Vec<&str> = owner.split(' ').collect();
    words[1] = "1";
    let dead = words.join(" ");
    words[2] = "another-boot";
    let unseen = words.join(" ");
    of_docker(async |docker| {
        leave(docker, "dead", &dead).await;
        leave(docker, "unseen", &unseen).await;
    });
    let mut kept = made_by(live.child.id());
    kept.retain(|name| !name.ends_with("/rig-test-dead"));

    let ended = said(&mut rig(dir.path(), &["clean"]));
    let left = all_made();
    let spared = made_by(live.child.id());
    live.child.kill().unwrap();
    live.child.wait().unwrap();
    let removal = RemoveContainerOptionsBuilder::default().force(true).build();
    of_docker(async |docker| {
        docker.remove_container("rig-test-unseen", Some(removal)).await.unwrap();
        docker.remove_network("rig-test-unseen").await.unwrap();
    });

    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(!left.iter().any(|name| name.ends_with("/rig-test-dead")), "{left:?}");
    assert_eq!(left.iter().filter(|name| name.ends_with("/rig-test-unseen")).count(), 2, "{left:?}");
    assert_eq!(spared, kept);
    let run = &its.labels["rig.run"];
    let told = format!("kept: run {run}: it is live: process {}\n", live.child.id());
    assert!(ended.out.contains(&told), "{}", ended.out);
    assert!(ended.out.contains("kept: run unseen: its owner can't be seen from here"), "{}", ended.out);
}

fn all_made() -> Vec<String> {
    let all = of_docker(async |docker| made(docker).await).unwrap_or_default();
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
