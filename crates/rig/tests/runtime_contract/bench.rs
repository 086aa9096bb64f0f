//! A runtime under test, and backends on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use engine::host::Signal;
use engine::runtime::docker::images::Pull;
use engine::runtime::docker::{DockerRuntime, Engine};
use engine::runtime::process::ProcessRuntime;
use engine::runtime::{Handle, Launch, Pod, PodOrder, Process, Reach, Runs, Runtime};
use model::identity::Incarnation;
use model::job::{BackendJob, Frame, Job};
use model::topology::{Backend, Latency};
use model::units::{Bytes, Nanos, Span};
use tempfile::TempDir;
use testing::Machine;
use testing::docker::{connect, made};
use testing::left::processes_below;

use crate::client::PATIENCE;

/// A runtime that is open for one cell.
pub(crate) struct Bench<R> {
    pub(crate) runtime: R,
    directory: TempDir,
    /// The engine that containers run on.
    pub(crate) docker: Option<Docker>,
}

/// Checks a clause on local processes; what is left of others is not below its directory.
pub(crate) fn on_processes(clause: impl AsyncFnOnce(&Bench<ProcessRuntime>)) {
    let _machine = Machine::shared();
    block_on(async {
        let bench = Bench::open(ProcessRuntime::new(rig()), None).await;
        clause(&bench).await;
        bench.ends_without_a_trace().await;
    });
}

/// Checks a clause in containers.
pub(crate) fn in_containers(clause: impl AsyncFnOnce(&Bench<DockerRuntime<'_>>)) {
    with_engine(async |engine, docker| {
        let bench = Bench::open(DockerRuntime::new(engine), Some(docker.clone())).await;
        clause(&bench).await;
        bench.ends_without_a_trace().await;
    });
}

/// Does something with an engine of this machine, if it has one.
pub(crate) fn with_engine(body: impl AsyncFnOnce(&Engine, &Docker)) {
    let _machine = Machine::alone();
    block_on(async {
        let Some((endpoint, docker)) = connect().await else { return };
        let mut engine = Engine::new(docker.clone(), endpoint, Pull::Never, rig()).await.unwrap();
        engine.begin(&[], &|_| ()).await.unwrap();
        body(&engine, &docker).await;
        engine.close().await.unwrap();
        assert_eq!(left_on(&docker).await, Vec::<String>::new());
    });
}

/// One thread: the kernel ties the lives of processes to the thread that launches them.
fn block_on(body: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(body);
}

fn rig() -> PathBuf {
    env!("CARGO_BIN_EXE_rig").into()
}

/// What this process has made on the engine, but for what removes the rest.
pub(crate) async fn left_on(docker: &Docker) -> Vec<String> {
    let made = made(docker).await.into_iter().filter(|made| made.is_of(std::process::id()));
    made.filter(|made| made.labels["rig.component"] != "reaper").map(|made| made.name).collect()
}

impl<R: Runtime> Bench<R> {
    pub(crate) async fn open(runtime: R, docker: Option<Docker>) -> Bench<R> {
        let directory = tempfile::tempdir().unwrap();
        runtime.open(&[directory.path()]).await.unwrap();
        Bench { runtime, directory, docker }
    }

    /// Ends the runtime twice, and finds nothing of it.
    pub(crate) async fn ends_without_a_trace(&self) {
        self.runtime.end().await.unwrap();
        assert_eq!(self.left().await, Vec::<String>::new());
        self.runtime.end().await.unwrap();
    }

    /// Processes, containers and networks that are still there.
    pub(crate) async fn left(&self) -> Vec<String> {
        let mut left = processes_below(self.directory.path());
        if let Some(docker) = &self.docker {
            left.extend(left_on(docker).await);
        }
        left
    }

    /// A pod for a backend.
    pub(crate) async fn pod(&self, name: &str) -> Pod {
        self.runtime.pod(PodOrder { name, ports: 1, reach: Reach::Cell, port: None }).await.unwrap()
    }

    /// A new directory for a component.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let directory = self.directory.path().join(name);
        std::fs::create_dir(&directory).unwrap();
        directory
    }

    /// A backend that serves in `pod` and works on each request for `latency`.
    pub(crate) async fn backend(&self, pod: &Pod, generation: u32, latency: Duration) -> Serving {
        let incarnation = Incarnation::new(&pod.name, generation);
        let directory = self.directory(&incarnation.to_string().replace('/', "."));
        let ledger = directory.join("ledger.ndjson");
        let mut process = self
            .runtime
            .start(Launch {
                component: (&incarnation).into(),
                pod,
                runs: Runs::Agent("backend"),
                arguments: vec![],
                variables: vec![],
                directory,
                leaves: Vec::new(),
            })
            .await
            .unwrap();
        let hello = said(&mut process).await;
        assert!(matches!(hello, Frame::Hello(_)), "{hello:?}");
        let job = Job::Backend(job(incarnation, pod, latency, &ledger));
        process.input.send(serde_json::to_string(&job).unwrap()).await.unwrap();
        assert_eq!(said(&mut process).await, Frame::Listening);
        Serving { process, ledger }
    }

    /// Kills `process`, and waits until it is gone.
    pub(crate) async fn crash(&self, process: &Handle) {
        self.runtime.signal(process, Signal::Kill).await.unwrap();
        assert!(process.wait(PATIENCE).await.is_some(), "{} survives SIGKILL", process.component);
    }
}

/// A backend that serves.
pub(crate) struct Serving {
    pub(crate) process: Process,
    pub(crate) ledger: PathBuf,
}

impl Serving {
    pub(crate) fn handle(&self) -> &Handle {
        &self.process.handle
    }
}

async fn said(process: &mut Process) -> Frame {
    let line = tokio::time::timeout(PATIENCE, process.lines.recv()).await.unwrap();
    serde_json::from_str(&line.expect("the agent's output goes on")).unwrap()
}

fn job(incarnation: Incarnation, pod: &Pod, latency: Duration, ledger: &Path) -> BackendJob {
    let latency = Latency { from: Span(latency), to: Span(latency), tail: None };
    let backend = Backend { id: pod.name.clone(), latency, queue: 0, body: Bytes(64), ..Backend::default() };
    BackendJob {
        incarnation,
        listen: pod.addresses[0],
        backend,
        health_path: "/health".into(),
        unhealthy: false,
        seed: 1,
        ledger: ledger.to_owned(),
        tls: None,
        sessions: None,
    }
}

/// Asserts that what `verb` does took effect between its call and its return: there is no tolerance.
pub(crate) async fn timed<E: std::fmt::Debug>(verb: impl Future<Output = Result<Nanos, E>>) {
    let before = agent::clock::now();
    let at = verb.await.unwrap();
    let after = agent::clock::now();
    assert!(before <= at && at <= after, "{before:?} <= {at:?} <= {after:?}");
}
