//! The DNS server of a cell, where a pool is found by its name: an agent of rig's own, whose answers a deploy changes.

use std::cell::{Cell, OnceCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use model::component::Component;
use model::discovery::{Discovery, name_of};
use model::history::Happening;
use model::job::{Command, DnsJob, Frame, Job, NameRecords};
use model::topology::Pool;
use model::units::Nanos;
use tokio::sync::Mutex;

use super::error::CellError;
use super::frames::{greet, next_frame, tell};
use super::recorder::Recorder;
use crate::help::with_help;
use crate::host::Signal;
use crate::runtime::{Handle, Launch, Pod, Process, Runs, Runtime};

/// How long it may take to listen, or to follow a command.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(10);
/// How long it may take to end.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// The DNS server in a pod of its own.
pub(super) struct NameServer<'a, R> {
    runtime: &'a R,
    recorder: &'a Recorder<'a>,
    pub(super) pod: Pod,
    directory: PathBuf,
    /// How it is talked to: one command at a time.
    talk: Mutex<Option<Process>>,
    handle: OnceCell<Handle>,
    /// Whether rig has ended it, so that its exit is expected.
    ending: Cell<bool>,
}

impl<'a, R: Runtime> NameServer<'a, R> {
    /// One that has not been launched yet.
    pub(super) fn new(
        runtime: &'a R,
        recorder: &'a Recorder<'a>,
        pod: Pod,
        directory: PathBuf,
    ) -> NameServer<'a, R> {
        let (talk, handle, ending) = (Mutex::new(None), OnceCell::new(), Cell::new(false));
        NameServer { runtime, recorder, pod, directory, talk, handle, ending }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.pod.addresses[0]
    }

    /// Launches it with what it knows at first, and waits until it listens.
    pub(super) async fn launch(&self, names: Vec<NameRecords>) -> Result<(), CellError> {
        std::fs::create_dir_all(&self.directory).map_err(CellError::file(&self.directory))?;
        let launch = Launch {
            component: Component::DnsServer,
            pod: &self.pod,
            runs: Runs::Agent("dns"),
            arguments: vec![],
            variables: vec![],
            directory: self.directory.clone(),
            leaves: Vec::new(),
        };
        let mut process = self.runtime.start(launch).await?;
        let pid = process.handle.pid;
        self.recorder.record(Happening::Launched { component: Component::DnsServer, pid });
        let _ = self.handle.set(process.handle.clone());
        greet(&mut process).await?;
        tell(&mut process, &Job::Dns(DnsJob { listen: self.address(), names })).await?;
        match next_frame(&mut process, FOLLOWS_WITHIN).await? {
            Frame::Listening => {}
            other => return Err(failed(format!("expected it to listen, got {other:?}"))),
        }
        let proof = "it listens".to_owned();
        self.recorder.record(Happening::Ready { component: Component::DnsServer, proof });
        *self.talk.lock().await = Some(process);
        Ok(())
    }

    /// Gives a name other records; returns since when it answers with them, by its own word.
    pub(super) async fn set(&self, records: NameRecords) -> Result<Nanos, CellError> {
        let mut talk = self.talk.lock().await;
        let process = talk.as_mut().ok_or_else(|| failed("it has not been launched".to_owned()))?;
        let line = serde_json::to_string(&Command::Records(records));
        // One that is gone says why when its answer is missed.
        let _ = process.input.send(line.map_err(|error| failed(error.to_string()))?).await;
        match next_frame(process, FOLLOWS_WITHIN).await? {
            Frame::Renamed { at } => Ok(at),
            other => Err(failed(format!("expected an acknowledgement of its new records, got {other:?}"))),
        }
    }

    /// Ends when it exits by itself.
    pub(super) async fn unexpected_exit(&self) -> CellError {
        let Some(handle) = self.handle.get() else { return std::future::pending().await };
        let mut exit = handle.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        let status = ended.ok().and_then(|status| status.clone()).unwrap_or_default();
        if self.ending.get() {
            return std::future::pending().await;
        }
        self.recorder.record(Happening::Exited {
            component: Component::DnsServer,
            status: status.clone(),
            expected: false,
        });
        failed(format!("it exited in mid-run ({status})"))
    }

    /// Ends it.
    pub(super) async fn stop(&self) {
        let Some(handle) = self.handle.get().filter(|handle| handle.exited().is_none()) else { return };
        self.ending.set(true);
        if let Err(error) = self.runtime.signal(handle, Signal::Term).await {
            self.recorder.record(Happening::Warning { message: with_help(&error) });
        }
        let component = Component::DnsServer;
        match handle.wait(GONE_WITHIN).await {
            Some(status) => self.recorder.record(Happening::Exited { component, status, expected: true }),
            None => {
                let message = format!("{component} did not exit within {} s", GONE_WITHIN.as_secs());
                self.recorder.record(Happening::Warning { message });
            }
        }
    }
}

/// The records of `pool`, which has those backends that are `found`; `None`: it is not found by its name.
pub(super) fn records(
    pool: &Pool,
    address_of: impl Fn(&str) -> SocketAddr,
    found: impl Fn(&str) -> bool,
) -> Option<NameRecords> {
    let Discovery { ttl } = pool.discovery?;
    let listed = pool.backends.iter().map(|backend| backend.id.as_str()).filter(|id| found(id));
    let addresses = listed.filter_map(|id| match address_of(id) {
        SocketAddr::V4(address) => Some(*address.ip()),
        SocketAddr::V6(_) => None,
    });
    let ttl = u32::try_from(ttl.0.as_secs()).unwrap_or(u32::MAX);
    Some(NameRecords { name: name_of(&pool.name), ttl, addresses: addresses.collect() })
}

fn failed(reason: String) -> CellError {
    CellError::AgentFailed { agent: Component::DnsServer, reason }
}
