//! The steps that a balancer's control procedure is made of. One interpreter performs them.

use std::time::Duration;

use super::Signal;

/// What changes a rotation, and what tells that the backend is drained after it.
#[derive(Clone, Debug)]
pub struct Change {
    /// Performed in order; the change is confirmed when the last has succeeded.
    pub steps: Vec<Step>,
    /// What confirmed it, in words.
    pub proof: &'static str,
    /// What tells that the backend has nothing in flight any more.
    pub drained: DrainSignal,
}

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// Writes a file by temporary file and rename.
    Write {
        /// Relative to the balancer's directory.
        path: String,
        /// Its content.
        text: String,
    },
    /// Removes a file; one that isn't there is removed already.
    Remove {
        /// Relative to the balancer's directory.
        path: String,
    },
    /// Sends a signal to the balancer.
    Signal(Signal),
    /// Sends a line to its control interface; a reply that isn't empty is a refusal.
    Send(String),
    /// Waits until something is seen.
    Await {
        /// What.
        sighting: Sighting,
        /// How long at most.
        within: Duration,
    },
}

/// Something to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// The balancer's view says that it would give the backend new requests.
    Up(String),
    /// The balancer's view says that it would not.
    NotUp(String),
    /// Its log has grown.
    Log(LogGrowth),
}

/// Lines that a balancer has logged since the first step of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGrowth {
    /// Relative to the balancer's directory.
    pub file: &'static str,
    /// What the lines contain.
    pub text: &'static str,
    /// How many at least.
    pub lines: usize,
}

/// What tells that a deregistered backend has nothing in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DrainSignal {
    /// The balancer's own view: two zero readings 100 ms apart, and no request received between.
    View,
    /// The backend's own count, zero without a new request for this long: the balancer has no view.
    Backend {
        /// How long.
        steady: Duration,
    },
    /// The balancer's log: the workers of the old configuration are gone.
    Log(LogGrowth),
}
