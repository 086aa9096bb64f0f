//! What the faults of a cell did, and who noticed: the balancer by its own view, the load by where it went, and the
//! clients by what they lost. Times are milliseconds from the fault's own time, t₀.

use std::time::Duration;

use model::component::Component;
use model::detection::DetectionBound;
use model::history::{Event, Happening, Scaling};
use model::identity::Incarnation;
use model::plan::Variant;
use model::request::Request;
use model::sessions::STORE;
use model::units::{Nanos, Span};
use serde::{Deserialize, Serialize};

use crate::analysis::attribution::blamed;
use crate::analysis::evidence::{FORERUN, under_load};
use crate::analysis::joined::Joined;
use crate::analysis::quantile::rank;

/// A backend counts as removed after so long without an attempt at it …
const QUIET: Duration = Duration::from_secs(2);
/// … and after as many attempts as it would have got in that time.
const EXPECTED_ATTEMPTS: f64 = 20.0;

/// One fault of one backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultRecord {
    /// Whose.
    pub backend: String,
    /// What befell it.
    pub fault: String,
    /// t₀, counted from the first measured arrival.
    pub at_ms: f64,
    /// When it was healed; `None`: not under load.
    pub healed_ms: Option<f64>,
    /// How soon active probes had to notice.
    pub bound: DetectionBound,
    /// How often the balancer's view was looked at; `None`: it has none.
    pub looked_every_ms: Option<f64>,
    /// When the view first said that the backend was down; `None`: never before it was healed.
    pub seen_down: Option<Seen>,
    /// Whether, and when, the load stopped trying it.
    #[serde(alias = "removal")]
    pub time_to_eject: TimeToEject,
    /// Dropped requests that had been begun before t₀.
    #[serde(alias = "harmed_in_flight")]
    pub failed_in_flight: u64,
    /// Dropped requests that were begun after t₀.
    #[serde(alias = "harmed_after")]
    pub failed_after: u64,
    /// When the first dropped request ended.
    #[serde(alias = "first_harm_ms")]
    pub first_failure_ms: Option<f64>,
    /// When the last dropped request ended.
    #[serde(alias = "end_of_harm_ms")]
    pub last_failure_ms: Option<f64>,
    /// Requests that ended well while it lasted, and took longer than 99.9 % of those before t₀.
    pub slow: u64,
    /// When the view said, after the healing, that the backend was up; from the healing on.
    pub seen_up: Option<Seen>,
    /// When the first request after the healing ended well there; from the healing on.
    #[serde(alias = "serves_again_ms")]
    pub time_to_restore_ms: Option<f64>,
}

/// What a balancer's view said for the first time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// When the answer came.
    pub ms: f64,
    /// When it was last asked and said otherwise: the change lies between.
    pub after_ms: f64,
    /// Its word for the state.
    pub words: String,
}

/// Whether, and when, the balancer ejected a backend while its fault lasted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeToEject {
    /// The last attempt before a time of quiet.
    After {
        /// When its request was begun.
        ms: f64,
        /// Attempts after that time of quiet: a balancer tries again whether it is well.
        tried_again: u64,
    },
    /// Attempts went on.
    Never,
    /// The fault did not last long enough to tell, or is none of a backend.
    TooShort,
}

impl FaultRecord {
    /// Dropped requests that it cost.
    pub fn failed_requests(&self) -> u64 {
        self.failed_in_flight + self.failed_after
    }
}

/// Reads the faults of a cell. `requests` are the measured ones.
pub fn record(
    variant: &Variant,
    history: &[Event],
    requests: &[&Request],
    joined: &Joined<'_>,
    origin: Nanos,
) -> Vec<FaultRecord> {
    let mut stretches = stretches(history);
    let load_ends = origin + variant.traffic.duration.0;
    let first = stretches.first().map_or(load_ends, |stretch| stretch.at);
    let slow_from = slowest_before(requests, first);
    let next: Vec<Option<Nanos>> = (0..stretches.len())
        .map(|i| {
            stretches[i + 1..].iter().find(|other| other.backend == stretches[i].backend).map(|next| next.at)
        })
        .collect();
    let cell = FaultyCell { variant, requests, joined, origin, load_ends, slow_from };
    stretches.drain(..).zip(next).map(|(stretch, next)| cell.record(stretch, next)).collect()
}

/// A fault as the history tells it.
struct Stretch {
    backend: String,
    fault: String,
    at: Nanos,
    healed: Option<Nanos>,
    /// When a deploy began to end the backend, or to start its successor: what comes then is the deploy's.
    taken: Option<Nanos>,
    bound: DetectionBound,
    every: Option<Span>,
    down: Option<(Nanos, Nanos, String)>,
    up: Option<(Nanos, Nanos, String)>,
}

