//! What a balancer does by itself, unless it is told otherwise: it tries again, ejects, refuses, and closes.

use serde::{Deserialize, Serialize};

use crate::units::{Share, Span};

/// A share of the backends at which the balancer changes its mind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// There is none.
    #[default]
    Off,
    /// As the balancer has it where its configuration says nothing.
    Default,
    /// This one.
    At(Share),
}

/// How much a balancer lets through at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limits {
    /// Everything.
    #[default]
    Off,
    /// What it does where its configuration says nothing.
    Default,
    /// So much to each backend.
    Each(BackendLimit),
}

/// How much a balancer lets through to each backend at once, and what becomes of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendLimit {
    /// Requests that a backend may have from it at the same time; at layer 4, connections.
    pub connections: u32,
    /// How many more of a pool may wait at the balancer; the next one is refused. `None`: as the balancer does it where its
    /// configuration says nothing.
    pub queue: Option<u32>,
    /// How long one may wait there; `None`: as the balancer does it where its configuration says nothing.
    pub queue_timeout: Option<Span>,
}

/// Whether a balancer keeps its connections to backends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamKeepalive {
    /// It does.
    #[default]
    On,
    /// What it does where its configuration says nothing.
    Default,
}

/// Whether failed traffic takes a backend out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PassiveHealth {
    /// Never.
    #[default]
    Off,
    /// As the balancer does it where its configuration says nothing.
    Default,
    /// After so many failures in a row, for so long.
    On {
        /// Failures in a row.
        fails: u32,
        /// How long the backend stays out.
        #[serde(rename = "for")]
        out_for: Span,
    },
}
