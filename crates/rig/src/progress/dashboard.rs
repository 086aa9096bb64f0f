//! What is known about a running cell: the four signals, and its progress. Pure: observations in, figures out.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use engine::cell::Observation;
use model::history::{Happening, Scaling};
use model::identity::Incarnation;
use model::job::{BackendStatus, Progress};
use model::plan::Variant;
use model::units::Nanos;

/// The period of rates and shares, in nanoseconds.
const RECENT: i64 = 1_000_000_000;

/// The state of one cell's view.
pub(crate) struct Dashboard {
    pub(crate) title: String,
    /// The current step of the cell.
    pub(crate) phase: String,
    /// Now, and the load's first and last moments, once it is scheduled.
    pub(crate) now: Nanos,
    pub(crate) load: Option<(Nanos, Nanos)>,
    /// Whether the balancer has a view of its backends, once that is known.
    pub(crate) sees: Option<bool>,
    pub(crate) progress: Progress,
    pub(crate) backends: BTreeMap<String, BackendRow>,
    /// Requests that ended in each second of the load.
    pub(crate) series: Vec<Second>,
    warmup: i64,
    duration: i64,
    /// The loads of the cells after this one, in seconds.
    after: f64,
    recent: VecDeque<(Nanos, Progress)>,
}

/// What ended in one second, as it was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Second {
    pub(crate) ok: u64,
    pub(crate) dropped: u64,
}

/// One backend.
#[derive(Default)]
pub(crate) struct BackendRow {
    /// The incarnation that serves there.
    pub(crate) incarnation: Option<Incarnation>,
    /// Its share of the requests within the last second; `None`: there were none.
    pub(crate) share: Option<f64>,
    /// Its last status; `None`: it does not answer.
    pub(crate) status: Option<BackendStatus>,
    /// Whether the balancer would use it, and its word for that.
    pub(crate) balancer: Option<(bool, String)>,
    /// Its step in a deploy or fault; empty while it just serves.
    pub(crate) state: String,
    /// How many requests it had received, and when.
    received: VecDeque<(Nanos, u64)>,
}

impl Dashboard {
    /// The view of a cell that runs `variant`, with the loads of the cells after it.
    pub(crate) fn new(title: String, variant: Option<&Variant>, after: Duration) -> Dashboard {
        let pools = variant.into_iter().flat_map(|variant| &variant.topology.pools);
        let backends = pools.flat_map(|pool| &pool.backends);
        let nanos = |span: model::units::Span| i64::try_from(span.0.as_nanos()).unwrap_or(i64::MAX);
        Dashboard {
            title,
            phase: "launching".to_owned(),
            now: agent::clock::now(),
            load: None,
            sees: None,
            progress: Progress::default(),
            backends: backends.map(|backend| (backend.id.clone(), BackendRow::default())).collect(),
            warmup: variant.map_or(0, |variant| nanos(variant.traffic.warmup)),
            duration: variant.map_or(0, |variant| nanos(variant.traffic.duration)),
            recent: VecDeque::new(),
            series: Vec::new(),
            after: after.as_secs_f64(),
        }
    }

    /// Takes in an observation of the engine at `now`.
    pub(crate) fn observe(&mut self, observation: Observation<'_>, now: Nanos) {
        self.now = now;
        match observation {
            Observation::Progress(progress) => {
                self.count(progress);
                self.progress = progress;
                remember(&mut self.recent, now, progress);
            }
            Observation::Backends(statuses) => self.sampled(statuses),
            // It is printed above the view.
            Observation::Said(_) => {}
            Observation::View(view) => {
                for seen in view {
                    if let Some(backend) = self.backends.get_mut(&seen.backend) {
                        backend.balancer = Some((seen.up, seen.words.clone()));
                    }
                }
            }
            Observation::Event(event) => {
                if let Some(phase) = phase(&event.what) {
                    self.phase = phase;
                }
                self.happened(&event.what);
            }
        }
    }

    fn count(&mut self, progress: Progress) {
        let Some((begin, _)) = self.load else { return };
        // What ends before the first request is due is none of the load's.
        let Ok(second) = usize::try_from((self.now.0 - begin.0).div_euclid(1_000_000_000)) else { return };
        self.series.resize(self.series.len().max(second + 1), Second::default());
        self.series[second].ok += progress.ok.saturating_sub(self.progress.ok);
        self.series[second].dropped += progress.dropped.saturating_sub(self.progress.dropped);
    }

    fn sampled(&mut self, statuses: &[BackendStatus]) {
        for (id, backend) in &mut self.backends {
            backend.status = statuses.iter().find(|status| status.incarnation.backend == *id).cloned();
            if let Some(status) = &backend.status {
                // A new generation counts from zero.
                if backend.received.back().is_some_and(|(_, received)| *received > status.received) {
                    backend.received.clear();
                }
                backend.incarnation = Some(status.incarnation.clone());
                remember(&mut backend.received, self.now, status.received);
            }
        }
        let grown = |backend: &BackendRow| match (backend.received.front(), backend.received.back()) {
            (Some((_, before)), Some((_, after))) if backend.status.is_some() => after - before,
            _ => 0,
        };
        let all: u64 = self.backends.values().map(grown).sum();
        for backend in self.backends.values_mut() {
            backend.share = (all > 0).then(|| grown(backend) as f64 / all as f64);
        }
    }

    fn happened(&mut self, event: &Happening) {
        match event {
            Happening::Balancer { in_flight_view, .. } => self.sees = Some(*in_flight_view),
            Happening::Scheduled { origin, .. } => {
                self.load = Some((Nanos(origin.0 - self.warmup), Nanos(origin.0 + self.duration)));
            }
            Happening::Ready { component, .. } => {
                if let Some(backend) = component.life().and_then(|it| self.backends.get_mut(&it.backend)) {
                    backend.state.clear();
                }
            }
            _ => {
                if let Some((incarnation, state)) = state(event)
                    && let Some(backend) = self.backends.get_mut(&incarnation.backend)
                {
                    backend.state = state;
                }
            }
        }
    }

