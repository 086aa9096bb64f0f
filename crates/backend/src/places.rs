//! How many requests a backend works on at a time, and how many may wait.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use model::units::Nanos;
use tokio::sync::{Semaphore, SemaphorePermit};

/// A service that ends later than this after its time did so because the process stood still. What is less is how long a
/// process takes to wake up.
pub const STOOD: Duration = Duration::from_millis(5);

/// The places of a backend.
pub(crate) struct Places {
    /// `None`: without limit.
    limited: Option<Limited>,
    queue: u32,
    queued: Cell<u32>,
}

struct Limited {
    free: Semaphore,
    /// Since when each free place is free, the soonest first: one for each permit of the semaphore.
    since: RefCell<BinaryHeap<Reverse<Nanos>>>,
}

/// A place that a request holds until this is dropped.
pub(crate) struct HeldPlace<'a> {
    of: Option<(&'a Limited, SemaphorePermit<'a>)>,
    /// Since when it was free.
    pub(crate) since: Nanos,
    /// When the service in it was to end; `None`: when it is given back.
    ends: Cell<Option<Nanos>>,
}

impl HeldPlace<'_> {
    /// Its service is to end at `due`. The next in the queue begins then, and not when this process has woken up: else a
    /// queue would lose that time again and again.
    pub(crate) fn ends(&self, due: Nanos) {
        self.ends.set(Some(due));
    }
}

impl Drop for HeldPlace<'_> {
    fn drop(&mut self) {
        let Some((limited, _)) = &self.of else { return };
        let now = agent::clock::now();
        let on_time = |due: &Nanos| now.0 - due.0 < STOOD.as_nanos() as i64;
        let since = self.ends.get().filter(on_time).map_or(now, |due| due.min(now));
        // The permit is given back after this.
        limited.since.borrow_mut().push(Reverse(since));
    }
}

/// Every place is taken and the queue is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

impl Places {
    pub(crate) fn new(at_once: Option<u32>, queue: u32) -> Places {
        let limited = at_once.map(|n| Limited {
            free: Semaphore::new(n as usize),
            since: RefCell::new((0..n).map(|_| Reverse(Nanos(i64::MIN))).collect()),
        });
        Places { limited, queue, queued: Cell::new(0) }
    }

    /// Requests that wait.
    pub(crate) fn queued(&self) -> u32 {
        self.queued.get()
    }

    /// Takes a place, after all earlier requests got theirs.
    pub(crate) async fn take(&self) -> Result<HeldPlace<'_>, QueueFull> {
        let Some(limited) = &self.limited else {
            return Ok(HeldPlace { of: None, since: Nanos(i64::MIN), ends: Cell::default() });
        };
        // The semaphore is fair: a free permit means that no request waits.
        if let Ok(permit) = limited.free.try_acquire() {
            return Ok(limited.held(permit));
        }
        if self.queued.get() >= self.queue {
            return Err(QueueFull);
        }
        let _waiting = WaitingGuard::enter(&self.queued);
        let permit = limited.free.acquire().await.expect("the semaphore is never closed");
        Ok(limited.held(permit))
    }
}

impl Limited {
    fn held<'a>(&'a self, permit: SemaphorePermit<'a>) -> HeldPlace<'a> {
        let Reverse(since) = self.since.borrow_mut().pop().expect("a permit has its place");
        HeldPlace { of: Some((self, permit)), since, ends: Cell::default() }
    }
}

/// Counts a waiting request, also if its client gives up.
struct WaitingGuard<'a>(&'a Cell<u32>);

impl<'a> WaitingGuard<'a> {
    fn enter(queued: &'a Cell<u32>) -> WaitingGuard<'a> {
        queued.set(queued.get() + 1);
        WaitingGuard(queued)
    }
}

impl Drop for WaitingGuard<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_queue_is_served_in_order_and_overflows_at_its_limit() {
        let places = Places::new(Some(1), 2);
        let Poll::Ready(Ok(held)) = poll(pin!(places.take())) else {
            panic!("the first place is free");
        };
        let (mut first, mut second) = (pin!(places.take()), pin!(places.take()));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        assert_eq!(places.queued(), 2);
        assert!(matches!(poll(pin!(places.take())), Poll::Ready(Err(QueueFull))));

        drop(held);
        assert!(poll(second.as_mut()).is_pending(), "it isn't its turn");
        let Poll::Ready(Ok(next)) = poll(first.as_mut()) else {
            panic!("the first in the queue is next");
        };
        assert_eq!(places.queued(), 1);
        drop(next);
        assert!(matches!(poll(second.as_mut()), Poll::Ready(Ok(_))));
    }

    #[test]
    fn the_next_begins_when_the_service_before_it_was_to_end_unless_the_process_stood_still() {
        let places = Places::new(Some(1), 1);
        let take = || match poll(pin!(places.take())) {
            Poll::Ready(Ok(held)) => held,
            _ => panic!("the place is free"),
        };
        let held = take();
        assert_eq!(held.since, Nanos(i64::MIN), "it was always free");
        let due = agent::clock::now();
        held.ends(due);
        drop(held);
        let held = take();
        let (now, stood) = (agent::clock::now(), STOOD.as_nanos() as i64);
        // A busy machine may have let this test stand still as well.
        assert!(held.since == due || now.0 - due.0 >= stood);
        held.ends(Nanos(due.0 - stood));
        drop(held);
        assert!(take().since >= now, "not before it was given back");
        let held = take();
        held.ends(Nanos(i64::MAX));
        drop(held);
        assert!(take().since <= agent::clock::now(), "one that ended early is free from then on");
    }

    #[test]
    fn who_gives_up_waiting_leaves_the_queue() {
        let places = Places::new(Some(1), 1);
        let Poll::Ready(Ok(_held)) = poll(pin!(places.take())) else {
            panic!("the first place is free");
        };
        {
            let mut waiting = pin!(places.take());
            assert!(poll(waiting.as_mut()).is_pending());
        }
        assert_eq!(places.queued(), 0);
        assert!(poll(pin!(places.take())).is_pending(), "its place in the queue is free again");
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        let places = Places::new(None, 0);
        let mut held = Vec::new();
        for _ in 0..1_000 {
            let Poll::Ready(Ok(place)) = poll(pin!(places.take())) else {
                panic!("a place without limit");
            };
            held.push(place);
        }
        assert_eq!(places.queued(), 0);
    }
}
