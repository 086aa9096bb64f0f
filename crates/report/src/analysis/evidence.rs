//! What the history proves about deaths, hangs, cut networks and the access log: the only grounds on which a request that
//! ended oddly may be explained.

use std::collections::BTreeMap;
use std::time::Duration;

use model::access_log::LogGap;
use model::component::Component;
use model::history::{Event, Happening};
use model::identity::Incarnation;
use model::outcome::{Cause, Outcome};
use model::plan::Variant;
use model::request::Request;
use model::timeline::FaultKind;
use model::topology::Retries;
use model::units::Nanos;

/// How long after a kill, a hang or a reload something may still be explained by it.
pub const PROXIMITY: Duration = Duration::from_secs(1);

/// How long before an event its effects may be seen: the event's time is that of the signal's *return*, and every
/// process reads the same clock.
pub(crate) const FORERUN: Duration = Duration::from_millis(50);

/// How long a death that rig did not order may have gone unnoticed.
pub(crate) const UNNOTICED: Duration = Duration::from_millis(250);

/// Whether the balancer's access log can be held against the client's records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogState {
    /// The balancer ended gracefully and every line was readable.
    Whole,
    /// Lines may be missing: the balancer did not end gracefully.
    Lost,
    /// It has a line per connection and no ids: the listener works at layer 4.
    PerConnection,
    /// None of its lines carries an id.
    WithoutIds,
    /// The history does not say that a log was read.
    #[default]
    Absent,
}

/// When an incarnation ended.
#[derive(Clone, Copy, Debug, Default)]
struct IncarnationEnd {
    /// The first signal that was to end it.
    signalled: Option<Nanos>,
    exited: Option<Nanos>,
}

impl IncarnationEnd {
    fn first_sign(self) -> Option<Nanos> {
        self.signalled.or(self.exited.map(|noticed| noticed - UNNOTICED))
    }
    /// From here on it receives nothing: its exit, or soon after the signal where the exit isn't recorded.
    fn last_receipt(self) -> Option<Nanos> {
        self.exited.or(self.signalled.map(|at| at + PROXIMITY))
    }
    fn shortly_before(self, end: Nanos) -> bool {
        [self.signalled, self.exited].into_iter().flatten().any(|at| shortly_before(at, end))
    }
}

/// What the history proves.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Whether the access log is whole.
    pub log: LogState,
    /// Lines that the balancer, by its own count, could not write.
    pub unwritten: u64,
    /// Declared holes in it.
    pub gaps: Vec<LogGap>,
    /// Whether backends of rig's stand behind the balancer, which write down what they receive.
    pub ledgers: bool,
    /// Whether the client alone keeps books: rig launched nothing of what answers.
    pub client_only: bool,
    /// Whether services of the user's stand behind the balancer, which stamp nothing and keep no ledger.
    pub own_services: bool,
    /// Whether the plan forbids the balancer to send a request again.
    pub retries_off: bool,
    /// How long the client waits, from the intended start; `None`: no plan says so.
    pub timeout: Option<Duration>,
    ends: BTreeMap<Incarnation, IncarnationEnd>,
    /// Per backend, the times in which it could not answer: from a death, a hang or a cut until it was ready again.
    gone: Times,
    /// Per backend, the times in which packets to and from it vanished.
    unreachable: Times,
    /// Per backend, the times in which it was told to leave requests without a whole response.
    unanswering: Times,
    /// Reloads of the balancer.
    reloads: Vec<Nanos>,
    /// How long the old configuration may take after a reload to end what it serves.
    reload_grace: Duration,
    /// When the balancer was found to have died by itself.
    balancer_died: Option<Nanos>,
    /// When one of its workers was, which it replaced.
    workers_died: Vec<Nanos>,
}

/// The part of a history whose events can explain something: after the load every process is ended anyway.
pub fn under_load(history: &[Event]) -> &[Event] {
    let over = |event: &Event| {
        matches!(
            event.what,
            Happening::LoadFinished { .. } | Happening::Interrupted | Happening::Failed { .. }
        )
    };
    let end = history.iter().position(over).unwrap_or(history.len());
    &history[..end]
}

impl Evidence {
    /// Gathers the evidence of a history.
    pub fn gather(history: &[Event]) -> Evidence {
        let mut evidence = Evidence::default();
        for event in under_load(history) {
            evidence.take(event);
        }
        for event in history {
            evidence.take_log(event);
        }
        evidence
    }

