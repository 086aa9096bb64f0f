//! Waiting for what must come, and no longer than it may take.

use std::time::{Duration, Instant};

/// Nothing in these tests takes longer; what does has hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `look` finds something, and returns it.
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// Waits until `look` finds something, at most for `patience`, and returns it.
pub fn within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < patience, "waited {} s for {what}", patience.as_secs());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