fn stretches(history: &[Event]) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    let mut coming: Vec<&Incarnation> = Vec::new();
    for event in under_load(history) {
        let mut begin = |backend: &str, fault: String| {
            found.push(Stretch {
                backend: backend.to_owned(),
                fault,
                at: event.at,
                healed: None,
                taken: None,
                bound: DetectionBound::None { reason: unbound(backend).to_owned() },
                every: None,
                down: None,
                up: None,
            });
        };
        match &event.what {
            Happening::Faulted { incarnation, fault } => {
                begin(&incarnation.backend, fault.name().replace('_', " "));
            }
            Happening::Degraded { incarnation, misbehaviour } => {
                begin(&incarnation.backend, misbehaviour.to_string());
            }
            Happening::Exited { component: Component::Life(incarnation), expected: false, .. } => {
                begin(&incarnation.backend, "died by itself".to_owned());
            }
            _ => {}
        }
        let taken = match &event.what {
            Happening::Replacing { new, .. }
            | Happening::Scaling(Scaling::Adding { incarnation: new, .. }) => {
                coming.push(new);
                None
            }
            Happening::Terminated { incarnation, .. } => Some(incarnation.backend.clone()),
            Happening::Launched { component: Component::Life(new), .. } if coming.contains(&new) => {
                Some(new.backend.clone())
            }
            _ => None,
        };
        if let Some(stretch) = taken.and_then(|backend| last(&mut found, &backend)) {
            stretch.taken.get_or_insert(event.at);
        }
        match &event.what {
            Happening::Watched { backend, bound, every } => {
                if let Some(stretch) = last(&mut found, backend) {
                    stretch.bound.clone_from(bound);
                    stretch.every = *every;
                }
            }
            Happening::Healed { incarnation } => {
                if let Some(stretch) = last(&mut found, &incarnation.backend) {
                    stretch.healed.get_or_insert(event.at);
                }
            }
            Happening::SeenDown { backend, words, before } => {
                if let Some(stretch) = last(&mut found, backend).filter(|stretch| stretch.healed.is_none()) {
                    let before = (*before).max(stretch.at);
                    stretch.down.get_or_insert((event.at, before, words.clone()));
                }
            }
            // What comes back while its fault lasts is flapping.
            Happening::SeenUp { backend, words, before } => {
                if let Some((stretch, healed)) =
                    last(&mut found, backend).and_then(|it| it.healed.map(|healed| (it, healed)))
                {
                    let before = (*before).max(healed);
                    stretch.up.get_or_insert((event.at, before, words.clone()));
                }
            }
            _ => {}
        }
    }
    found
}

/// Why no balancer has to notice, where the history says nothing about that.
fn unbound(backend: &str) -> &'static str {
    if backend == STORE { "balancers do not probe the session store" } else { "the history does not say" }
}

/// The latest fault of `backend` so far.
fn last<'s>(found: &'s mut [Stretch], backend: &str) -> Option<&'s mut Stretch> {
    found.iter_mut().rev().find(|stretch| stretch.backend == backend)
}

/// What the faults of one cell are read from.
struct FaultyCell<'a> {
    variant: &'a Variant,
    requests: &'a [&'a Request],
    joined: &'a Joined<'a>,
    origin: Nanos,
    load_ends: Nanos,
    slow_from: Option<Duration>,
}