    /// Per second, over the last one: requests dropped, and answered 5xx; `None`: nothing is known yet.
    pub(crate) fn rates(&self) -> Option<(f64, f64)> {
        let ((begin, before), (end, after)) = (self.recent.front()?, self.recent.back()?);
        let seconds = (end.0 - begin.0) as f64 / 1e9;
        let per_second = |before: u64, after: u64| (after - before) as f64 / seconds;
        (seconds > 0.0)
            .then(|| (per_second(before.dropped, after.dropped), per_second(before.http_5xx, after.http_5xx)))
    }

    /// Of the load, warm-up included: seconds gone and seconds in all; `None`: it is not scheduled yet.
    pub(crate) fn seconds(&self) -> Option<(f64, f64)> {
        let (begin, end) = self.load?;
        let all = (end.0 - begin.0) as f64 / 1e9;
        Some((((self.now.0 - begin.0) as f64 / 1e9).clamp(0.0, all), all))
    }

    /// The least that the rest of the run takes, in seconds: all loads to come. `None`: this is its last cell.
    pub(crate) fn run_to_go(&self) -> Option<f64> {
        let here =
            self.seconds().map_or((self.warmup + self.duration) as f64 / 1e9, |(gone, all)| all - gone);
        (self.after > 0.0).then_some(here + self.after)
    }
}

/// Appends, and drops what is older than needed.
fn remember<T>(recent: &mut VecDeque<(Nanos, T)>, now: Nanos, what: T) {
    recent.push_back((now, what));
    while recent.len() > 2 && recent[1].0.0 <= now.0 - RECENT {
        recent.pop_front();
    }
}

/// The backend that `event` is about, and its new state.
fn state(event: &Happening) -> Option<(&Incarnation, String)> {
    let (incarnation, words) = match event {
        Happening::Deregistering { incarnation } => (incarnation, "deregistering"),
        Happening::Deregistered { incarnation, .. } => (incarnation, "draining"),
        Happening::Drained { incarnation, .. } => (incarnation, "drained"),
        Happening::DrainExpired { incarnation, .. } => (incarnation, "drain expired"),
        Happening::Terminated { incarnation, .. } => (incarnation, "terminated"),
        Happening::Registering { incarnation } => (incarnation, "registering"),
        Happening::Registered { incarnation, .. } => (incarnation, "registered"),
        Happening::Confirmed { incarnation, .. }
        | Happening::Reached { incarnation, .. }
        | Happening::Healed { incarnation } => (incarnation, ""),
        Happening::Unconfirmed { incarnation, .. } => (incarnation, "less than its share"),
        Happening::DeployAborted { incarnation, .. }
        | Happening::Scaling(Scaling::NotAdded { incarnation, .. }) => (incarnation, "never healthy"),
        Happening::Scaling(Scaling::Removed { incarnation }) => (incarnation, "removed"),
        Happening::Scaling(Scaling::Adding { incarnation, .. }) => (incarnation, "starting"),
        Happening::Scaling(Scaling::Added { incarnation }) => (incarnation, ""),
        Happening::Faulted { incarnation, fault } => (incarnation, fault.name()),
        Happening::Degraded { incarnation, misbehaviour } => {
            return Some((incarnation, misbehaviour.to_string()));
        }
        _ => return None,
    };
    Some((incarnation, words.to_owned()))
}

/// The cell's step after `event`; `None`: unchanged.
fn phase(event: &Happening) -> Option<String> {
    Some(match event {
        Happening::CellStarted { .. } => "launching".into(),
        Happening::Scheduled { .. } => "load".into(),
        Happening::Deregistering { incarnation } => format!("{incarnation}: deregister"),
        Happening::Deregistered { incarnation, .. } => format!("{incarnation}: drain"),
        Happening::Terminated { incarnation, .. } => format!("{incarnation}: terminate"),
        Happening::Replacing { old, new } => format!("{old} → {new}"),
        Happening::Registering { incarnation } => format!("{incarnation}: register"),
        Happening::Confirmed { incarnation, .. } | Happening::Reached { incarnation, .. } => {
            format!("{incarnation}: confirmed")
        }
        Happening::Faulted { incarnation, fault } => format!("{incarnation}: {}", fault.name()),
        Happening::Degraded { incarnation, misbehaviour } => format!("{incarnation}: {misbehaviour}"),
        Happening::SeenDown { backend, words, .. } => format!("{backend}: {words}"),
        Happening::Healed { incarnation } => format!("{incarnation}: healed"),
        Happening::Scaling(Scaling::Removing { incarnation, .. }) => format!("{incarnation}: remove"),
        Happening::Scaling(Scaling::Removed { incarnation }) => format!("{incarnation}: removed"),
        Happening::Scaling(Scaling::Adding { incarnation, .. }) => format!("{incarnation}: add"),
        Happening::Scaling(Scaling::Added { incarnation }) => format!("{incarnation}: added"),
        Happening::Scaling(Scaling::NotAdded { incarnation, .. }) => format!("{incarnation}: not added"),
        Happening::DeployFinished { .. } => "settled".into(),
        Happening::DeployAborted { .. } => "deploy aborted".into(),
        Happening::Splitting { route, to, .. } => format!("{route}: {to}"),
        Happening::LoadFinished { .. } => "stopping".into(),
        Happening::Interrupted => "interrupted: stopping what was launched".into(),
        _ => return None,
    })
}
