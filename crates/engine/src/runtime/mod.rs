//! Where components run. A runtime is a trait with few verbs, and no caller asks which one it has.

pub mod docker;
mod error;
pub mod process;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::component::{Component, ExitStatus};
use model::plan::Need;
use model::records::BalancerBuild;
use model::units::Nanos;
use tokio::sync::{mpsc, watch};

pub use error::RuntimeError;

use crate::host::Signal;
use crate::program::ProgramVersion;

/// What a component runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs<'a> {
    /// A program that is not rig's own.
    Program(ProgramVersion),
    /// rig's own `agent load` or `agent backend`.
    Agent(&'static str),
    /// A service of the user's. As a local process its program is the first of the arguments.
    Own(&'a OwnProgram),
}

/// One life of a service of the user's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnProgram {
    /// The image; `None`: it is a local process.
    pub image: Option<String>,
    /// What is added to its environment.
    pub variables: BTreeMap<String, String>,
    /// Where it works, as a local process.
    pub directory: PathBuf,
}

/// A pod to open: what keeps an address while the processes that serve there come and go.
#[derive(Clone, Copy, Debug)]
pub struct PodOrder<'a> {
    /// Its name, unique in its cell.
    pub name: &'a str,
    /// How many ports are needed.
    pub ports: u16,
    /// Who may connect to the first of them.
    pub reach: Reach,
    /// The first of them, where several pods must have the same; `None`: any.
    pub port: Option<u16>,
}

/// Who may connect to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The components of the cell, and rig.
    Cell,
    /// People on this machine as well: at this address, or at one that is free.
    People(Option<SocketAddr>),
}

/// An open pod. While no process serves there, connections to its addresses are refused.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its addresses, as many as were ordered.
    pub addresses: Vec<SocketAddr>,
    /// Where people reach the first of them, if that is elsewhere.
    pub published: Option<SocketAddr>,
    /// How what keeps its addresses ended, once it has; `None`: rig itself keeps them.
    pub keeper: Option<watch::Receiver<Option<ExitStatus>>>,
}

impl Pod {
    /// Ends when nothing keeps the addresses any more, with what became of their keeper.
    pub async fn lost(&self) -> ExitStatus {
        let Some(keeper) = &self.keeper else { return std::future::pending().await };
        let mut keeper = keeper.clone();
        match keeper.wait_for(Option::is_some).await {
            Ok(status) => status.clone().unwrap_or_default(),
            Err(_) => ExitStatus::unknown("gone"),
        }
    }
}

/// A component to launch.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// What it is.
    pub component: Component,
    /// Where it runs.
    pub pod: &'a Pod,
    /// What it runs.
    pub runs: Runs<'a>,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What is added to its environment.
    pub variables: Vec<(&'static str, String)>,
    /// Its working directory, below the one that the runtime was opened with; of a user's service, no more than where its
    /// output goes. Its standard error becomes a file there, and the standard output of what is no agent as well.
    pub directory: PathBuf,
    /// Files of this machine, outside that directory, that it leaves behind.
    pub leaves: Vec<PathBuf>,
}

/// One launched component: a process from its start to its exit.
#[derive(Debug)]
pub struct Process {
    /// What it is known by.
    pub handle: Handle,
    /// Lines to the standard input of an agent; its end, when this is dropped, tells the agent that its controller
    /// is gone. A balancer does not read them.
    pub input: mpsc::Sender<String>,
    /// Lines of its standard output, if it is an agent.
    pub lines: mpsc::Receiver<String>,
}

/// What a launched component is known by.
#[derive(Clone, Debug)]
pub struct Handle {
    /// What it is.
    pub component: Component,
    /// What the runtime knows it by: a process id, or the id of a container.
    pub id: String,
    /// Its process id on this machine.
    pub pid: u32,
    /// How it ended, once it has.
    pub exit: watch::Receiver<Option<ExitStatus>>,
}

impl Handle {
    /// How it ended, if it has.
    pub fn exited(&self) -> Option<ExitStatus> {
        self.exit.borrow().clone()
    }

    /// Waits for its end, at most `within`; `None`: it still runs.
    pub async fn wait(&self, within: Duration) -> Option<ExitStatus> {
        let mut exit = self.exit.clone();
        let ended = tokio::time::timeout(within, exit.wait_for(Option::is_some)).await;
        match ended {
            Ok(Ok(status)) => status.clone(),
            Ok(Err(_)) => Some(ExitStatus::unknown("gone")),
            Err(_) => None,
        }
    }
}

/// CPU time that a component has used since its launch, all its processes and threads together.
#[derive(Clone, Debug, PartialEq)]
pub struct CpuUse {
    /// User and system time.
    pub seconds: f64,
    /// Where that was read.
    pub source: &'static str,
}

/// Where the components of one cell run.
///
/// Verbs that act on a process or a pod return when that was ordered, on the clock of [`agent::clock`], and once it has
/// taken effect: what dies between died of it. A process that has ended is left alone.
#[allow(async_fn_in_trait, reason = "the engine is generic over its runtime and runs on one thread")]
pub trait Runtime {
    /// `process` or `docker`.
    fn name(&self) -> &'static str;
    /// Why it can't do this; `None`: it can.
    fn lacks(&self, need: Need) -> Option<&'static str>;
    /// The version and executable or image of a program.
    async fn describe(&self, program: ProgramVersion) -> Result<BalancerBuild, RuntimeError>;
    /// The most connections that a load can have here, by the limits of open files and ports.
    fn connections(&self) -> u32;
    /// Whether balancers run as root.
    fn as_root(&self) -> bool;
    /// Prepares for a cell whose components share `directories`, which are absolute.
    async fn open(&self, directories: &[&Path]) -> Result<(), RuntimeError>;
    /// Opens a pod.
    async fn pod(&self, order: PodOrder<'_>) -> Result<Pod, RuntimeError>;
    /// Launches a component.
    async fn start(&self, launch: Launch<'_>) -> Result<Process, RuntimeError>;
    /// Sends a signal.
    async fn signal(&self, process: &Handle, signal: Signal) -> Result<Nanos, RuntimeError>;
    /// Lets a process stand still, with its connections open.
    async fn freeze(&self, process: &Handle) -> Result<Nanos, RuntimeError>;
    /// Lets a frozen process go on.
    async fn thaw(&self, process: &Handle) -> Result<Nanos, RuntimeError>;
    /// Cuts a pod off the network: packets to and from it vanish.
    async fn partition(&self, pod: &Pod) -> Result<Nanos, RuntimeError>;
    /// Connects a partitioned pod again, at its old addresses.
    async fn heal(&self, pod: &Pod) -> Result<Nanos, RuntimeError>;
    /// The CPU time that a process has used so far.
    async fn cpu_time(&self, process: &Handle) -> Result<CpuUse, RuntimeError>;
    /// Ends whatever still runs, removes whatever was made, and waits for it.
    ///
    /// # Errors
    /// If something could not be removed, with what to do about it.
    async fn end(&self) -> Result<(), RuntimeError>;
}
