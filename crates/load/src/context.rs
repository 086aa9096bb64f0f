//! What the dispatcher and its workers share during a run.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use agent::timer::Timer;
use model::generators::LoadPart;
use model::outcome::{NotSent, Outcome};
use model::request::Request;
use model::traffic::RequestClass;
use model::units::Nanos;
use tokio::sync::Notify;

use crate::pool::{Released, WorkerPool};
use crate::recorder::RequestRecorder;
use crate::request::Template;
use crate::users::Holdings;
use crate::wire::WireTls;

/// Bytes that are read at once.
const READ_BUFFER: usize = 64 * 1024;

/// One run of the generator.
pub(crate) struct Context {
    /// Connections take one after the other.
    pub(crate) targets: Vec<SocketAddr>,
    /// `None`: plain HTTP.
    pub(crate) tls: Option<WireTls>,
    /// The header that says who answered, where it is not rig's own.
    pub(crate) identity_header: Option<Rc<str>>,
    /// Which part of the load this is.
    pub(crate) part: LoadPart,
    pub(crate) timeout: Duration,
    pub(crate) classes: Vec<RequestClass>,
    pub(crate) templates: Vec<Template>,
    /// Requests to end; fewer than were scheduled at first, if the load is shortened.
    pub(crate) scheduled: Cell<u64>,
    pub(crate) timer: Timer,
    pub(crate) pool: RefCell<WorkerPool>,
    pub(crate) holdings: RefCell<Holdings>,
    pub(crate) recorder: RefCell<RequestRecorder>,
    pub(crate) read_buffer: RefCell<Box<[u8]>>,
    pub(crate) tally: Tally,
    /// Told when as many requests have ended as were scheduled.
    pub(crate) all_ended: Notify,
}

/// Counts of connections.
#[derive(Default)]
pub(crate) struct Tally {
    /// Connections that were begun.
    pub(crate) attempts: Cell<u64>,
    pub(crate) opened: Cell<u64>,
    pub(crate) unannounced_closes: Cell<u64>,
    pub(crate) announced_closes: Cell<u64>,
    pub(crate) surplus: Cell<u64>,
}

/// Adds one and returns the count before.
pub(crate) fn count(cell: &Cell<u64>) -> u64 {
    cell.replace(cell.get() + 1)
}

pub(crate) fn read_buffer() -> RefCell<Box<[u8]>> {
    RefCell::new(vec![0; READ_BUFFER].into_boxed_slice())
}

impl Context {
    /// Writes the one record of a request.
    pub(crate) fn record(&self, request: &Request) {
        let mut recorder = self.recorder.borrow_mut();
        recorder.record(request);
        if recorder.progress().ended == self.scheduled.get() {
            self.all_ended.notify_one();
        }
    }

    /// Where the next connection goes. Several generators don't all begin with the same.
    pub(crate) fn target(&self) -> SocketAddr {
        let attempt = count(&self.tally.attempts) + u64::from(self.part.index);
        self.targets[attempt as usize % self.targets.len()]
    }

    /// The number of a connection that was just opened, which no other in its cell has.
    pub(crate) fn connection_number(&self) -> u64 {
        count(&self.tally.opened) * u64::from(self.part.of) + u64::from(self.part.index)
    }

    /// When `released` is out of time.
    pub(crate) fn deadline(&self, released: &Released) -> Nanos {
        released.arrival.due + self.timeout
    }

    /// Records a request that was never begun.
    pub(crate) fn record_unsent(&self, released: &Released, end: Nanos, why: NotSent) {
        let class = &self.classes[released.arrival.class];
        self.record(&Request {
            id: released.arrival.id,
            class: class.name.as_str().into(),
            method: class.method,
            due: released.arrival.due,
            released: released.at,
            sent: None,
            waited: released.waited_until(end),
            first_byte: None,
            end,
            on: None,
            bytes_out: 0,
            bytes_in: 0,
            served_by: None,
            identity: None,
            outcome: Outcome::NotSent(why),
            user: released.arrival.user,
            session: None,
        });
    }

    /// The next request of the queue. Those whose time ran out in it are recorded and skipped.
    pub(crate) fn next_waiting(&self, now: Nanos) -> Option<Released> {
        loop {
            let released = self.pool.borrow_mut().pop_waiting()?;
            if self.deadline(&released) > now {
                return Some(released);
            }
            self.record_unsent(&released, now, NotSent::Backlog);
        }
    }

    /// Records the requests of the queue whose time has run out.
    pub(crate) fn expire_waiting(&self, now: Nanos) {
        loop {
            let mut pool = self.pool.borrow_mut();
            if pool.oldest_waiting().is_none_or(|oldest| self.deadline(oldest) > now) {
                return;
            }
            let expired = pool.pop_waiting();
            drop(pool);
            if let Some(expired) = expired {
                self.record_unsent(&expired, now, NotSent::Backlog);
            }
        }
    }
}
