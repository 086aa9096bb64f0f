//! How fast a request's body is sent where a class asks for a slow upload.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use agent::clock;
use agent::timer::{Sleep, Timer};
use model::units::Nanos;

/// The time from one piece of a body to the next: short beside any upload, long beside a wake-up.
const STEP: Duration = Duration::from_millis(10);

/// Sends a body evenly over a span of time.
pub(crate) struct Pace {
    timer: Timer,
    over: Duration,
    begun: Option<Nanos>,
    /// Until the next piece is due.
    next: Option<(Nanos, Sleep)>,
}

impl Pace {
    /// A pace that sends a whole body `over` this time.
    pub(crate) fn new(timer: Timer, over: Duration) -> Pace {
        Pace { timer, over, begun: None, next: None }
    }

    /// How much of a body of `length` bytes may have been sent by now. If that isn't all, the task is woken when
    /// it becomes more. The time begins with the first call.
    pub(crate) fn allowed(&mut self, cx: &mut Context<'_>, length: usize) -> usize {
        loop {
            let now = clock::now();
            let begun = *self.begun.get_or_insert(now);
            let elapsed = now.since(begun);
            if elapsed >= self.over {
                return length;
            }
            let steps = (elapsed.as_nanos() / STEP.as_nanos()) as u32;
            let due = begun + (STEP * (steps + 1)).min(self.over);
            let (_, sleep) = match self.next.take() {
                Some(next) if next.0 == due => self.next.insert(next),
                _ => self.next.insert((due, self.timer.sleep_until(due))),
            };
            if Pin::new(sleep).poll(cx).is_pending() {
                return (length as f64 * (STEP * steps).div_duration_f64(self.over)) as usize;
            }
        }
    }
}
