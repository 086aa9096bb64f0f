//! Why a cell could not be run: the environment could not run it. A measurement that ran and can't be trusted is not an
//! error but an invalid result.

use std::path::PathBuf;

use model::catalog::BalancerKind;
use model::component::{Component, ExitStatus};
use model::identity::{CellId, Incarnation};

use crate::balancer::RenderError;
use crate::help::Help;
use crate::host::HostError;
use crate::program::ProgramError;
use crate::runtime::RuntimeError;

/// Why a cell could not be run.
#[derive(Debug, thiserror::Error)]
pub enum CellError {
    /// This machine refused something.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A program can't be used.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The runtime could not do something.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The balancer's configuration can't be made.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The run's certificates could not be used.
    #[error(transparent)]
    Tls(#[from] agent::tls::TlsError),
    /// The results could not be written.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// A service did not start, or died; its own words follow.
    #[error("{title} failed: {status}; its own words:\n{words}")]
    ServiceFailed {
        /// What it is.
        title: &'static str,
        /// What became of it.
        status: String,
        /// The end of its log.
        words: String,
    },
    /// A balancer exited instead of serving; its own words follow.
    #[error("{kind} exited ({status}); its own words:\n{words}\n  its configuration: {}", config.display())]
    BalancerExited {
        /// Which.
        kind: BalancerKind,
        /// How.
        status: ExitStatus,
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
    /// A target that rig did not launch can't be reached.
    #[error("the target {url} can't be reached: {reason}")]
    TargetUnreachable {
        /// Where it should be.
        url: String,
        /// Why.
        reason: String,
    },
    /// A target does not answer as the load expects, before anything was done to it.
    #[error("the target {url} does not answer as expected: {answer}")]
    TargetAnswers {
        /// Where it is.
        url: String,
        /// What was asked and answered.
        answer: String,
        /// Where a redirect leads.
        to: Option<String>,
    },
    /// A command of a target failed.
    #[error("the command `{command}` failed: {reason}")]
    Command {
        /// Which.
        command: &'static str,
        /// Why.
        reason: String,
    },
    /// A cell that the plan does not describe.
    #[error("the plan has no cell {cell} with a balancer of rig's")]
    NotInPlan {
        /// Which.
        cell: CellId,
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
        agent: Component,
        /// Why.
        reason: String,
    },
    /// A timeline asks for curl, which isn't there.
    #[error("curl is not installed, and the timeline asks for it")]
    CurlMissing,
    /// A step of the balancer's control procedure failed.
    #[error("{kind} could not be controlled: {reason}")]
    Control {
        /// Which.
        kind: BalancerKind,
        /// Why.
        reason: String,
    },
    /// What keeps a component's address is gone, and its network with it.
    #[error("the pod of {pod} was lost in mid-run ({status})")]
    PodLost {
        /// Which.
        pod: String,
        /// What became of its keeper.
        status: ExitStatus,
    },
    /// One thing failed, and then another.
    #[error("{first}\nand then: {then}")]
    Both {
        /// What failed first.
        first: Box<CellError>,
        /// What failed after it.
        then: Box<CellError>,
    },
}

impl CellError {
    /// This, and what failed after it, if anything did.
    pub(crate) fn and<T>(self, then: Result<T, CellError>) -> CellError {
        match then {
            Ok(_) => self,
            Err(then) => CellError::Both { first: Box::new(self), then: Box::new(then) },
        }
    }

    /// For `map_err` on file operations.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> CellError {
        HostError::file(path)
    }
}

impl Help for CellError {
    fn help(&self) -> Option<String> {
        match self {
            CellError::Host(error) => error.help(),
            CellError::Program(error) => error.help(),
            CellError::Runtime(error) => error.help(),
            CellError::Render(error) => error.help(),
            CellError::CurlMissing => Some("run `make setup`, or take the `curl` entries out".to_owned()),
            CellError::TargetAnswers { to: Some(to), .. } => {
                Some(format!("name what it leads to, {to}, or expect the redirect: `expect_status: 3xx`"))
            }
            CellError::TargetAnswers { to: None, .. } => {
                Some("name a path that it serves, or the status to expect: `expect_status: 404`".to_owned())
            }
            CellError::Both { first, then } => first.help().or_else(|| then.help()),
            CellError::Tls(_)
            | CellError::NotInPlan { .. }
            | CellError::TargetUnreachable { .. }
            | CellError::Command { .. }
            | CellError::Store(_)
            | CellError::ServiceFailed { .. }
            | CellError::BalancerExited { .. }
            | CellError::NotReady { .. }
            | CellError::BackendFailed { .. }
            | CellError::AgentFailed { .. }
            | CellError::Control { .. }
            | CellError::PodLost { .. } => None,
        }
    }
}