impl FaultyCell<'_> {
    fn record(&self, stretch: Stretch, next: Option<Nanos>) -> FaultRecord {
        let at = stretch.at;
        let over = [stretch.healed, stretch.taken].into_iter().flatten().min();
        let until = over.unwrap_or(self.load_ends).min(self.load_ends);
        let next = next.into_iter().chain(stretch.taken).min();
        let ended_by = stretch.taken.filter(|_| stretch.healed.is_some());
        let failed = self.failed(&stretch.backend, at, next, ended_by);
        let ends = || failed.iter().map(|request| request.end.millis_from(at).max(0.0));
        let in_flight = failed.iter().filter(|request| begun(request) < at).count() as u64;
        let seen = |seen: Option<(Nanos, Nanos, String)>, from: Nanos| {
            seen.map(|(at, before, words)| Seen {
                ms: at.millis_from(from),
                after_ms: before.millis_from(from),
                words,
            })
        };
        FaultRecord {
            at_ms: at.millis_from(self.origin),
            healed_ms: stretch.healed.map(|healed| healed.millis_from(at)),
            bound: stretch.bound,
            looked_every_ms: stretch.every.map(Span::as_millis),
            time_to_eject: self.time_to_eject(&stretch.backend, at, until),
            failed_in_flight: in_flight,
            failed_after: failed.len() as u64 - in_flight,
            first_failure_ms: ends().min_by(f64::total_cmp),
            last_failure_ms: ends().max_by(f64::total_cmp),
            slow: self.slow(at, until),
            seen_down: seen(stretch.down, at),
            seen_up: stretch.healed.and_then(|healed| seen(stretch.up, healed)),
            time_to_restore_ms: stretch.healed.and_then(|healed| self.serves_again(&stretch.backend, healed)),
            backend: stretch.backend,
            fault: stretch.fault,
        }
    }

    /// Dropped requests that the backend is blamed for and that ended after `at`, up to what befell it next; those of a
    /// backend that was well again had ended by then.
    fn failed(
        &self,
        backend: &str,
        at: Nanos,
        next: Option<Nanos>,
        ended_by: Option<Nanos>,
    ) -> Vec<&Request> {
        let by_this = |request: &&&Request| {
            request.outcome.kind().is_dropped()
                && request.end >= at - FORERUN
                && next.is_none_or(|next| request.due < next)
                && ended_by.is_none_or(|by| request.end < by)
                && blamed(request, self.joined.get(request.id)).as_deref() == Some(backend)
        };
        self.requests.iter().filter(by_this).copied().collect()
    }

    fn slow(&self, at: Nanos, until: Nanos) -> u64 {
        let Some(limit) = self.slow_from else { return 0 };
        let slow = |request: &&&Request| {
            is_ok(request)
                && request.end >= at
                && request.due <= until
                && request.end.since(request.due) > limit
        };
        self.requests.iter().filter(slow).count() as u64
    }

    fn time_to_eject(&self, backend: &str, at: Nanos, until: Nanos) -> TimeToEject {
        let part = self
            .variant
            .topology
            .pool_of(backend)
            .map_or(1.0, |pool| pool.part_of(backend, pool.serving().map(|serving| serving.id.as_str())));
        let expected = EXPECTED_ATTEMPTS / (part * self.variant.traffic.rate.0);
        let quiet = QUIET.max(Duration::from_secs_f64(expected));
        // Balancers send the session store nothing that they could cease to send.
        if until.since(at) < quiet || backend == STORE {
            return TimeToEject::TooShort;
        }
        let mut attempts: Vec<Nanos> = self
            .requests
            .iter()
            .filter(|request| self.tried(request, backend))
            .map(|request| begun(request))
            .filter(|begun| at < *begun && *begun < until)
            .collect();
        attempts.sort_unstable();
        let mut last = at;
        for (n, attempt) in attempts.iter().enumerate() {
            if attempt.since(last) >= quiet {
                let tried_again = (attempts.len() - n) as u64;
                return TimeToEject::After { ms: last.millis_from(at), tried_again };
            }
            last = *attempt;
        }
        match until.since(last) >= quiet {
            true => TimeToEject::After { ms: last.millis_from(at), tried_again: 0 },
            false => TimeToEject::Never,
        }
    }

    /// Whether the log or the ledger says that the request was tried at `backend`.
    fn tried(&self, request: &Request, backend: &str) -> bool {
        let traces = self.joined.get(request.id);
        let mut attempts = traces.logged.iter().flat_map(|line| &line.attempts);
        attempts.any(|attempt| attempt.backend.as_deref() == Some(backend))
            || traces.executions.iter().any(|execution| execution.by.backend == backend)
    }

    fn serves_again(&self, backend: &str, healed: Nanos) -> Option<f64> {
        let served = |request: &&&Request| {
            is_ok(request)
                && begun(request) >= healed
                && match backend {
                    STORE => request.session.is_some(),
                    backend => match &request.served_by {
                        Some(by) => by.backend == backend,
                        None => {
                            let executions = self.joined.get(request.id).executions;
                            executions.last().is_some_and(|it| it.by.backend == backend)
                        }
                    },
                }
        };
        let ends = self.requests.iter().filter(served).map(|request| request.end.millis_from(healed));
        ends.min_by(f64::total_cmp)
    }
}

fn is_ok(request: &Request) -> bool {
    request.outcome.kind().is_delivered()
}

/// When it was sent, or should have been.
fn begun(request: &Request) -> Nanos {
    request.sent.unwrap_or(request.due)
}

/// What 99.9 % of the requests that ended well before `first` did not exceed.
fn slowest_before(requests: &[&Request], first: Nanos) -> Option<Duration> {
    let before = requests.iter().filter(|request| is_ok(request) && request.end < first);
    let mut took: Vec<Duration> = before.map(|request| request.end.since(request.due)).collect();
    took.sort_unstable();
    took.get(rank(0.999, took.len() as u64)).copied()
}
