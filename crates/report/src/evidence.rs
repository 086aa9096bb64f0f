//! What the history proves about deaths, hangs and the access log: the only grounds on which a request that
//! ended oddly may be explained.

use std::collections::BTreeMap;
use std::time::Duration;

use model::access_log::LogGap;
use model::history::{Event, Happening};
use model::identity::Incarnation;
use model::units::Nanos;

/// How near in time an event must be to explain what happened to a request.
pub const PROXIMITY: Duration = Duration::from_secs(1);

/// Whether the balancer's access log can be held against the client's records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogState {
    /// The balancer ended gracefully and every line was readable.
    Whole,
    /// Lines may be missing: the balancer was killed, or lines were unreadable.
    Lost,
    /// The history does not say that a log was read.
    #[default]
    Absent,
}

/// When an incarnation ended.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    signalled: Option<Nanos>,
    exited: Option<Nanos>,
}

impl End {
    fn first_sign(self) -> Option<Nanos> {
        self.signalled.or(self.exited)
    }
    /// From here on it receives nothing: its exit, or soon after the signal where the exit isn't recorded.
    fn last_receipt(self) -> Option<Nanos> {
        self.exited.or(self.signalled.map(|at| at + PROXIMITY))
    }
}

/// What the history proves.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Whether the access log is whole.
    pub log: LogState,
    /// Declared holes in it.
    pub gaps: Vec<LogGap>,
    ends: BTreeMap<Incarnation, End>,
    /// Per backend, the times in which it could not answer: from a death or a hang until it was ready again.
    gone: BTreeMap<String, Vec<(Nanos, Nanos)>>,
    /// Kills, and changes of the balancer's rotation.
    disturbances: Vec<Nanos>,
}

impl Evidence {
    /// Gathers the evidence of a history.
    pub fn gather(history: &[Event]) -> Evidence {
        let mut evidence = Evidence::default();
        for event in history {
            evidence.take(event);
        }
        evidence
    }

    fn take(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            Happening::Terminated { incarnation, .. } => self.signalled(incarnation, at),
            Happening::Faulted { incarnation, fault } if fault == "freeze" => {
                self.begin_gone(incarnation, at)
            }
            Happening::Faulted { incarnation, .. } => self.signalled(incarnation, at),
            Happening::Healed { incarnation } => self.end_gone(incarnation, at),
            Happening::Exited { component, .. } => {
                if let Ok(incarnation) = component.parse::<Incarnation>() {
                    self.ends.entry(incarnation.clone()).or_default().exited = Some(at);
                    self.begin_gone(&incarnation, at);
                    self.disturbances.push(at);
                }
            }
            Happening::Ready { component, .. } => {
                if let Ok(incarnation) = component.parse::<Incarnation>() {
                    self.end_gone(&incarnation, at);
                }
            }
            Happening::Deregistering { .. }
            | Happening::Deregistered { .. }
            | Happening::Registering { .. }
            | Happening::Registered { .. } => self.disturbances.push(at),
            Happening::AccessLog { whole, unreadable, gaps, .. } => {
                let complete = *whole && *unreadable == 0;
                self.log = if complete { LogState::Whole } else { LogState::Lost };
                self.gaps.clone_from(gaps);
            }
            _ => {}
        }
    }

    fn signalled(&mut self, incarnation: &Incarnation, at: Nanos) {
        self.ends.entry(incarnation.clone()).or_default().signalled = Some(at);
        self.begin_gone(incarnation, at);
        self.disturbances.push(at);
    }

    fn begin_gone(&mut self, incarnation: &Incarnation, at: Nanos) {
        let times = self.gone.entry(incarnation.backend.clone()).or_default();
        if times.last().is_none_or(|(_, until)| *until != Nanos(i64::MAX)) {
            times.push((at, Nanos(i64::MAX)));
        }
    }

    fn end_gone(&mut self, incarnation: &Incarnation, at: Nanos) {
        if let Some((_, until)) = self.gone.get_mut(&incarnation.backend).and_then(|times| times.last_mut()) {
            *until = (*until).min(at);
        }
    }

    /// Whether `by` died with the request in hand that it had received at `received` and whose client gave
    /// up, or was told, at `end`.
    pub fn killed(&self, by: &Incarnation, received: Nanos, end: Nanos) -> bool {
        self.ends.get(by).is_some_and(|death| {
            death.last_receipt().is_some_and(|last| received <= last)
                && death.first_sign().is_some_and(|first| first <= end + PROXIMITY)
        })
    }

    /// Whether a process of a backend died within [`PROXIMITY`] of `at`; only those of `among`, unless empty.
    pub fn death_near(&self, at: Nanos, among: &[&Incarnation]) -> bool {
        self.ends.iter().any(|(incarnation, end)| {
            (among.is_empty() || among.contains(&incarnation))
                && [end.signalled, end.exited].into_iter().flatten().any(|death| near(death, at))
        })
    }

    /// Whether `backend` was dead or frozen at some time between `from` and `until`, give or take [`PROXIMITY`].
    pub fn gone(&self, backend: &str, from: Nanos, until: Nanos) -> bool {
        self.gone.get(backend).is_some_and(|times| {
            times.iter().any(|(begin, end)| {
                *begin <= until + PROXIMITY && (*end == Nanos(i64::MAX) || from <= *end + PROXIMITY)
            })
        })
    }

    /// Whether something was killed or re-configured within [`PROXIMITY`] of the time from `from` to `until`.
    pub fn disturbed(&self, from: Nanos, until: Nanos) -> bool {
        self.disturbances.iter().any(|at| *at + PROXIMITY >= from && *at <= until + PROXIMITY)
    }
}

fn near(a: Nanos, b: Nanos) -> bool {
    a.since(b) <= PROXIMITY && b.since(a) <= PROXIMITY
}
