//! Which worker takes a request: an idle one, a new one, or the next that becomes free.

use std::collections::VecDeque;
use std::net::IpAddr;

use model::units::Nanos;
use tokio::sync::oneshot;

use crate::schedule::{Arrival, Connect};

/// A request whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Released {
    pub(crate) arrival: Arrival,
    /// When the generator took it up.
    pub(crate) at: Nanos,
    /// Whether every connection was taken then, so that it had to wait for one.
    pub(crate) queued: bool,
}

impl Released {
    /// Nanoseconds that it waited for a connection, if it got one, or gave up, at `then`.
    pub(crate) fn waited_until(&self, then: Nanos) -> i64 {
        if self.queued { then.0 - self.at.0 } else { 0 }
    }
}

/// What happens to a released request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Dispatch {
    /// An idle worker has it.
    Taken,
    /// Start a new worker with it; its place is already counted.
    NewWorker(Released),
    /// Every worker is busy: it waits.
    Queued,
}

/// The workers, each with at most one connection, and the requests that wait for one.
pub(crate) struct WorkerPool {
    limit: u32,
    workers: u32,
    /// The longest idle first, each with the address that its connection comes from. A worker that ended meanwhile has
    /// dropped its receiver.
    idle: VecDeque<(Option<IpAddr>, oneshot::Sender<Released>)>,
    waiting: VecDeque<Released>,
}

impl WorkerPool {
    pub(crate) fn new(limit: u32) -> WorkerPool {
        WorkerPool { limit, workers: 0, idle: VecDeque::new(), waiting: VecDeque::new() }
    }

    /// Finds a worker. A request that wants a fresh connection takes an idle worker's place only if there is
    /// no room for another worker.
    pub(crate) fn place(&mut self, released: Released) -> Dispatch {
        let has_room = self.workers < self.limit;
        let prefers_new = released.arrival.connect == Connect::Fresh && has_room;
        if !prefers_new && self.hand_to_idle(released, |source| source == released.arrival.source) {
            return Dispatch::Taken;
        }
        if has_room {
            self.workers += 1;
            return Dispatch::NewWorker(released);
        }
        // Close a connection from another address to make room for one from the right address.
        if self.hand_to_idle(released, |_| true) {
            return Dispatch::Taken;
        }
        self.waiting.push_back(Released { queued: true, ..released });
        Dispatch::Queued
    }

    fn hand_to_idle(&mut self, released: Released, fits: impl Fn(Option<IpAddr>) -> bool) -> bool {
        while let Some(at) = self.idle.iter().position(|(source, _)| fits(*source)) {
            let worker = self.idle.remove(at);
            if worker.is_some_and(|(_, worker)| worker.send(released).is_ok()) {
                return true;
            }
        }
        false
    }

    /// A worker whose connection comes from `source` has nothing to do: its next request arrives on the receiver.
    pub(crate) fn park(&mut self, source: Option<IpAddr>) -> oneshot::Receiver<Released> {
        let (next, inbox) = oneshot::channel();
        self.idle.push_back((source, next));
        inbox
    }

    /// A worker has ended.
    pub(crate) fn leave(&mut self) {
        self.workers -= 1;
    }

    pub(crate) fn oldest_waiting(&self) -> Option<&Released> {
        self.waiting.front()
    }

    pub(crate) fn pop_waiting(&mut self) -> Option<Released> {
        self.waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::identity::RequestId;

    fn request(id: u64, connect: Connect) -> Released {
        let (id, due) = (RequestId(id), Nanos(0));
        Released {
            arrival: Arrival { id, due, class: 0, connect, user: None, source: None },
            at: Nanos(0),
            queued: false,
        }
    }

    #[test]
    fn the_longest_idle_worker_is_next_and_dead_ones_are_passed_over() {
        let mut pool = WorkerPool::new(4);
        let mut inboxes: Vec<_> = (0..3).map(|_| pool.park(None)).collect();
        drop(inboxes.remove(0));
        assert_eq!(pool.place(request(7, Connect::Reuse)), Dispatch::Taken);
        assert_eq!(inboxes[0].try_recv().unwrap().arrival.id, RequestId(7));
        assert!(inboxes[1].try_recv().is_err());
    }

    #[test]
    fn workers_are_added_up_to_the_limit_then_requests_wait_in_order() {
        let mut pool = WorkerPool::new(2);
        for id in 0..2 {
            let released = request(id, Connect::Reuse);
            assert_eq!(pool.place(released), Dispatch::NewWorker(released));
        }
        for id in 2..4 {
            assert_eq!(pool.place(request(id, Connect::Reuse)), Dispatch::Queued);
        }
        let waited = pool.pop_waiting().unwrap();
        assert_eq!((waited.arrival.id, waited.queued), (RequestId(2), true));
        pool.leave();
        let released = request(4, Connect::Reuse);
        assert_eq!(pool.place(released), Dispatch::NewWorker(released));
    }

    #[test]
    fn a_request_takes_a_connection_from_its_address_and_at_the_limit_another_one_gives_way() {
        let mut pool = WorkerPool::new(2);
        let addresses = [1, 2, 3].map(|n| Some(IpAddr::from([127, 255, n, 1])));
        let from = |id, source| Released {
            arrival: Arrival { source, ..request(id, Connect::Reuse).arrival },
            ..request(id, Connect::Reuse)
        };
        let released = from(0, addresses[0]);
        assert_eq!(pool.place(released), Dispatch::NewWorker(released));
        let mut first = pool.park(addresses[0]);
        let released = from(1, addresses[1]);
        assert_eq!(pool.place(released), Dispatch::NewWorker(released), "there is room");
        let mut second = pool.park(addresses[1]);
        assert_eq!(pool.place(from(2, addresses[1])), Dispatch::Taken);
        assert_eq!(second.try_recv().unwrap().arrival.id, RequestId(2));
        assert_eq!(pool.place(from(3, addresses[2])), Dispatch::Taken);
        assert_eq!(first.try_recv().unwrap().arrival.id, RequestId(3));
    }

    #[test]
    fn a_fresh_request_leaves_idle_connections_alone_while_there_is_room() {
        let mut pool = WorkerPool::new(1);
        let mut inbox = pool.park(None);
        let fresh = request(0, Connect::Fresh);
        assert_eq!(pool.place(fresh), Dispatch::NewWorker(fresh));
        assert!(inbox.try_recv().is_err());
        assert_eq!(pool.place(fresh), Dispatch::Taken, "at the limit an idle connection must give way");
    }
}
