//! What stands in a cell, and the order in which it comes and goes: backends, balancer, readiness, load beside
//! timeline, then load ended → balancer idle → graceful stop → exit → logs read.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::history::Happening;
use model::identity::Incarnation;
use model::job::LoadJob;
use model::plan::Variant;
use model::units::Nanos;
use store::StoreError;
use tokio::time::Instant;

use super::control::{Control, write_file};
use super::fleet::{Backends, CellFleet};
use super::ledgers::{read_access_log, read_ledger};
use super::recorder::Recorder;
use super::{Drive, Order, generator, readiness, timeline, variant_of};
use crate::balancer::{ConfigFile, Rotation, STDERR_FILE, STDOUT_FILE, Site, adapter};
use crate::error::EngineError;
use crate::runtime::{Launch, Process, Program, Runtime};

/// How long a balancer may take until every backend has answered through it.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long a balancer may take to stop gracefully; then its log counts as incomplete.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// How long backends may take to have nothing in flight after the load has ended.
const IDLE_WITHIN: Duration = Duration::from_secs(5);
/// How a process ends that has done all it wanted to.
const SUCCESS: &str = "exit status: 0";
/// Lines of a balancer's own words that an error shows.
const WORDS: usize = 20;

/// The parts of one cell.
pub(super) struct Stand<'a, R> {
    runtime: &'a R,
    order: &'a Order<'a>,
    recorder: &'a Recorder<'a>,
    variant: &'a Variant,
    /// Where components have their directories while they run.
    scratch: PathBuf,
    site: Site,
    files: Vec<ConfigFile>,
    backends: Backends<'a, R>,
    /// Whether the balancer has ended gracefully, with its log written.
    log_is_whole: Cell<bool>,
}

