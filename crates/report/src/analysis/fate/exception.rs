//! What explains a request that the books can't balance by themselves, each proved for that very request.

use model::access_log::{LogGap, Logged};
use model::ledger::Execution;
use serde::{Deserialize, Serialize};

use crate::analysis::evidence::Evidence;

/// A named, counted exception from the books. It explains a request; it changes no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exception {
    /// Refused, or no byte came back; neither a backend nor the log knows of it.
    NeverReachedBalancer,
    /// The balancer closed a connection when a backend had died or was cut off, as its adapter declares: without
    /// a log line, or with one about a status that it did not send.
    SilentClose,
    /// The log names a backend that was dead, frozen or cut off then and never read the request.
    UnreadAtDeath,
    /// A backend died with it.
    KilledInService,
    /// Finished by a backend, and a kill, a cut network, a reload, a timeout or the balancer's own death kept it from the
    /// client.
    FinishedUndelivered,
    /// The log says success; the client saw a failure.
    LoggedOkLost,
    /// The client gave up first: its timeout, or the log says so.
    ClientAbort,
    /// The balancer gave up on a backend: its own timeout, another attempt, a backend that was cut off, a reload that left
    /// the old configuration no time, or the balancer's own death.
    BalancerAbort,
    /// A backend that had been told to broke its response off.
    BrokenOff,
    /// A line or a receipt without an id: health, readiness, curl.
    NoId,
    /// The log isn't whole, or lacks as many lines as the balancer says that it could not write, so that it can't be held against
    /// this request.
    LogLost,
    /// The log says that no connection to the backend that it names was established, so that it received nothing.
    NeverConnected,
    /// The balancer sent it once more to the backend that the log names, after a connection on which it got no response, as its
    /// adapter declares: the log tells of one attempt.
    SentAgain,
}

/// Whether a balancer that is known to do so sent it again without logging that: always to the backend that the log names, if it
/// tells of one attempt, and not before the attempt before it had broken off.
pub(super) fn sent_again(executions: &[&Execution], logged: &[&Logged], evidence: &Evidence) -> bool {
    let named =
        logged.iter().flat_map(|line| &line.attempts).filter_map(|it| it.backend.as_deref()).next_back();
    let several = logged.iter().any(|line| line.attempts.len() > 1);
    let last = executions.iter().map(|it| it.received).max();
    let broke_off = |it: &&&Execution| it.finished.is_none() || Some(it.received) == last;
    evidence.gaps.contains(&LogGap::Resend)
        && (several || executions.iter().all(|it| Some(it.by.backend.as_str()) == named))
        && executions.iter().filter(|it| !broke_off(it)).count() == 0
}
