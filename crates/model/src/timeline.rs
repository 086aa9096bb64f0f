//! What happens to the topology while the load runs.

use serde::{Deserialize, Serialize};

use crate::units::Span;

/// One entry of a timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name in the document.
    pub name: String,
    /// When it begins.
    pub when: When,
    /// What it does.
    pub action: Action,
}

/// When an entry begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// So long after the first measured arrival.
    At(Span),
    /// When the entry of that name has ended.
    After(String),
}

/// What an entry does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Replaces every backend of a pool by a new generation, one after another.
    Deploy(Deploy),
    /// Ends a backend's process with SIGKILL.
    Crash(Fault),
    /// Stops a backend's process (SIGSTOP): it accepts, and never answers.
    Freeze(Fault),
}

/// A fault of one backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The backend.
    pub backend: String,
    /// After which it is healed (started again, or continued); `None`: it stays.
    #[serde(rename = "for")]
    pub lasts: Option<Span>,
}

/// A rolling deploy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deploy {
    /// The pool that is replaced.
    pub pool: String,
    /// In which order old and new come.
    pub strategy: Strategy,
    /// Whether, and for how long, a backend is drained before it is terminated.
    pub drain: Drain,
    /// Whether a drained backend is terminated at once or only when the window is over.
    pub until: Until,
    /// How the balancer is told that a backend leaves.
    pub deregister: Deregister,
    /// How long a new generation may take to become healthy, before the deploy is aborted.
    pub ready_within: Span,
    /// A new generation that never becomes healthy, to see what a deploy does then.
    pub new_generation_unhealthy: bool,
}

impl Deploy {
    /// Whether the balancer is told that backends come and go: to drain them, or to use a spare.
    pub fn tells_the_balancer(&self) -> bool {
        self.drain != Drain::Off || self.strategy == Strategy::Surge
    }
}

/// In which order old and new come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The old generation leaves, the new one takes its address.
    #[default]
    InPlace,
    /// The new generation starts on a spare address, then the old one leaves.
    Surge,
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
