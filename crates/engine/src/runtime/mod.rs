//! Where components run. A runtime is a trait with few verbs, and no caller asks which one it has.

mod binaries;
mod lease;
pub mod process;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use model::catalog::BalancerKind;
use model::records::BalancerBuild;
use model::units::Nanos;
use tokio::sync::{mpsc, watch};

use crate::balancer::Signal;
use crate::error::EngineError;

/// What a component is, for addresses and for finding its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A balancer.
    Balancer(BalancerKind),
    /// rig's own `agent load` or `agent backend`.
    Agent(&'static str),
}

/// A component to launch.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Its name in the history.
    pub component: String,
    /// Its program.
    pub program: Program,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its working directory; a balancer's standard output and error become files there.
    pub directory: PathBuf,
    /// The first line on its standard input, which stays open; `None`: it has no input, and its output goes to
    /// files.
    pub job: Option<String>,
}

/// One launched component: a process from its start to its exit.
#[derive(Debug)]
pub struct Process {
    /// Its name in the history.
    pub component: String,
    /// Its process id, as the runtime numbers it.
    pub pid: u32,
    /// Lines of its standard output, if it is an agent.
    pub lines: mpsc::Receiver<String>,
    /// How it ended, once it has.
    pub exit: watch::Receiver<Option<String>>,
}

impl Process {
    /// How it ended, if it has.
    pub fn exited(&self) -> Option<String> {
        self.exit.borrow().clone()
    }

    /// Waits for its end, at most `within`; `None`: it still runs.
    pub async fn wait(&self, within: Duration) -> Option<String> {
        let mut exit = self.exit.clone();
        let ended = tokio::time::timeout(within, exit.wait_for(Option::is_some)).await;
        match ended {
            Ok(Ok(status)) => status.clone(),
            Ok(Err(_)) => Some("gone".into()),
            Err(_) => None,
        }
    }
}

/// Where components run.
#[allow(async_fn_in_trait, reason = "the engine is generic over its runtime and runs on one thread")]
pub trait Runtime {
    /// `process` or `docker`.
    fn name(&self) -> &'static str;
    /// The version and executable or image of a balancer.
    async fn describe(&self, kind: BalancerKind) -> Result<BalancerBuild, EngineError>;
    /// An address that nobody else has, held until the runtime ends: connections to it are refused while no
    /// component serves there.
    fn lease(&self) -> Result<SocketAddr, EngineError>;
    /// Leases exactly `address`.
    fn lease_at(&self, address: SocketAddr) -> Result<(), EngineError>;
    /// Launches a component.
    async fn start(&self, launch: Launch) -> Result<Process, EngineError>;
    /// Sends a signal; returns when it was sent. A process that is gone gets none.
    fn signal(&self, process: &Process, signal: Signal) -> Nanos;
    /// Whether balancers run as root.
    fn as_root(&self) -> bool;
    /// Ends whatever still runs, and waits for it.
    async fn end(&self);
}
