//! Which worker takes a request: an idle one, a new one, or the next that becomes free.

use std::collections::VecDeque;

use model::units::Nanos;
use tokio::sync::oneshot;

use crate::schedule::{Arrival, Connect};

/// A request whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Released {
    pub(crate) arrival: Arrival,
    /// When the generator took it up.
    pub(crate) at: Nanos,
}

/// What becomes of a released request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// An idle worker has it.
    Taken,
    /// A new worker is to be started with it; its place is already counted.
    NewWorker(Released),
    /// Every worker is busy: it waits.
    Queued,
}

/// The workers, each with at most one connection, and the requests that wait for one.
pub(crate) struct Pool {
    limit: u32,
    workers: u32,
    /// The longest idle first. A worker that ended meanwhile has dropped its receiver.
    idle: VecDeque<oneshot::Sender<Released>>,
    waiting: VecDeque<Released>,
}

impl Pool {
    pub(crate) fn new(limit: u32) -> Pool {
        Pool { limit, workers: 0, idle: VecDeque::new(), waiting: VecDeque::new() }
    }

    /// Finds a worker. A request that wants a fresh connection takes an idle worker's place only if there is
    /// no room for another worker.
    pub(crate) fn place(&mut self, released: Released) -> Placement {
        let has_room = self.workers < self.limit;
        let prefers_new = released.arrival.connect == Connect::Fresh && has_room;
        if !prefers_new && self.hand_to_idle(released) {
            return Placement::Taken;
        }
        if has_room {
            self.workers += 1;
            return Placement::NewWorker(released);
        }
        self.waiting.push_back(released);
        Placement::Queued
    }

    fn hand_to_idle(&mut self, released: Released) -> bool {
        while let Some(worker) = self.idle.pop_front() {
            if worker.send(released).is_ok() {
                return true;
            }
        }
        false
    }

    /// A worker has nothing to do: its next request arrives on the receiver.
    pub(crate) fn park(&mut self) -> oneshot::Receiver<Released> {
        let (next, inbox) = oneshot::channel();
        self.idle.push_back(next);
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
        Released { arrival: Arrival { id: RequestId(id), due: Nanos(0), class: 0, connect }, at: Nanos(0) }
    }

    #[test]
    fn the_longest_idle_worker_is_next_and_dead_ones_are_passed_over() {
        let mut pool = Pool::new(4);
        let mut inboxes: Vec<_> = (0..3).map(|_| pool.park()).collect();
        drop(inboxes.remove(0));
        assert_eq!(pool.place(request(7, Connect::Reuse)), Placement::Taken);
        assert_eq!(inboxes[0].try_recv().unwrap().arrival.id, RequestId(7));
        assert!(inboxes[1].try_recv().is_err());
    }

    #[test]
    fn workers_are_added_up_to_the_limit_then_requests_wait_in_order() {
        let mut pool = Pool::new(2);
        for id in 0..2 {
            let released = request(id, Connect::Reuse);
            assert_eq!(pool.place(released), Placement::NewWorker(released));
        }
        for id in 2..4 {
            assert_eq!(pool.place(request(id, Connect::Reuse)), Placement::Queued);
        }
        assert_eq!(pool.pop_waiting().unwrap().arrival.id, RequestId(2));
        pool.leave();
        let released = request(4, Connect::Reuse);
        assert_eq!(pool.place(released), Placement::NewWorker(released));
    }

    #[test]
    fn a_fresh_request_leaves_idle_connections_alone_while_there_is_room() {
        let mut pool = Pool::new(1);
        let mut inbox = pool.park();
        let fresh = request(0, Connect::Fresh);
        assert_eq!(pool.place(fresh), Placement::NewWorker(fresh));
        assert!(inbox.try_recv().is_err());
        assert_eq!(pool.place(fresh), Placement::Taken, "at the limit an idle connection must give way");
    }
}
