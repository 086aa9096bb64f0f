//! The client's record of one scheduled request: one line of `requests.ndjson`.

use serde::{Deserialize, Serialize};

use crate::identity::{Incarnation, RequestId};
use crate::interned::Interned;
use crate::outcome::Outcome;
use crate::sessions::SessionUse;
use crate::tls::Handshake;
use crate::traffic::Method;
use crate::units::Nanos;

/// What the generator knows of one scheduled request. Written once, when it has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its place in the schedule.
    pub id: RequestId,
    /// Its class in the mix.
    pub class: Interned<String>,
    /// Its method.
    pub method: Method,
    /// The intended start: computed from the schedule, never read from a clock.
    pub due: Nanos,
    /// When the generator took it up; `released - due` is the generator's own lateness.
    pub released: Nanos,
    /// When its first byte was written (or the connection attempt began).
    pub sent: Option<Nanos>,
    /// Nanoseconds from `released` on that it waited for a connection, because `load.connections` of them were taken;
    /// 0: it did not have to.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waited: i64,
    /// When the first byte of the response arrived.
    pub first_byte: Option<Nanos>,
    /// When it ended.
    pub end: Nanos,
    /// The connection that carried it.
    pub on: Option<ConnectionUse>,
    /// Bytes written for it.
    pub bytes_out: u64,
    /// Bytes read for it.
    pub bytes_in: u64,
    /// The stamp of the backend that answered; `None`: no answer, or the balancer's own.
    pub served_by: Option<Interned<Incarnation>>,
    /// What the target's identity header said; `None`: no answer, or it said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Box<str>>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whose it was; `None`: the load has no users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<u32>,
    /// What became of its session; `None`: no backend said anything about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Box<SessionUse>>,
}

fn is_zero(nanos: &i64) -> bool {
    *nanos == 0
}

/// How a connection was used by one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionUse {
    /// Number of the connection in its cell.
    pub connection: u64,
    /// Which request on it, from 1.
    pub nth: u32,
    /// Nanoseconds that it had been idle before.
    pub idle: i64,
    /// Whether the response announced the connection's end (`Connection: close`).
    pub close_announced: bool,
    /// How the handshake went that this request had to wait for: the first on a connection of TLS has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Handshake>,
}
