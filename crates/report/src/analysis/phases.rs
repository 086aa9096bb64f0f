//! Which phase of a deploy a backend was in at any time, and when each replacement began and ended.

use std::collections::BTreeMap;
use std::fmt;

use model::component::Component;
use model::history::{Event, Happening, Scaling};
use model::identity::Incarnation;
use model::target::CommandName;
use model::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::analysis::evidence::{UNNOTICED, under_load};

/// What a deploy, or a fault, is doing to a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing has happened to it yet.
    #[default]
    Baseline,
    /// The balancer is being told that it leaves.
    Deregister,
    /// The balancer has confirmed that; requests in flight may end.
    Drain,
    /// It is being ended, until its successor is launched.
    Terminate,
    /// Its successor starts.
    Replace,
    /// The successor is ready; the balancer is being told.
    Register,
    /// The successor is taking its share of the traffic.
    Confirm,
    /// The replacement is complete.
    Settled,
    /// A fault was made and not healed yet.
    Fault,
    /// Nothing was done to it, and the balancer has just been reloaded.
    Reload,
    /// It died by itself.
    Died,
    /// The command that deploys a target runs.
    Deploy,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Phase::Baseline => "baseline",
            Phase::Deregister => "deregister",
            Phase::Drain => "drain",
            Phase::Terminate => "terminate",
            Phase::Replace => "replace",
            Phase::Register => "register",
            Phase::Confirm => "confirm",
            Phase::Settled => "settled",
            Phase::Fault => "fault",
            Phase::Reload => "reload",
            Phase::Died => "death",
            Phase::Deploy => "deploy",
        })
    }
}

/// One replacement of a backend, one removal, or one addition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The old incarnation; `None`: a backend is added.
    pub old: Option<Incarnation>,
    /// The new incarnation; `None`: a backend is removed.
    pub new: Option<Incarnation>,
    /// Its first event.
    pub first: Nanos,
    /// Its last event; `None`: it never ended.
    pub last: Option<Nanos>,
}

impl Replacement {
    /// `the replacement of web-1/1`.
    pub fn name(&self) -> String {
        named(self.old.as_ref(), self.new.as_ref())
    }
}

/// What a change from `old` to `new` is called.
pub fn named(old: Option<&Incarnation>, new: Option<&Incarnation>) -> String {
    match (old, new) {
        (Some(old), Some(_)) => format!("the replacement of {old}"),
        (Some(old), None) => format!("the removal of {old}"),
        (None, Some(new)) => format!("the addition of {new}"),
        (None, None) => "the change".to_owned(),
    }
}

/// The phases of a cell.
#[derive(Clone, Debug, Default)]
pub struct Phases {
    changes: BTreeMap<String, Vec<(Nanos, Phase)>>,
    /// Every change of any backend, for requests that belong to none.
    overall: Vec<(Nanos, Phase)>,
    /// Replacements, in order.
    pub replacements: Vec<Replacement>,
}

impl Phases {
    /// Reads the phases from a history.
    pub fn read(history: &[Event]) -> Phases {
        let mut phases = Phases::default();
        // The step before a termination: what the signal does may be seen before its event's time, which is
        // that of the signal's return.
        let mut previous = None;
        for event in under_load(history) {
            if phases.take(event, previous) {
                previous = Some(event.at);
            }
        }
        phases
    }

