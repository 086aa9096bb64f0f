//! The backends of a cell as they run: their processes, their ledgers, their own status.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::FutureExt;
use model::component::{Component, ExitStatus};
use model::degrade::Misbehaviour;
use model::history::Happening;
use model::identity::Incarnation;
use model::job::{BackendJob, BackendStatus, Command, Frame, Job, NameRecords, STATUS_PATH};
use model::ledger::Execution;
use model::plan::Variant;
use model::sessions::STORE;
use model::topology::{Pool, Topology};
use model::units::{Nanos, Span};

use super::error::CellError;
use super::frames::{frame, greet, next_frame, tell};
use super::ledgers::read_ledger;
use super::names::{NameServer, records};
use super::recorder::Recorder;
use super::service::RunningService;
use super::token_keys::TokenKeys;
use crate::balancer::{Rotation, Standing};
use crate::host::Signal;
use crate::host::certificates::Certificates;
use crate::runtime::{CpuUse, Handle, Launch, Pod, Process, Runs, Runtime};

/// How long the kernel may take to end what got SIGKILL.
const KILLED_WITHIN: Duration = Duration::from_secs(5);
/// How long a backend may take to listen, beyond its declared boot time.
const LISTEN_WITHIN: Duration = Duration::from_secs(15);
/// How long a backend's own status or health may take to answer.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How often the backends' processes are looked at.
const WATCH: Duration = Duration::from_millis(10);

/// The backends of a cell: one process per place, and the ledgers of all that ever ran.
pub(super) struct Backends<'a, R> {
    pub(super) runtime: &'a R,
    pub(super) variant: &'a Variant,
    pub(super) seed: u64,
    pub(super) recorder: &'a Recorder<'a>,
    /// The pod of each backend, spares included.
    pub(super) pods: BTreeMap<String, Pod>,
    /// Where each incarnation gets a directory of its own.
    pub(super) directory: PathBuf,
    /// With which backends speak TLS; `None`: they don't.
    pub(super) certificates: Option<Certificates>,
    pub(super) http: reqwest::Client,
    pub(super) lives: RefCell<Vec<BackendLife>>,
    /// Those that a deploy is replacing, or that are removed: who serves there next is the timeline's matter.
    pub(super) replacing: RefCell<BTreeSet<String>>,
    /// The services that they use.
    pub(super) services: Vec<RunningService<'a, R>>,
    /// Where balancers find them, if a pool has a name.
    pub(super) names: Option<NameServer<'a, R>>,
    /// With which they sign sessions.
    pub(super) keys: TokenKeys,
}

/// One life of a backend, from the start of its process.
pub(super) struct BackendLife {
    pub(super) incarnation: Incarnation,
    pub(super) ledger: PathBuf,
    pub(super) handle: Handle,
    /// How it is talked to, once it listens.
    talk: Option<Process>,
    /// Whether the engine has ended it, so that its exit is expected.
    pub(super) ending: bool,
    /// Whether its exit is in the history.
    reported: bool,
    /// Whether its death has been noticed, if the engine did not end it.
    noticed: bool,
}

impl BackendLife {
    /// One whose process has just been started.
    pub(super) fn begun(incarnation: Incarnation, ledger: PathBuf, handle: Handle) -> BackendLife {
        BackendLife {
            incarnation,
            ledger,
            handle,
            talk: None,
            ending: false,
            reported: false,
            noticed: false,
        }
    }
}

/// A backend that died though the engine had not ended it.
pub(super) struct Loss {
    pub(super) incarnation: Incarnation,
    pub(super) status: ExitStatus,
    /// What it said was wrong with itself: then it is rig's own failure.
    pub(super) words: Option<String>,
}

impl Loss {
    /// That rig itself could not do what it should.
    pub(super) fn failure(self) -> CellError {
        let Loss { incarnation, status, words } = self;
        let reason = std::iter::once(format!("it exited in mid-run ({status})")).chain(words);
        CellError::BackendFailed { incarnation, reason: reason.collect::<Vec<_>>().join(": ") }
    }
}

