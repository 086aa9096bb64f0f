//! The balancer's access log, normalised by its adapter: one line of `access.ndjson`.

use std::sync::{LazyLock, Mutex};

use serde::{Deserialize, Serialize};

use crate::identity::RequestId;
use crate::interned::{Internable, Interned, InternedValues};
use crate::units::{Nanos, Span};

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
    pub pool: Option<Interned<String>>,
    /// Backends that it admits to having tried, in order.
    pub attempts: Interned<Vec<Attempt>>,
    /// The balancer's own words about how it ended, as it wrote them: HAProxy's termination state, Envoy's response
    /// flags.
    pub flags: Interned<String>,
    /// How long the request waited at the balancer for a backend that could take it; `None`: the log does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<Span>,
    /// What of them says that something went wrong, word by word: what `flag[…]` in a claim names.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub signs: Interned<Vec<String>>,
    /// What that means, as the balancer's adapter reads it; `None`: nothing went wrong, or the log does not say what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

fn is_empty(signs: &Interned<Vec<String>>) -> bool {
    signs.is_empty()
}

/// Why a balancer did not deliver a backend's response, in terms that all balancers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The client left first.
    ClientAbort,
    /// No route fits the request.
    NoRoute,
    /// The pool has no backend that the balancer would use: all are down, ejected or taken out.
    NoLiveBackend,
    /// A limit of the balancer was reached: of connections or requests, to the backend or the pool, or of those that wait.
    #[serde(alias = "circuit_breaker")]
    LimitReached,
    /// A limit was reached, and the request waited in the balancer's own queue until its time ran out.
    QueueTimeout,
    /// The connection to the backend failed: it was refused, or the network says that the address is not there.
    ConnectRefused,
    /// The connection to the backend was not established in time.
    ConnectTimeout,
    /// The backend did not respond in time.
    GatewayTimeout,
    /// The backend closed or reset the connection before its response was complete.
    BackendClosed,
    /// What the backend sent is no response that the balancer accepts.
    BackendProtocol,
    /// The backend answered, and the balancer answered with an error of its own in its place: the status was one that it tries
    /// again, and it had no tries left.
    ResponseWithheld,
    /// The balancer ended the request itself: by a rule, or because it stops.
    BalancerEnded,
    /// The balancer, or its machine, ran out of something.
    BalancerExhausted,
}

/// One attempt of the balancer at a backend.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// The backend's name, or its address where no backend of the cell has that; `None`: the balancer admits to
    /// the attempt, but not to whom it went.
    pub backend: Option<String>,
    /// The status of that attempt, where the balancer logs it.
    pub status: Option<u16>,
}

impl Internable for Vec<Attempt> {
    fn table() -> &'static InternedValues<Vec<Attempt>> {
        static TABLE: InternedValues<Vec<Attempt>> = LazyLock::new(Mutex::default);
        &TABLE
    }
}

/// A known hole in what a balancer logs, declared by its adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogGap {
    /// A request that is lost with its backend may be closed without a line and without an answer. HAProxy does so where a
    /// connection carried a request before: in 2.6 the client's, in 3.2 the one to the backend (`abort_keep_alive` in
    /// `src/http_ana.c`).
    SilentClose,
    /// Where a kept connection closes before a byte of the response, a request without a body is sent again to the same
    /// backend. The line tells of one attempt (Caddy and Traefik: Go's HTTP client).
    Resend,
    /// That a limit refused a request is said in the same words as that no backend is live, and either may have been (nginx and
    /// Caddy).
    LimitUntold,
    /// How often a request was tried: the line names the last backend, and counts no attempts (Traefik).
    RetriesUntold,
    /// It has a line per connection, and no request's id: the listener works at layer 4.
    PerConnection,
    /// None of its lines carries a request's id: the template logs none, in another form, or nothing at all.
    WithoutIds,
}

impl Reason {
    /// Whether the balancer refused the request because of a limit.
    pub fn is_limit(self) -> bool {
        matches!(self, Reason::LimitReached | Reason::QueueTimeout)
    }
}
