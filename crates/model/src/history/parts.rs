//! What events are made of that have no file of their own.

use serde::{Deserialize, Serialize};

use crate::identity::Incarnation;
use crate::timeline::Drain;
use crate::units::Span;

/// The stages of a cell, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellStage {
    /// From the first address to the last component that was started before the load.
    Launch,
    /// Until every backend has answered through the listener.
    Ready,
    /// From the generator's start to the end of its last request.
    Load,
    /// Until everything that the cell launched is gone.
    Teardown,
}

/// A setting of a balancer, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The scenario's noun, e.g. `retries`.
    pub name: String,
    /// The directive that was rendered for it, e.g. `proxy_next_upstream off`.
    pub rendered: String,
}

/// Where a drain window comes from: 1.2 × the slowest service time + 250 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowDerivation {
    /// The slowest service time in the ledger's baseline.
    pub slowest: Span,
    /// Requests in that baseline. Fewer than 3 / samples of requests are slower, at 95 % confidence.
    pub samples: u64,
}

/// What curl was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurlAnswer {
    /// The timeline's entry.
    pub entry: String,
    /// The command line.
    pub command: String,
    /// What `-v` says: request and response headers.
    pub transcript: String,
    /// The first bytes of the response's body.
    pub body: String,
    /// How curl ended.
    pub status: String,
}

/// A target that was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetContact {
    /// As the scenario says it.
    pub url: String,
    /// The addresses that it resolved to and that accept connections.
    pub addresses: Vec<String>,
    /// Addresses that it resolved to as well and that don't, each with the reason.
    pub left_out: Vec<String>,
    /// What the first request was answered.
    pub answer: String,
}

/// A step of scaling. What happens between two of them are events of their own, the same as in a deploy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Scaling {
    /// A backend begins to leave for good.
    Removing {
        /// The timeline's entry.
        entry: String,
        /// Who.
        incarnation: Incarnation,
        /// The policy.
        drain: Drain,
    },
    /// It has exited, and the balancer has been told what it was to be told.
    Removed {
        /// Who.
        incarnation: Incarnation,
    },
    /// A backend is about to be started.
    Adding {
        /// The timeline's entry.
        entry: String,
        /// Who.
        incarnation: Incarnation,
    },
    /// It is registered, and got requests, or had time to.
    Added {
        /// Who.
        incarnation: Incarnation,
    },
    /// It did not become healthy, or could not be started.
    NotAdded {
        /// Who.
        incarnation: Incarnation,
        /// Why.
        reason: String,
    },
}
