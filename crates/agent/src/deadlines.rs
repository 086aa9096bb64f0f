//! The pending deadlines of a process, soonest first, and when to wake up for them. Pure: it reads no clock
//! and sets no timer.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

use model::units::Nanos;

/// A pending deadline's place in the order; the number tells apart deadlines of the same instant.
pub(crate) type DeadlineKey = (Nanos, u64);

pub(crate) struct Deadlines {
    /// The shortest time from one wake-up to the next.
    quantum: Duration,
    pending: BTreeMap<DeadlineKey, Waker>,
    inserted: u64,
    last_wake: Option<Nanos>,
}

impl Deadlines {
    /// None yet.
    pub(crate) fn new(quantum: Duration) -> Deadlines {
        Deadlines { quantum, pending: BTreeMap::new(), inserted: 0, last_wake: None }
    }

    /// Adds a deadline.
    pub(crate) fn insert(&mut self, due: Nanos, waker: Waker) -> DeadlineKey {
        self.inserted += 1;
        let key = (due, self.inserted);
        self.pending.insert(key, waker);
        key
    }

    /// Whom to wake at the deadline; `None` once it has passed.
    pub(crate) fn waker(&mut self, key: DeadlineKey) -> Option<&mut Waker> {
        self.pending.get_mut(&key)
    }

    /// Forgets a deadline, passed or not.
    pub(crate) fn remove(&mut self, key: DeadlineKey) {
        self.pending.remove(&key);
    }

    /// Takes the next deadline that has passed at `now`, soonest first.
    pub(crate) fn pop_passed(&mut self, now: Nanos) -> Option<Waker> {
        let soonest = self.pending.first_entry()?;
        (soonest.key().0 <= now).then(|| soonest.remove())
    }

    /// Notes that the process woke up for its deadlines.
    pub(crate) fn woke(&mut self, now: Nanos) {
        self.last_wake = Some(now);
    }

    /// When to wake up next; `None`: nothing is pending.
    pub(crate) fn next_wake(&self) -> Option<Nanos> {
        let (&(soonest, _), _) = self.pending.first_key_value()?;
        Some(self.last_wake.map_or(soonest, |last| soonest.max(last + self.quantum)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::Wake;

    use super::*;

    const QUANTUM: Duration = Duration::from_micros(250);

    #[derive(Default)]
    struct Count(AtomicU64);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn deadlines_pass_in_order_and_each_only_once() {
        let counts: Vec<Arc<Count>> = (0..4).map(|_| Arc::new(Count::default())).collect();
        let mut deadlines = Deadlines::new(QUANTUM);
        for (due, count) in [30, 10, 20, 10].into_iter().zip(&counts) {
            deadlines.insert(Nanos(due), count.clone().into());
        }
        while let Some(waker) = deadlines.pop_passed(Nanos(20)) {
            waker.wake();
        }
        let woken: Vec<u64> = counts.iter().map(|c| c.0.load(Ordering::Relaxed)).collect();
        assert_eq!(woken, [0, 1, 1, 1]);
        assert_eq!(deadlines.next_wake(), Some(Nanos(30)));
    }

    #[test]
    fn a_removed_deadline_wakes_nobody() {
        let mut deadlines = Deadlines::new(QUANTUM);
        let key = deadlines.insert(Nanos(10), Waker::noop().clone());
        deadlines.remove(key);
        assert!(deadlines.pop_passed(Nanos(99)).is_none());
        assert_eq!(deadlines.next_wake(), None);
    }

    #[test]
    fn wake_ups_keep_a_quantum_apart_and_a_lone_one_is_exact() {
        let mut deadlines = Deadlines::new(QUANTUM);
        deadlines.insert(Nanos(1_000), Waker::noop().clone());
        assert_eq!(deadlines.next_wake(), Some(Nanos(1_000)), "nothing came before");
        deadlines.woke(Nanos(900));
        assert_eq!(deadlines.next_wake(), Some(Nanos(900) + QUANTUM));
        deadlines.woke(Nanos(-500_000));
        assert_eq!(deadlines.next_wake(), Some(Nanos(1_000)), "the last one is long ago");
    }
}
