//! Whether this process runs when it should. It wakes up at regular intervals, and notes when it could not: it was stopped,
//! or the machine had no processor for it. Nothing else would show that: requests that arrive meanwhile wait in the kernel,
//! and are received late.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use agent::clock;
use agent::timer::Timer;

use crate::ledger::Ledger;
use crate::places::STOOD;

/// The time between two wake-ups: long enough to cost almost nothing.
const BEAT: Duration = Duration::from_millis(25);

/// Watches until it is dropped.
pub(crate) async fn watch(timer: Timer, ledger: Rc<Ledger>) -> Infallible {
    loop {
        let due = clock::now() + BEAT;
        timer.sleep_until(due).await;
        let now = clock::now();
        if now.since(due) >= STOOD {
            ledger.stood(due, now);
        }
    }
}