impl<R: Runtime> Backends<'_, R> {
    pub(super) fn topology(&self) -> &Topology {
        &self.variant.topology
    }

    /// The incarnation that runs, or ran last, at `backend`; generation 0 if none did.
    pub(super) fn latest(&self, backend: &str) -> Incarnation {
        let lives = self.lives.borrow();
        let last = lives.iter().rev().find(|life| life.incarnation.backend == backend);
        last.map_or_else(|| Incarnation::new(backend, 0), |life| life.incarnation.clone())
    }

    /// Launches `incarnation` and waits until it listens. Meanwhile it can be harmed like any other.
    pub(super) async fn launch(&self, incarnation: &Incarnation, unhealthy: bool) -> Result<(), CellError> {
        let failed = |reason: String| CellError::BackendFailed { incarnation: incarnation.clone(), reason };
        let backend = self
            .topology()
            .backend(&incarnation.backend)
            .ok_or_else(|| failed("the topology has no such backend".into()))?;
        let directory = self.directory.join(incarnation.to_string().replace('/', "."));
        std::fs::create_dir_all(&directory).map_err(CellError::file(&directory))?;
        if let Some(service) = self.topology().service_of(&incarnation.backend) {
            return self.launch_own(incarnation, service, directory).await;
        }
        let ledger = directory.join("ledger.ndjson");
        let pod = &self.pods[&incarnation.backend];
        let job = Job::Backend(BackendJob {
            incarnation: incarnation.clone(),
            listen: self.address(&incarnation.backend),
            backend: backend.clone(),
            health_path: self.health_path(&incarnation.backend).to_owned(),
            unhealthy,
            seed: self.seed,
            ledger: ledger.clone(),
            tls: self.certificates.as_ref().map(Certificates::for_server),
            sessions: self.keys.sessions(
                self.variant,
                &incarnation.backend,
                self.service(STORE).map(|store| (store.address(), store.password.clone())),
            ),
        });
        let mut process = self
            .runtime
            .start(Launch {
                component: incarnation.into(),
                pod,
                runs: Runs::Agent("backend"),
                arguments: vec![],
                variables: vec![],
                directory,
                leaves: Vec::new(),
            })
            .await?;
        let handle = process.handle.clone();
        self.recorder.record(Happening::Launched { component: incarnation.into(), pid: handle.pid });
        self.lives.borrow_mut().push(BackendLife::begun(incarnation.clone(), ledger, handle));
        let _booting = Booting { lives: &self.lives, incarnation };
        let boots = async {
            greet(&mut process).await?;
            tell(&mut process, &job).await?;
            match next_frame(&mut process, backend.boot.0 + LISTEN_WITHIN).await? {
                Frame::Listening => Ok(()),
                other => Err(failed(format!("expected it to listen, got {other:?}"))),
            }
        };
        boots.await.inspect_err(|_| self.report_exits())?;
        self.listens_from_now_on(incarnation, process);
        Ok(())
    }

    pub(super) fn listens_from_now_on(&self, incarnation: &Incarnation, process: Process) {
        self.with_life(incarnation, |life| life.talk = Some(process));
    }

    /// Where `backend` says whether it is healthy.
    ///
    /// # Panics
    /// If no pool of the topology has such a backend: the plan has been validated.
    pub(super) fn health_path(&self, backend: &str) -> &str {
        &self.topology().pool_of(backend).expect("every backend is in a pool").health_path
    }

    /// Where `backend` listens.
    ///
    /// # Panics
    /// If no backend of the topology has that name: the plan has been validated.
    pub(super) fn address(&self, backend: &str) -> SocketAddr {
        self.pods[backend].addresses[0]
    }

    /// Who runs, or ran last, at `backend`.
    pub(super) fn running(&self, backend: &str) -> Option<(Incarnation, Handle)> {
        let lives = self.lives.borrow();
        let life = lives.iter().rev().find(|life| life.incarnation.backend == backend)?;
        Some((life.incarnation.clone(), life.handle.clone()))
    }

    /// Sends `signal`, which ends it, to the process at `backend`; returns who got it, and when that was ordered;
    /// `None`: nothing runs there.
    pub(super) async fn end(
        &self,
        backend: &str,
        signal: Signal,
    ) -> Result<Option<(Incarnation, Nanos)>, CellError> {
        let running = self.running(backend).filter(|(_, handle)| handle.exited().is_none());
        let Some((incarnation, handle)) = running else { return Ok(None) };
        for life in self.lives.borrow_mut().iter_mut().filter(|life| life.incarnation == incarnation) {
            life.ending = true;
        }
        // The counter goes with the process. A control group is read before the signal is on its way.
        let (_, at) = tokio::join!(self.read_cpu(&handle), self.runtime.signal(&handle, signal));
        Ok(Some((incarnation, at?)))
    }

    /// Tells the backend how to behave from now on; returns who follows, and since when by its own word.
    pub(super) async fn behave(
        &self,
        backend: &str,
        misbehaviour: Option<Misbehaviour>,
    ) -> Result<Option<(Incarnation, Nanos)>, CellError> {
        let Some((incarnation, handle)) = self.running(backend) else { return Ok(None) };
        if handle.exited().is_some() || !self.listens(&incarnation) {
            return Ok(None);
        }
        let failed = |reason: String| CellError::BackendFailed { incarnation: incarnation.clone(), reason };
        let line = serde_json::to_string(&Command::Degrade(misbehaviour))
            .map_err(|error| failed(error.to_string()))?;
        let input =
            self.with_life(&incarnation, |life| life.talk.as_ref().map(|process| process.input.clone()));
        if let Some(input) = input.flatten() {
            // One that is gone says why when its answer is missed.
            let _ = input.send(line).await;
        }
        let answer = std::future::poll_fn(|context| {
            self.with_life(&incarnation, |life| life.talk.as_mut().map(|it| it.lines.poll_recv(context)))
                .flatten()
                .unwrap_or(std::task::Poll::Ready(None))
        });
        let answer = tokio::time::timeout(ANSWER_WITHIN, answer).await;
        match answer.ok().flatten().map(|line| frame(&Component::from(&incarnation), &line)).transpose()? {
            Some(Frame::Behaves { at }) => Ok(Some((incarnation, at))),
            // It died before it could follow.
            None if handle.exited().is_some() => Ok(None),
            answer => {
                Err(failed(format!("expected an acknowledgement of its new behaviour, got {answer:?}")))
            }
        }
    }

    /// Whether `incarnation` has come so far that it listens.
    fn listens(&self, incarnation: &Incarnation) -> bool {
        self.with_life(incarnation, |life| life.talk.is_some()).unwrap_or(false)
    }

    fn with_life<T>(&self, incarnation: &Incarnation, act: impl FnOnce(&mut BackendLife) -> T) -> Option<T> {
        self.lives.borrow_mut().iter_mut().find(|life| life.incarnation == *incarnation).map(act)
    }

    /// Records the CPU time of every backend and service that runs.
    pub(super) async fn read_every_cpu(&self) {
        let services = self.services.iter().filter_map(RunningService::running);
        let lives = self.lives.borrow().iter().map(|life| life.handle.clone()).collect::<Vec<_>>();
        let handles: Vec<Handle> = lives.into_iter().chain(services).collect();
        futures_util::future::join_all(handles.iter().map(|handle| self.read_cpu(handle))).await;
    }

    /// Records the CPU time of a component, if it still runs.
    pub(super) async fn read_cpu(&self, handle: &Handle) {
        if handle.exited().is_some() {
            return;
        }
        let component = handle.component.clone();
        self.recorder.record(match self.runtime.cpu_time(handle).await {
            Ok(CpuUse { seconds, source }) => {
                Happening::CpuRead { component, seconds, source: source.to_owned() }
            }
            // It is missing in the report, then; nothing else rests on it.
            Err(error) => Happening::Warning { message: format!("CPU time of {component}: {error}") },
        });
    }

    /// From here on every exit is expected.
    pub(super) fn expect_the_end(&self) {
        for life in self.lives.borrow_mut().iter_mut() {
            life.ending = true;
        }
    }

    /// Waits until the process at `backend` is gone, and records it.
    pub(super) async fn exited(&self, backend: &str, within: Duration) -> Result<(), CellError> {
        let (component, mut exit) = {
            let lives = self.lives.borrow();
            let Some(life) = lives.iter().rev().find(|life| life.incarnation.backend == backend) else {
                return Ok(());
            };
            (Component::from(&life.incarnation), life.handle.exit.clone())
        };
        if tokio::time::timeout(within, exit.wait_for(Option::is_some)).await.is_err() {
            self.recorder.record(Happening::GraceExpired { component, within: Span(within) });
            self.end(backend, Signal::Kill).await?;
            let _ = tokio::time::timeout(KILLED_WITHIN, exit.wait_for(Option::is_some)).await;
        }
        self.report_exits();
        Ok(())
    }

    /// Writes the exits that have happened into the history.
    pub(super) fn report_exits(&self) {
        for life in self.lives.borrow_mut().iter_mut().filter(|life| !life.reported) {
            if let Some(status) = life.handle.exited() {
                life.reported = true;
                let component = Component::from(&life.incarnation);
                self.recorder.record(Happening::Exited { component, status, expected: life.ending });
            }
        }
    }

    /// Whether the process at `backend` has ended.
    pub(super) fn is_gone(&self, backend: &str) -> bool {
        let lives = self.lives.borrow();
        lives
            .iter()
            .rev()
            .find(|life| life.incarnation.backend == backend)
            .is_none_or(|l| l.handle.exited().is_some())
    }

    /// The service `name`, if there is one.
    pub(super) fn service(&self, name: &str) -> Option<&RunningService<'_, R>> {
        self.services.iter().find(|service| service.name() == name)
    }

    /// Ends when a backend or a service exits by itself, with what it said about that.
    pub(super) async fn unexpected_exit(&self) -> CellError {
        tokio::select! {
            lost = self.next_loss() => lost.failure(),
            lost = self.service_lost() => lost,
        }
    }

    /// Ends when a service exits by itself.
    pub(super) async fn service_lost(&self) -> CellError {
        let names = async {
            match &self.names {
                Some(names) => names.unexpected_exit().await,
                None => std::future::pending().await,
            }
        };
        let lost = self.services.iter().map(|service| service.unexpected_exit().boxed_local());
        let lost = lost.chain([names.boxed_local()]);
        futures_util::future::select_all(lost).await.0
    }

    /// What the DNS server is to answer for `pool`.
    pub(super) fn records(&self, pool: &Pool, rotation: &Rotation) -> Option<NameRecords> {
        records(pool, |id| self.address(id), |id| rotation.of(id) == Standing::In)
    }

    /// Ends when a backend exits by itself, each once. One that was still starting is whose launch waits
    /// for it.
    pub(super) async fn next_loss(&self) -> Loss {
        loop {
            let died = self.lives.borrow_mut().iter_mut().find_map(|life| {
                let status = life.handle.exited().filter(|_| !life.ending && !life.noticed)?;
                let talk = life.talk.as_mut()?;
                let words: Vec<String> = std::iter::from_fn(|| talk.lines.try_recv().ok())
                    .filter_map(|line| match serde_json::from_str(&line) {
                        Ok(Frame::Fault { message }) => Some(message),
                        _ => None,
                    })
                    .collect();
                life.noticed = true;
                let words = (!words.is_empty()).then(|| words.join(": "));
                Some(Loss { incarnation: life.incarnation.clone(), status, words })
            });
            if let Some(loss) = died {
                self.report_exits();
                return loss;
            }
            tokio::time::sleep(WATCH).await;
        }
    }

    pub(super) async fn status(&self, backend: &str) -> Result<BackendStatus, CellError> {
        self.status_within(backend, ANSWER_WITHIN).await
    }

    pub(super) async fn status_within(
        &self,
        backend: &str,
        within: Duration,
    ) -> Result<BackendStatus, CellError> {
        let url = format!("http://{}{STATUS_PATH}", self.address(backend));
        let asked = async { self.http.get(&url).timeout(within).send().await?.json().await };
        asked.await.map_err(|error| CellError::BackendFailed {
            incarnation: self.latest(backend),
            reason: format!("its status can't be read: {error}"),
        })
    }

    pub(super) fn ledgers(&self, pool: &str) -> Result<Vec<Execution>, CellError> {
        let members: Vec<(Incarnation, PathBuf)> = self
            .lives
            .borrow()
            .iter()
            .filter(|life| self.topology().pool_of(&life.incarnation.backend).is_some_and(|p| p.name == pool))
            .map(|life| (life.incarnation.clone(), life.ledger.clone()))
            .collect();
        let mut executions = Vec::new();
        for (incarnation, ledger) in members {
            executions.extend(read_ledger(&incarnation, Path::new(&ledger))?.executions);
        }
        Ok(executions)
    }
}

/// A backend that is starting. One that is no longer waited for, or that failed alive, ends by itself as its input does;
/// that is expected.
pub(super) struct Booting<'a> {
    pub(super) lives: &'a RefCell<Vec<BackendLife>>,
    pub(super) incarnation: &'a Incarnation,
}

impl Drop for Booting<'_> {
    fn drop(&mut self) {
        let mut lives = self.lives.borrow_mut();
        let failed = lives.iter_mut().filter(|life| life.incarnation == *self.incarnation);
        for life in failed.filter(|life| life.talk.is_none() && life.handle.exited().is_none()) {
            life.ending = true;
        }
    }
}
