//! How a backend leaves: drained or not, how the balancer is told, and how its process is ended.

use serde::{Deserialize, Serialize};

use crate::units::Span;

/// How a backend leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// Whether, and for how long, it is drained before it is terminated.
    pub drain: Drain,
    /// Whether a drained backend is terminated at once or only when the window is over.
    pub until: Until,
    /// How the balancer is told that it leaves.
    pub deregister: Deregister,
    /// How it is ended, if nothing waits until the balancer has left it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination: Option<Termination>,
}

impl Leaving {
    /// By SIGTERM alone, unless more is said.
    pub const ABRUPT: Leaving =
        Leaving { drain: Drain::Off, until: Until::Idle, deregister: Deregister::Live, termination: None };
}

/// How an orchestrator such as Kubernetes ends a backend: the way to its end and the word to the balancer begin at the same
/// time, and neither waits for the other
/// (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Termination {
    /// How much later the balancer is told.
    pub told_after: ToldAfter,
    /// For how long the backend goes on as before, until its signal.
    pub pre_stop: Span,
}

/// How much later than the beginning of a backend's end the balancer is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToldAfter {
    /// Drawn evenly from the seed, for each backend.
    Between(Span, Span),
    /// Not at all: it finds out, or doesn't.
    Never,
}

/// How long a backend is drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drain {
    /// Not at all: the balancer isn't told, the backend is just terminated.
    Off,
    /// For a window derived from the slowest request of the cell's own baseline.
    Auto,
    /// For this window.
    For(Span),
}

/// What ends a drain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// Nothing in flight, or the end of the window.
    #[default]
    Idle,
    /// The end of the window.
    Window,
}

/// How the balancer is told that a backend leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deregister {
    /// While it runs: HAProxy's runtime socket, Envoy's endpoint discovery, a route flag for nginx.
    #[default]
    Live,
    /// By a new configuration and a graceful reload.
    Reload,
}
