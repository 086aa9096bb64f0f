//! The steps that a balancer's control procedure is made of. One interpreter performs them.

use std::time::Duration;

use super::{Ask, Signal};

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

/// What changes the shares of a route.
#[derive(Clone, Debug)]
pub struct SplitSteps {
    /// Performed in order; the shares are in force when the last has succeeded.
    pub steps: Vec<Step>,
    /// What confirmed it, in words.
    pub proof: &'static str,
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
    /// Writes the answer to a question into a file.
    Save {
        /// The question.
        ask: Ask,
        /// Relative to the balancer's directory.
        path: String,
    },
    /// Removes a file; one that isn't there is removed already.
    Remove {
        /// Relative to the balancer's directory.
        path: String,
    },
    /// Lets the balancer read its configuration again; the history tells when.
    Reload(Trigger),
    /// Starts a second process of the balancer with these arguments, in whose place the first then ends; the history tells
    /// when.
    Succeed {
        /// Its arguments.
        arguments: Vec<String>,
    },
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

/// What makes a balancer read its configuration again.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// A signal.
    Signal(Signal),
    /// A file that it watches, written by temporary file and rename.
    Write {
        /// Relative to the balancer's directory.
        path: String,
        /// Its content.
        text: String,
    },
}

/// Something to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// The balancer's view says that it would give the backend new requests.
    Up(String),
    /// The balancer's view says that it would not.
    NotUp(String),
    /// The answer to a question contains a text.
    Says {
        /// The question.
        ask: Ask,
        /// The text.
        text: String,
    },
    /// A line of its log that contains this and was written since the steps began.
    Logged {
        /// Relative to the balancer's directory.
        log: &'static str,
        /// What the line contains.
        text: &'static str,
    },
    /// A line of an answer of its control interface.
    Answer {
        /// The question.
        ask: Ask,
        /// The line, whole.
        line: String,
    },
    /// Its log says so of every worker that had begun before the change.
    OldWorkers(OldWorkers),
    /// A request through its listener is answered with a status.
    Serves {
        /// The request's path.
        path: String,
        /// The status.
        status: u16,
    },
}

/// What a log says about the workers that had begun before a change: as many lines of the one kind in all as
/// there were of the other when the change began. Counted from the log's beginning, so that workers of earlier
/// changes, which may linger, are not taken for those of this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldWorkers {
    /// Relative to the balancer's directory.
    pub log: &'static str,
    /// What the line about a worker's beginning contains.
    pub began: &'static str,
    /// What the line that is waited for contains.
    pub then: &'static str,
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
    OldWorkers(OldWorkers),
}