impl<'a, R: Runtime> Stand<'a, R> {
    /// Leases the addresses and renders the balancer's files.
    pub(super) fn new(
        runtime: &'a R,
        order: &'a Order<'a>,
        recorder: &'a Recorder<'a>,
    ) -> Result<Stand<'a, R>, EngineError> {
        let variant = variant_of(order.plan, order.cell)?;
        let scratch = std::path::absolute(order.dir.path().join("run")).map_err(EngineError::file("run"))?;
        let directory = scratch.join("balancer");
        std::fs::create_dir_all(&directory).map_err(EngineError::file(&directory))?;
        let listener = match order.listen {
            Some(address) => runtime.lease_at(address).map(|()| address)?,
            None => runtime.lease()?,
        };
        let mut addresses = BTreeMap::new();
        for backend in variant.topology.pools.iter().flat_map(|pool| &pool.backends) {
            addresses.insert(backend.id.clone(), runtime.lease()?);
        }
        let site = Site {
            directory,
            listener,
            admin: runtime.lease()?,
            backends: addresses.clone(),
            connections: variant.traffic.connections,
            workers: variant.topology.workers,
            as_root: runtime.as_root(),
        };
        let rotation = Rotation::initial(&variant.topology);
        let files =
            adapter(order.cell.balancer).files(&variant.topology, &site, &rotation, order.templates)?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .map_err(|error| EngineError::Control { kind: order.cell.balancer, reason: error.to_string() })?;
        let backends = Backends {
            runtime,
            variant,
            // Repeats differ, and each can be had alone: `--repeat 2` is `--seed N` and `--seed N+1`.
            seed: order.plan.seed.wrapping_add(u64::from(order.cell.repeat.saturating_sub(1))),
            recorder,
            addresses,
            directory: scratch.clone(),
            http,
            lives: RefCell::default(),
        };
        let log_is_whole = Cell::new(false);
        Ok(Stand { runtime, order, recorder, variant, scratch, site, files, backends, log_is_whole })
    }

    /// Brings everything up, runs the load beside the timeline, and stops the balancer gracefully.
    pub(super) async fn drive(&self, load_began: &Cell<bool>) -> Result<Drive, EngineError> {
        self.describe_balancer().await?;
        self.start_backends().await?;
        let balancer = self.start_balancer().await?;
        let kind = self.order.cell.balancer;
        let control = Control::new(kind, &self.backends, &self.site, self.order.templates, &balancer);
        let job = LoadJob {
            target: self.site.listener,
            // Set at the launch.
            origin: Nanos(0),
            traffic: self.variant.traffic.clone(),
            seed: self.backends.seed,
            records: std::path::absolute(self.order.dir.requests()).map_err(EngineError::file("requests"))?,
        };
        let directory = self.scratch.join("generator");
        let mut generator = generator::launch(self.runtime, self.recorder, &directory, job).await?;
        load_began.set(true);
        let origin = generator.origin;
        let fleet = CellFleet { backends: &self.backends, control: &control };
        let mut interrupted = self.order.interrupted.clone();
        let driven = tokio::select! {
            // What has ended has ended, whatever else happens at the same moment.
            biased;
            done = self.beside(generator.finish(self.recorder), timeline::perform(&fleet, &self.variant.timeline, origin)) => {
                done.map(|()| Drive::Completed)
            }
            died = self.unexpected_exit(&balancer) => Err(died),
            died = self.backends.unexpected_exit() => Err(died),
            _ = interrupted.wait_for(|stop| *stop) => Ok(Drive::Interrupted),
        }?;
        if driven == Drive::Interrupted {
            self.recorder.record(Happening::Interrupted);
            generator.cancel(self.runtime, self.recorder).await;
        }
        self.wait_until_idle().await;
        self.stop_balancer(&balancer).await;
        Ok(driven)
    }

    /// Runs load and timeline side by side. A timeline that outlives the load is given up: what it does is no
    /// longer under load.
    async fn beside(
        &self,
        load: impl Future<Output = Result<(), EngineError>>,
        performance: impl Future<Output = Result<(), EngineError>>,
    ) -> Result<(), EngineError> {
        tokio::pin!(load, performance);
        tokio::select! {
            performed = &mut performance => {
                performed?;
                load.await
            }
            finished = &mut load => {
                finished?;
                let message = "the timeline had not ended when the load did".to_owned();
                self.recorder.record(Happening::Warning { message });
                Ok(())
            }
        }
    }

    async fn describe_balancer(&self) -> Result<(), EngineError> {
        let kind = self.order.cell.balancer;
        let build = self.runtime.describe(kind).await?;
        self.recorder.record(Happening::Balancer {
            kind,
            version: build.version,
            binary: build.binary,
            listener: self.site.listener.to_string(),
            settings: adapter(kind).settings(self.variant),
            in_flight_view: adapter(kind).view(&self.site).is_some(),
        });
        self.read_clocks();
        Ok(())
    }

    fn read_clocks(&self) -> i64 {
        let before = agent::clock::now();
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let after = agent::clock::now();
        let wall = i64::try_from(wall.as_nanos()).unwrap_or(i64::MAX);
        self.recorder.record_at(before, Happening::Clocks { wall, error: after.0 - before.0 });
        wall - before.0
    }

    async fn start_backends(&self) -> Result<(), EngineError> {
        let serving = self.variant.topology.pools.iter().flat_map(|pool| pool.serving());
        let first: Vec<Incarnation> = serving.map(|backend| Incarnation::new(&backend.id, 1)).collect();
        let launches = first.iter().map(|incarnation| async move {
            self.backends.launch(incarnation, false).await?;
            let proof = "it listens".to_owned();
            self.recorder.record(Happening::Ready { component: incarnation.to_string(), proof });
            Ok::<(), EngineError>(())
        });
        futures_util::future::try_join_all(launches).await.map(drop)
    }

    async fn start_balancer(&self) -> Result<Process, EngineError> {
        let kind = self.order.cell.balancer;
        for file in &self.files {
            write_file(&self.site, file)?;
        }
        let process = self
            .runtime
            .start(Launch {
                component: kind.to_string(),
                program: Program::Balancer(kind),
                arguments: adapter(kind).arguments(&self.site),
                directory: self.site.directory.clone(),
                job: None,
            })
            .await?;
        self.recorder.record(Happening::Launched { component: kind.to_string(), pid: process.pid });
        let gone = || process.exited().is_some();
        let ready =
            readiness::every_backend_answers(&self.variant.topology, self.site.listener, READY_WITHIN, gone);
        match ready.await {
            Ok(probes) => {
                let proof = format!("every backend answered through the listener, {probes} probes");
                self.recorder.record(Happening::Ready { component: kind.to_string(), proof });
                Ok(process)
            }
            Err(_) if process.exited().is_some() => Err(self.exited(&process)),
            Err(missing) => {
                let seconds = READY_WITHIN.as_secs();
                Err(EngineError::NotReady { kind, seconds, missing, words: self.last_words() })
            }
        }
    }

    fn exited(&self, balancer: &Process) -> EngineError {
        EngineError::BalancerExited {
            kind: self.order.cell.balancer,
            status: balancer.exited().unwrap_or_default(),
            words: self.last_words(),
            config: self.order.dir.config_dir(),
        }
    }

    async fn unexpected_exit(&self, balancer: &Process) -> EngineError {
        let mut exit = balancer.exit.clone();
        let _ = exit.wait_for(Option::is_some).await;
        let status = balancer.exited().unwrap_or_default();
        let component = self.order.cell.balancer.to_string();
        self.recorder.record(Happening::Exited { component, status, expected: false });
        self.exited(balancer)
    }

    /// The end of what the balancer wrote about itself.
    fn last_words(&self) -> String {
        let access = adapter(self.order.cell.balancer).logs().access;
        let lines: Vec<String> = self
            .own_words()
            .iter()
            .filter(|name| **name != access)
            .filter_map(|name| std::fs::read(self.site.directory.join(name)).ok())
            .flat_map(|bytes| String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let shown: Vec<String> =
            lines[lines.len().saturating_sub(WORDS)..].iter().map(|line| format!("    {line}")).collect();
        if shown.is_empty() { "    (it said nothing)".into() } else { shown.join("\n") }
    }

    fn own_words(&self) -> Vec<&'static str> {
        let mut names = vec![STDERR_FILE, STDOUT_FILE, adapter(self.order.cell.balancer).logs().notices];
        names.dedup();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The load has ended; what a time-out has given up may still be worked on.
    async fn wait_until_idle(&self) {
        let begun = Instant::now();
        let serving: Vec<String> = self.site.backends.keys().cloned().collect();
        for backend in serving {
            while begun.elapsed() < IDLE_WITHIN {
                match self.backends.status(&backend).await {
                    Ok(status) if status.in_flight > 0 => tokio::time::sleep(Duration::from_millis(20)).await,
                    _ => break,
                }
            }
        }
    }

    async fn stop_balancer(&self, balancer: &Process) {
        let kind = self.order.cell.balancer;
        self.runtime.signal(balancer, adapter(kind).graceful_stop());
        let component = kind.to_string();
        match balancer.wait(STOP_WITHIN).await {
            Some(status) => {
                self.log_is_whole.set(status == SUCCESS);
                self.recorder.record(Happening::Exited { component, status, expected: true });
            }
            None => self.recorder.record(Happening::Warning {
                message: format!("{component} did not stop gracefully within {} s", STOP_WITHIN.as_secs()),
            }),
        }
    }

    /// Ends whatever still runs: the balancer and the backends after a whole cell, anything after half a one.
    pub(super) async fn end(&self) {
        // What has died by itself until here is reported as such.
        self.backends.report_exits();
        self.backends.expect_the_end();
        self.runtime.end().await;
        self.backends.report_exits();
    }

    /// Reads ledgers and logs into the cell's directory, keeps the configuration, removes the rest. Everything
    /// has exited before.
    pub(super) fn collect(&self) -> Result<(), EngineError> {
        let offset = self.read_clocks();
        let dir = self.order.dir;
        let kind = self.order.cell.balancer;
        let mut executions = Vec::new();
        for life in self.backends.lives.borrow().iter() {
            executions.extend(read_ledger(&life.incarnation, &life.ledger)?);
        }
        executions.sort_by_key(|execution| execution.received);
        dir.write_ledger(&executions)?;

        let logs = adapter(kind).logs();
        let raw = self.site.directory.join(logs.access);
        let log = read_access_log(kind, &raw, &self.site, offset)?;
        dir.write_access(&log.lines)?;
        self.recorder.record(Happening::AccessLog {
            lines: log.lines.len() as u64,
            unreadable: log.unreadable,
            whole: self.log_is_whole.get(),
            gaps: adapter(kind).log_gaps().to_vec(),
        });
        keep(&raw, &dir.access_log())?;
        self.keep_own_words(logs.access)?;
        for file in self.files.iter().filter(|file| !file.text.is_empty()) {
            keep(&self.site.directory.join(&file.path), &dir.config_dir().join(&file.path))?;
        }
        match dir.compress_requests() {
            // The load had not begun.
            Err(StoreError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            compressed => compressed?,
        }
        std::fs::remove_dir_all(&self.scratch).map_err(EngineError::file(&self.scratch))
    }

    /// Everything that balancer and agents said about themselves, in one file.
    fn keep_own_words(&self, access: &str) -> Result<(), EngineError> {
        let mut words = Vec::new();
        for name in self.own_words().into_iter().filter(|name| *name != access) {
            words.extend(std::fs::read(self.site.directory.join(name)).unwrap_or_default());
        }
        let agents = self.backends.lives.borrow();
        let agents = agents.iter().filter_map(|life| life.ledger.parent());
        for directory in agents.chain([self.scratch.join("generator").as_path()]) {
            words.extend(std::fs::read(directory.join(STDERR_FILE)).unwrap_or_default());
        }
        let path = self.order.dir.balancer_log();
        std::fs::write(&path, words).map_err(EngineError::file(path))
    }
}

/// Copies a file that may not be there.
fn keep(from: &Path, to: &Path) -> Result<(), EngineError> {
    if !from.is_file() {
        return Ok(());
    }
    if let Some(directory) = to.parent() {
        std::fs::create_dir_all(directory).map_err(EngineError::file(directory))?;
    }
    std::fs::copy(from, to).map(drop).map_err(EngineError::file(to))
}