    /// Takes in one event; returns whether it is a step of a deploy or a fault.
    fn take(&mut self, event: &Event, previous: Option<Nanos>) -> bool {
        let at = event.at;
        match &event.what {
            Happening::Replacing { old, new } => self.begin(Some(old), Some(new), at),
            Happening::Scaling(Scaling::Removing { incarnation, .. }) => {
                self.begin(Some(incarnation), None, at)
            }
            Happening::Scaling(Scaling::Adding { incarnation, .. }) => {
                self.begin(None, Some(incarnation), at)
            }
            // Its own phase stays: nothing serves at its address.
            Happening::Scaling(Scaling::Removed { incarnation }) => {
                self.end(|r| r.old.as_ref() == Some(incarnation), at);
                self.overall.push((at, Phase::Settled));
            }
            Happening::Scaling(Scaling::Added { incarnation }) => {
                self.end(|r| r.new.as_ref() == Some(incarnation), at);
                self.change(incarnation, at, Phase::Settled);
            }
            Happening::Scaling(Scaling::NotAdded { .. }) => self.overall.push((at, Phase::Settled)),
            // An orchestrator's word to the balancer may come after the signal.
            Happening::Deregistering { incarnation } | Happening::Deregistered { incarnation, .. }
                if self.at(&incarnation.backend, at) == Phase::Terminate => {}
            Happening::Deregistering { incarnation } => self.change(incarnation, at, Phase::Deregister),
            Happening::Deregistered { incarnation, .. } => self.change(incarnation, at, Phase::Drain),
            Happening::Drained { incarnation, .. }
            | Happening::DrainExpired { incarnation, .. }
            | Happening::Stopping { incarnation } => {
                self.change(incarnation, at, Phase::Terminate);
            }
            Happening::Terminated { incarnation, .. } if self.replacing(incarnation) => {
                let begin = previous.unwrap_or(at);
                if self.at(&incarnation.backend, at) != Phase::Terminate {
                    self.change(incarnation, begin, Phase::Terminate);
                }
            }
            Happening::Launched { component, .. } => return self.component(component, at, Phase::Replace),
            Happening::Ready { component, .. } => return self.component(component, at, Phase::Register),
            Happening::Registering { incarnation } => self.change(incarnation, at, Phase::Register),
            Happening::Registered { incarnation, .. } => self.change(incarnation, at, Phase::Confirm),
            Happening::Confirmed { incarnation, .. }
            | Happening::Reached { incarnation, .. }
            | Happening::Unconfirmed { incarnation, .. } => {
                self.change(incarnation, at, Phase::Settled);
            }
            Happening::CommandStarted { command: CommandName::Roll, .. } => {
                self.overall.push((at, Phase::Deploy));
            }
            Happening::CommandEnded { command: CommandName::Roll, .. } => {
                self.overall.push((at, Phase::Settled));
            }
            Happening::Replaced { old, new } => {
                self.end(|r| r.old.as_ref() == Some(old), at);
                for incarnation in [old, new] {
                    self.change(incarnation, at, Phase::Settled);
                }
            }
            Happening::Faulted { incarnation, .. } | Happening::Degraded { incarnation, .. } => {
                self.change(incarnation, at, Phase::Fault);
            }
            Happening::Healed { incarnation } => self.change(incarnation, at, Phase::Settled),
            Happening::Exited { component, expected: false, .. } => {
                let Some(incarnation) = component.life() else { return false };
                self.change(incarnation, at - UNNOTICED, Phase::Died);
            }
            Happening::DrainCut { .. } => {}
            _ => return false,
        }
        true
    }

    /// Processes that start before any deploy, or are no backends, change no phase.
    fn component(&mut self, component: &Component, at: Nanos, phase: Phase) -> bool {
        let Some(incarnation) = component.life() else {
            return false;
        };
        let comes = self.replacements.iter().any(|r| r.new.as_ref() == Some(incarnation));
        if comes {
            self.change(incarnation, at, phase);
        }
        comes
    }

    fn replacing(&self, incarnation: &Incarnation) -> bool {
        self.replacements.iter().any(|r| r.old.as_ref() == Some(incarnation))
    }

    fn begin(&mut self, old: Option<&Incarnation>, new: Option<&Incarnation>, at: Nanos) {
        let (old, new) = (old.cloned(), new.cloned());
        self.replacements.push(Replacement { old, new, first: at, last: None });
    }

    fn end(&mut self, is_it: impl Fn(&Replacement) -> bool, at: Nanos) {
        if let Some(replacement) = self.replacements.iter_mut().rev().find(|r| is_it(r)) {
            replacement.last = Some(at);
        }
    }

    fn change(&mut self, incarnation: &Incarnation, at: Nanos, phase: Phase) {
        let changes = self.changes.entry(incarnation.backend.clone()).or_default();
        if changes.last().is_none_or(|(_, last)| *last != phase) {
            changes.push((at, phase));
            self.overall.push((at, phase));
        }
    }

    /// The changes of each backend that had any, in order.
    pub fn changes(&self) -> &BTreeMap<String, Vec<(Nanos, Phase)>> {
        &self.changes
    }

    /// The phase of `backend` at `at`.
    pub fn at(&self, backend: &str, at: Nanos) -> Phase {
        self.changes.get(backend).map_or(Phase::Baseline, |changes| last_before(changes, at))
    }

    /// What was happening in the cell at `at`.
    pub fn overall(&self, at: Nanos) -> Phase {
        last_before(&self.overall, at)
    }

    /// The stretches over which the generator's punctuality is judged: a label for each point in time.
    /// Single phases can be a few milliseconds long, so a replacement counts as one stretch.
    pub fn stretch(&self, at: Nanos) -> String {
        let during = self.replacements.iter().find(|r| r.first <= at && r.last.is_none_or(|last| at <= last));
        if let Some(replacement) = during {
            return replacement.name();
        }
        match self.overall(at) {
            Phase::Baseline => "the baseline".to_owned(),
            Phase::Fault | Phase::Died => "the fault".to_owned(),
            Phase::Deploy => "the deploy".to_owned(),
            _ => "the time between or after changes".to_owned(),
        }
    }
}

fn last_before(changes: &[(Nanos, Phase)], at: Nanos) -> Phase {
    changes.iter().rev().find(|(from, _)| *from <= at).map_or(Phase::Baseline, |(_, phase)| *phase)
}
