//! What a balancer goes on doing when a backend has got the signal that ends it.

use model::history::{Event, Happening};
use model::identity::Incarnation;
use model::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::analysis::evidence::under_load;
use crate::analysis::joined::{Joined, Traces};

/// What a balancer sent to a backend after the signal that ended it, until its successor was launched at that address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AfterSignal {
    /// From the signal until the balancer had confirmed that the backend leaves, in milliseconds: negative if it had
    /// confirmed it before; `None`: it was never told.
    pub told_ms: Option<f64>,
    /// Requests that it sent there.
    pub sent: u64,
    /// Of these, those that it sent when the process was gone.
    pub sent_after_exit: u64,
    /// From the signal to the last of them, in milliseconds; `None`: there was none.
    pub last_ms: Option<f64>,
    /// Whether the process had to be killed at the end of its grace.
    pub killed: bool,
}

impl AfterSignal {
    /// That of `old`; `None`: it got no signal.
    pub(crate) fn of(history: &[Event], old: &Incarnation, joined: &Joined<'_>) -> Option<AfterSignal> {
        let (mut signal, mut told, mut exit, mut successor, mut killed) = (None, None, None, None, false);
        for event in under_load(history) {
            match &event.what {
                Happening::Terminated { incarnation, .. } if incarnation == old => signal = Some(event.at),
                Happening::Deregistered { incarnation, .. } if incarnation == old => told = Some(event.at),
                Happening::Exited { component, .. } if component.is(old) => exit = Some(event.at),
                Happening::GraceExpired { component, .. } if component.is(old) => killed = true,
                Happening::Launched { component, .. } if signal.is_some() && successor.is_none() => {
                    let is_there = component.life().is_some_and(|it| it.backend == old.backend);
                    successor = is_there.then_some(event.at);
                }
                _ => {}
            }
        }
        let signal = signal?;
        let sent = sent_to(old, signal, successor, joined);
        Some(AfterSignal {
            told_ms: told.map(|at| at.millis_from(signal)),
            sent: sent.len() as u64,
            sent_after_exit: exit.map_or(0, |exit| sent.iter().filter(|at| **at > exit).count() as u64),
            last_ms: sent.iter().max().map(|at| at.millis_from(signal)),
            killed,
        })
    }
}

/// When the balancer sent the last request to `old`, or to its address, after `from` and before a successor was launched there;
/// `None`: it sent none.
pub(crate) fn last_sent(
    history: &[Event],
    old: &Incarnation,
    from: Nanos,
    joined: &Joined<'_>,
) -> Option<Nanos> {
    let is_successor = |event: &&Event| match &event.what {
        Happening::Launched { component, .. } if event.at > from => {
            component.life().is_some_and(|it| it.backend == old.backend)
        }
        _ => false,
    };
    let successor = under_load(history).iter().find(is_successor).map(|event| event.at);
    sent_to(old, from, successor, joined).into_iter().max()
}

/// When the requests were sent that the balancer sent to `old`, or to its address, between the two: received by it, or tried
/// there in vain. Those that another life at that address received are its own.
fn sent_to(old: &Incarnation, from: Nanos, until: Option<Nanos>, joined: &Joined<'_>) -> Vec<Nanos> {
    let within = |at: &Nanos| *at > from && until.is_none_or(|until| *at < until);
    let by_it = |traces: Traces<'_>| traces.executions.iter().find(|e| e.by == *old).map(|e| e.received);
    let in_vain = |traces: Traces<'_>| {
        let mut tried = traces.logged.iter().flat_map(|line| &line.attempts);
        let tried = tried.any(|attempt| attempt.backend.as_deref() == Some(old.backend.as_str()));
        let served = traces.executions.iter().any(|e| e.by.backend == old.backend);
        let sent = traces.requests.iter().find_map(|request| request.sent);
        sent.filter(|_| tried && !served)
    };
    joined.values().filter_map(|traces| by_it(traces).or_else(|| in_vain(traces))).filter(within).collect()
}
