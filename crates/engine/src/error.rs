//! Why the engine could not do its work. Each of these means that the environment could not run the cell; a
//! measurement that ran and can't be trusted is not an error but an invalid result.

use std::path::PathBuf;

use model::catalog::BalancerKind;
use model::identity::Incarnation;

use crate::runtime::docker::DockerError;

/// Why a cell could not be run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A balancer's executable isn't there.
    #[error(
        "{kind} is not installed: no `{kind}` on PATH, in a system directory or in tools/bin of rig's own checkout{skipped}\n  help: run `make setup`, or set {variable}=/path/to/{kind}"
    )]
    BalancerMissing {
        /// Which.
        kind: BalancerKind,
        /// The variable that names it.
        variable: String,
        /// Executables that could be somebody else's, in words.
        skipped: String,
    },
    /// A balancer's executable does not run.
    #[error("`{binary}` does not run as {kind}: {reason}")]
    BalancerBroken {
        /// Which.
        kind: BalancerKind,
        /// Its executable.
        binary: PathBuf,
        /// Why.
        reason: String,
    },
    /// The session store's executable isn't there.
    #[error(
        "redis-server is not installed: none on PATH, in a system directory or in tools/bin of rig's own checkout, and a pool keeps its sessions in Redis{skipped}\n  help: run `make setup`, or set RIG_REDIS=/path/to/redis-server"
    )]
    StoreMissing {
        /// Executables that could be somebody else's, in words.
        skipped: String,
    },
    /// The session store's executable does not run.
    #[error("`{binary}` does not run as redis-server: {reason}")]
    StoreBroken {
        /// Its executable.
        binary: PathBuf,
        /// Why.
        reason: String,
    },
    /// The session store did not start, or died; its own words follow.
    #[error("the session store failed: {status}; its own words:\n    {words}")]
    StoreFailed {
        /// What became of it.
        status: String,
        /// The end of its log.
        words: String,
    },
    /// A balancer exited instead of serving; its own words follow.
    #[error("{kind} exited ({status}); its own words:\n{words}\n  its configuration: {config}")]
    BalancerExited {
        /// Which.
        kind: BalancerKind,
        /// Its exit status.
        status: String,
        /// The end of its log.
        words: String,
        /// Where its configuration lies.
        config: PathBuf,
    },
    /// Not every backend answered through the listener in time.
    #[error("{kind} did not become ready within {seconds} s: {missing}\n{words}")]
    NotReady {
        /// Which.
        kind: BalancerKind,
        /// How long was waited.
        seconds: u64,
        /// What was missing.
        missing: String,
        /// The end of its log.
        words: String,
    },
    /// A backend did not start, died, or doesn't answer.
    #[error("backend {incarnation} failed: {reason}")]
    BackendFailed {
        /// Which.
        incarnation: Incarnation,
        /// Why.
        reason: String,
    },
    /// An agent of rig broke the protocol or died.
    #[error("the {agent} agent failed: {reason}")]
    AgentFailed {
        /// Which.
        agent: String,
        /// Why.
        reason: String,
    },
    /// The runtime can't do it; a plan that needs it is not run.
    #[error("{of} can't be harmed by {verb}: {reason}")]
    Incapable {
        /// The verb.
        verb: &'static str,
        /// The pod.
        of: String,
        /// Why.
        reason: &'static str,
    },
    /// A timeline asks for curl, which isn't there.
    #[error(
        "curl is not installed, and the timeline asks for it\n  help: run `make setup`, or take the `curl` entries out"
    )]
    CurlMissing,
    /// The run's certificates could not be made.
    #[error("certificates could not be made: {0}")]
    Certificates(String),
    /// The run's certificates could not be used.
    #[error(transparent)]
    Tls(#[from] agent::tls::TlsError),
    /// The machine allows less of something than the load needs.
    #[error(
        "the load of `{variant}` needs {needed} {what}, and this machine allows {has}\n  help: {help}\n        or lower `load.rate`"
    )]
    TooSmall {
        /// Whose load.
        variant: String,
        /// Of what.
        what: &'static str,
        /// How much the load needs.
        needed: u64,
        /// How much there is.
        has: u64,
        /// What to do.
        help: String,
    },
    /// No free address for a component.
    #[error("{address} is taken by another program\n  help: {help}")]
    AddressBusy {
        /// The address.
        address: String,
        /// What to do.
        help: String,
    },
    /// A step of the balancer's control procedure failed.
    #[error("{kind} could not be controlled: {reason}")]
    Control {
        /// Which.
        kind: BalancerKind,
        /// Why.
        reason: String,
    },
    /// A configuration template could not be rendered.
    #[error("the template `{template}` could not be rendered: {reason}")]
    Template {
        /// Which.
        template: String,
        /// Why.
        reason: String,
    },
    /// A component's processes could not be ended.
    #[error("processes that a component left behind can't be ended: {pids:?}")]
    LeftBehind {
        /// Which.
        pids: Vec<i32>,
    },
    /// rig can't work with what a template makes.
    #[error(
        "these templates can't be used:\n  {}\n  help: `rig render --templates DIR` writes the built-in ones, to start from",
        .0.join("\n  ")
    )]
    Misfits(Vec<String>),
    /// A program could not be launched.
    #[error("{component} could not be launched: {source}")]
    Launch {
        /// Which component.
        component: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the cell could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The results could not be written.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// What keeps a place's address is gone, and its network with it.
    #[error("the pod of {pod} was lost in mid-run ({status})")]
    PodLost {
        /// Which.
        pod: String,
        /// What became of its keeper.
        status: String,
    },
    /// One thing failed, and then another.
    #[error("{first}\nand then: {then}")]
    Both {
        /// What failed first.
        first: Box<EngineError>,
        /// What failed after it.
        then: Box<EngineError>,
    },
    /// A Docker engine, or what should run on it, could not be had.
    #[error(transparent)]
    Docker(#[from] DockerError),
}

impl EngineError {
    /// This, and what failed after it, if anything did.
    pub(crate) fn and<T>(self, then: Result<T, EngineError>) -> EngineError {
        match then {
            Ok(_) => self,
            Err(then) => EngineError::Both { first: Box::new(self), then: Box::new(then) },
        }
    }

    /// For `map_err` on file operations.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> EngineError {
        let path = path.into();
        move |source| EngineError::File { path, source }
    }
}
