//! How many requests a backend works on at a time, and how many may wait.

use std::cell::Cell;

use tokio::sync::{Semaphore, SemaphorePermit};

/// The places of a backend.
pub(crate) struct Places {
    /// `None`: without limit.
    free: Option<Semaphore>,
    queue: u32,
    queued: Cell<u32>,
}

/// A place that a request holds until this is dropped.
pub(crate) struct HeldPlace<'a> {
    _permit: Option<SemaphorePermit<'a>>,
}

/// Every place is taken and the queue is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

impl Places {
    pub(crate) fn new(at_once: Option<u32>, queue: u32) -> Places {
        Places { free: at_once.map(|n| Semaphore::new(n as usize)), queue, queued: Cell::new(0) }
    }

    /// Requests that wait.
    pub(crate) fn queued(&self) -> u32 {
        self.queued.get()
    }

    /// Takes a place, after all earlier requests got theirs.
    pub(crate) async fn take(&self) -> Result<HeldPlace<'_>, QueueFull> {
        let Some(free) = &self.free else {
            return Ok(HeldPlace { _permit: None });
        };
        // The semaphore is fair: a free permit means that no request waits.
        if let Ok(permit) = free.try_acquire() {
            return Ok(HeldPlace { _permit: Some(permit) });
        }
        if self.queued.get() >= self.queue {
            return Err(QueueFull);
        }
        let _waiting = WaitingGuard::enter(&self.queued);
        let permit = free.acquire().await.expect("the semaphore is never closed");
        Ok(HeldPlace { _permit: Some(permit) })
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
