//! The balancer's access log, normalised by its adapter: one line of `access.ndjson`.

use serde::{Deserialize, Serialize};

use crate::identity::RequestId;
use crate::units::Nanos;

/// One line of a balancer's access log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Logged {
    /// The request; `None` for health checks, readiness probes and whatever else carries no id.
    pub id: Option<RequestId>,
    /// When the balancer wrote it, from its wall clock, converted; the conversion's error is in the history.
    pub at: Nanos,
    /// The status that the balancer says it sent to the client; 0 if it sent none.
    pub status: u16,
    /// The pool that the balancer says it chose; `None`: it names none.
    #[serde(default)]
    pub pool: Option<String>,
    /// Backends that it admits to having tried, in order.
    pub attempts: Vec<Attempt>,
    /// The balancer's own words about how it ended: HAProxy's termination state, Envoy's response flags.
    pub flags: String,
}

/// One attempt of the balancer at a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The backend's name, or its address where no backend of the cell has that; `None`: the balancer admits to
    /// the attempt, but not to whom it went.
    pub backend: Option<String>,
    /// The status of that attempt, where the balancer logs it.
    pub status: Option<u16>,
}

/// A known hole in what a balancer logs, declared by its adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogGap {
    /// A request lost on a client connection that carried one before is closed without a line (HAProxy).
    SilentClose,
    /// It has a line per connection, and no request's id: the listener works at layer 4.
    PerConnection,
}
