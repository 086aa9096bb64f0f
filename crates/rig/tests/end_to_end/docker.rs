//! The same in containers; and what happens where there is no engine.

use model::history::CellStage;
use model::timeline::FaultKind;
use testing::docker::made_by;
use testing::{
    BalancerKind, Happening, Haproxy, Nginx, OutcomeKind, Run, Verdict, books_balance, counts_are_trusted,
    deploy,
};

use crate::RIG;

const NOWHERE: &str = "unix:///nonexistent/docker.sock";

/// One test for each balancer, so that they share the machine.
macro_rules! proofs {
    ($($(#[$more:meta])* $name:ident: $balancer:ident),+) => {
        mod the_proof_holds_in_containers {
            $(#[test]
            $(#[$more])*
            fn $name() {
                super::prove(testing::$balancer);
            })+
        }
    };
}

proofs! {
    nginx: Nginx,
    #[ignore = "takes long: make test-rest"]
    haproxy: Haproxy,
    #[ignore = "takes long: make test-rest"]
    envoy: Envoy
}

fn prove(balancer: BalancerKind) {
    let Some(rig) = RIG.beside_others().with_docker() else { return };
    let run = rig.run("docker-drain").on([balancer]).docker().at_once().json();
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
#[ignore = "takes long: make test-rest"]
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