    /// The same, beside what the plan asks for.
    pub fn under(self, variant: Option<&Variant>) -> Evidence {
        Evidence {
            ledgers: variant.is_some_and(|variant| {
                variant.target.is_none()
                    && variant.topology.services().next().is_none()
                    && variant.topology.pools.iter().any(|pool| !pool.backends.is_empty())
            }),
            client_only: variant.is_some_and(|variant| variant.target.is_some()),
            own_services: variant.is_some_and(|variant| variant.topology.services().next().is_some()),
            retries_off: variant.is_some_and(|variant| variant.topology.retries == Retries::Off),
            timeout: variant.map(|variant| variant.traffic.timeout.0),
            reload_grace: variant
                .and_then(|variant| variant.topology.reload_grace)
                .map_or(Duration::ZERO, |grace| grace.0),
            ..self
        }
    }

    /// Whether the plan says that no backend keeps a ledger.
    pub fn without_ledgers(&self) -> bool {
        self.client_only || self.own_services
    }

    fn take(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            Happening::Terminated { incarnation, .. } => self.signalled(incarnation, at),
            Happening::Faulted { incarnation, fault } => {
                match fault {
                    FaultKind::Freeze | FaultKind::Partition => self.begin_gone(incarnation, at),
                    FaultKind::Crash | FaultKind::Term | FaultKind::HostLoss => {
                        self.signalled(incarnation, at)
                    }
                }
                match fault {
                    FaultKind::Partition | FaultKind::HostLoss => {
                        begin(&mut self.unreachable, incarnation, at)
                    }
                    FaultKind::Crash | FaultKind::Term | FaultKind::Freeze => {}
                }
            }
            Happening::Degraded { incarnation, misbehaviour } if misbehaviour.leaves_unanswered() => {
                begin(&mut self.unanswering, incarnation, at);
            }
            Happening::Healed { incarnation } => self.end_gone(incarnation, at),
            Happening::Exited { component: Component::Balancer, expected: false, .. } => {
                self.balancer_died.get_or_insert(at);
            }
            Happening::Exited { component: Component::Worker, .. } => self.workers_died.push(at),
            Happening::Exited { component: Component::Life(incarnation), .. } => {
                self.ends.entry(incarnation.clone()).or_default().exited = Some(at);
                self.begin_gone(incarnation, at);
            }
            Happening::Ready { component: Component::Life(incarnation), .. } => {
                self.end_gone(incarnation, at);
            }
            Happening::BalancerReloaded => self.reloads.push(at),
            _ => {}
        }
    }

    /// The log is read when everything has ended.
    fn take_log(&mut self, event: &Event) {
        if let Happening::AccessLog { whole, gaps, unwritten, .. } = &event.what {
            self.unwritten = *unwritten;
            // A line that could not be read is one that is missing: where others have ids, the id that it had is not
            // excused.
            self.log = match whole {
                _ if gaps.contains(&LogGap::PerConnection) => LogState::PerConnection,
                _ if gaps.contains(&LogGap::WithoutIds) => LogState::WithoutIds,
                true => LogState::Whole,
                false => LogState::Lost,
            };
            self.gaps.clone_from(gaps);
        }
    }

    fn signalled(&mut self, incarnation: &Incarnation, at: Nanos) {
        self.ends.entry(incarnation.clone()).or_default().signalled.get_or_insert(at);
        self.begin_gone(incarnation, at);
    }

    fn begin_gone(&mut self, incarnation: &Incarnation, at: Nanos) {
        begin(&mut self.gone, incarnation, at);
    }

    fn end_gone(&mut self, incarnation: &Incarnation, at: Nanos) {
        for times in [&mut self.gone, &mut self.unreachable, &mut self.unanswering] {
            if let Some((_, until)) = times.get_mut(&incarnation.backend).and_then(|times| times.last_mut()) {
                *until = (*until).min(at);
            }
        }
    }

    /// Whether `by` died with the request in hand that it had received at `received` and whose client gave
    /// up, or was told, at `end`.
    pub fn killed(&self, by: &Incarnation, received: Nanos, end: Nanos) -> bool {
        self.ends.get(by).is_some_and(|death| {
            death.last_receipt().is_some_and(|last| received <= last)
                && death.first_sign().is_some_and(|first| first <= end + FORERUN)
        })
    }

    /// Whether `by` died so shortly before `end` that what it had sent may have been lost.
    pub fn died_before(&self, by: &Incarnation, end: Nanos) -> bool {
        self.ends.get(by).is_some_and(|death| death.shortly_before(end))
    }

    /// Whether any backend died shortly before `end`.
    pub fn some_death_before(&self, end: Nanos) -> bool {
        self.ends.values().any(|death| death.shortly_before(end))
    }

    /// Which of the balancer and its workers had died by itself, if a connection, or the attempt at one, ended because of
    /// that. What was still answered, or kept waiting, was not lost by that.
    pub fn died_with_balancer(&self, request: &Request) -> Option<Component> {
        let lost = match request.outcome {
            Outcome::Failed { cause, .. } => cause != Cause::Timeout,
            Outcome::Answered { .. } | Outcome::NotSent(_) => false,
        };
        let all = self.balancer_died.is_some_and(|noticed| request.end >= noticed - UNNOTICED);
        match lost {
            true if all => Some(Component::Balancer),
            true if self.worker_died_about(request.end) => Some(Component::Worker),
            _ => None,
        }
    }

    /// Whether a worker of the balancer died at about `at`, and took with it what it would have logged.
    pub fn worker_died_about(&self, at: Nanos) -> bool {
        self.workers_died.iter().any(|noticed| *noticed - UNNOTICED <= at && at <= *noticed + FORERUN)
    }

    /// Reloads of the balancer under load.
    pub fn reloads(&self) -> &[Nanos] {
        &self.reloads
    }

    /// The same, where what a reload leaves unfinished is cut off so long after it.
    pub fn with_reload_grace(self, grace: Duration) -> Evidence {
        Evidence { reload_grace: grace, ..self }
    }

    /// Whether a reload cut `request` off: it was begun before one, or while that took effect, and ended while the old
    /// configuration ended what it served, or when its grace was over.
    pub fn cut_by_a_reload(&self, request: &Request) -> bool {
        let cut = matches!(request.outcome, Outcome::Failed { cause, .. } if cause != Cause::Timeout);
        let begun = request.sent.unwrap_or(request.due);
        cut && self.reloads.iter().any(|at| {
            begun <= *at + PROXIMITY && *at <= request.end + FORERUN && {
                request.end <= *at + self.reload_grace + PROXIMITY
            }
        })
    }

    /// Whether the balancer was reloaded at, or shortly before, `at`.
    pub fn reloaded_before(&self, at: Nanos) -> bool {
        self.reloads.iter().any(|reload| shortly_before(*reload, at))
    }

    /// Whether the balancer was reloaded while, or shortly before, a response was on its way from `finished` to `end`.
    pub fn reloaded(&self, finished: Nanos, end: Nanos) -> bool {
        self.reloads.iter().any(|at| finished <= *at + PROXIMITY && *at <= end + FORERUN)
    }

    /// Whether `backend` was dead, frozen or cut off at some time between `from` and `until`. For [`PROXIMITY`] after its
    /// return the balancer may still try a connection to its last life.
    pub fn gone(&self, backend: &str, from: Nanos, until: Nanos) -> bool {
        overlap(&self.gone, backend, from, until)
    }

    /// Whether packets to and from `backend` vanished at some time between `from` and `until`. For [`PROXIMITY`]
    /// after that they may still be on their way: TCP sends again when its timer says so.
    pub fn unreachable(&self, backend: &str, from: Nanos, until: Nanos) -> bool {
        overlap(&self.unreachable, backend, from, until)
    }

    /// Whether packets to and from `backend` vanished at `at`.
    pub fn was_unreachable(&self, backend: &str, at: Nanos) -> bool {
        let times = self.unreachable.get(backend).into_iter().flatten();
        times.into_iter().any(|(begin, end)| *begin <= at && at < *end)
    }

    /// Whether `backend` was told, at some time between `from` and `until`, to leave requests without a whole response.
    pub fn unanswering(&self, backend: &str, from: Nanos, until: Nanos) -> bool {
        overlap(&self.unanswering, backend, from, until)
    }

    /// When `backend` died, froze or was cut off, if that was between `from` and `until`.
    pub fn gone_since(&self, backend: &str, from: Nanos, until: Nanos) -> Option<Nanos> {
        let times = self.gone.get(backend).into_iter().flatten();
        times.map(|(begin, _)| *begin).find(|begin| from <= *begin && *begin <= until)
    }
}

/// Stretches of time, per backend.
type Times = BTreeMap<String, Vec<(Nanos, Nanos)>>;

fn begin(times: &mut Times, incarnation: &Incarnation, at: Nanos) {
    let times = times.entry(incarnation.backend.clone()).or_default();
    if times.last().is_none_or(|(_, until)| *until != Nanos(i64::MAX)) {
        times.push((at, Nanos(i64::MAX)));
    }
}

fn overlap(times: &Times, backend: &str, from: Nanos, until: Nanos) -> bool {
    let times = times.get(backend).into_iter().flatten();
    times.into_iter().any(|(begin, end)| *begin <= until + FORERUN && from <= *end + PROXIMITY)
}

fn shortly_before(event: Nanos, end: Nanos) -> bool {
    event <= end + FORERUN && end <= event + PROXIMITY
}
