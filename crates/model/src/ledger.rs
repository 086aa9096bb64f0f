//! What backends say that they received and finished.

use serde::{Deserialize, Serialize};

use crate::identity::{Incarnation, RequestId};
use crate::interned::Interned;
use crate::units::Nanos;

/// One line of an incarnation's ledger file, each written by one `write(2)` to a descriptor opened with
/// O_APPEND, so that a SIGKILL loses nothing that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerLine {
    /// The head of a request has been read.
    Received {
        /// Its place among this incarnation's receipts, from 0: tells apart two receipts of one id.
        n: u64,
        /// The request.
        id: RequestId,
        /// When.
        at: Nanos,
    },
    /// The response is complete but for its last byte, which is written after this line.
    Finished {
        /// The receipt that it belongs to.
        n: u64,
        /// When.
        at: Nanos,
        /// Nanoseconds by which its time of service, once begun, took longer than was drawn; `None`: none was drawn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        late: Option<i64>,
    },
    /// This incarnation did not run although it had something to do: it was stopped, or got no processor.
    Stood {
        /// From when on it should have run.
        from: Nanos,
        /// When it ran again.
        to: Nanos,
    },
}

/// One execution of a request by one backend: one line of a cell's `ledger.ndjson`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// The request.
    pub id: RequestId,
    /// Who executed it.
    pub by: Interned<Incarnation>,
    /// When it was received.
    pub received: Nanos,
    /// When it was finished; `None`: it never was.
    pub finished: Option<Nanos>,
    /// Nanoseconds by which its time of service took longer than was drawn: the machine's doing, since a toy backend has
    /// nothing else to do. `None`: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<i64>,
}

impl Execution {
    /// Whether it was being worked on at `at`.
    pub fn in_flight_at(&self, at: Nanos) -> bool {
        self.received <= at && self.finished.is_none_or(|finished| finished > at)
    }
}
