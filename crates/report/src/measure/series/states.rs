//! What was being done to each backend, what the balancer thought of it, and what happened when.

use std::collections::BTreeMap;

use model::history::{Event, Happening, Scaling};
use strum::VariantArray;

use super::Axis;
use crate::analysis::evidence::under_load;
use crate::analysis::phases::{Phase, Phases};

/// A stretch of time in which a backend was in a state other than serving.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// The backend.
    pub backend: String,
    /// From this second …
    pub from: f64,
    /// … to this one.
    pub to: f64,
    /// Its state.
    pub state: BackendState,
}

/// A state other than serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::VariantArray)]
pub enum BackendState {
    /// The balancer is told, or has been, that it leaves; requests in hand may end.
    Draining,
    /// Terminated, until its successor is ready.
    Stopped,
    /// Ready, until it has its share of the traffic.
    Returning,
    /// A fault was made and not healed yet.
    Faulty,
    /// The balancer's own view says that it would send it nothing.
    MarkedDown,
}

impl BackendState {
    /// Every state, in the order of legends.
    pub const ALL: &'static [BackendState] = BackendState::VARIANTS;

    /// What a legend calls it.
    pub fn name(self) -> &'static str {
        match self {
            BackendState::Draining => "draining",
            BackendState::Stopped => "stopped",
            BackendState::Returning => "returning",
            BackendState::Faulty => "fault",
            BackendState::MarkedDown => "down in the balancer's view",
        }
    }

    fn of(phase: Phase) -> Option<BackendState> {
        match phase {
            Phase::Deregister | Phase::Drain => Some(BackendState::Draining),
            Phase::Terminate | Phase::Replace => Some(BackendState::Stopped),
            Phase::Register | Phase::Confirm => Some(BackendState::Returning),
            Phase::Fault | Phase::Died => Some(BackendState::Faulty),
            Phase::Baseline | Phase::Settled | Phase::Reload | Phase::Deploy => None,
        }
    }
}

/// Something that happened at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineMark {
    /// When, in seconds.
    pub at: f64,
    /// What, in few words.
    pub what: String,
}

/// The bands under the load, by backend and time.
pub(super) fn bands(axis: &Axis, history: &[Event], phases: &Phases) -> Vec<Band> {
    let end = axis.seconds();
    let mut bands = Vec::new();
    let mut add = |backend: &str, from: f64, to: f64, state: BackendState| {
        let (from, to) = (from.max(0.0), to.min(end));
        if from < to {
            bands.push(Band { backend: backend.to_owned(), from, to, state });
        }
    };
    for (backend, changes) in phases.changes() {
        let ends = changes.iter().skip(1).map(|(at, _)| axis.at(*at)).chain([end]);
        let mut open: Option<(f64, f64, BackendState)> = None;
        for ((at, phase), to) in changes.iter().zip(ends) {
            let state = BackendState::of(*phase);
            match (&mut open, state) {
                // Two phases of one state are one band.
                (Some((_, until, same)), Some(state)) if *same == state => *until = to,
                _ => {
                    if let Some((from, to, state)) = open.take() {
                        add(backend, from, to, state);
                    }
                    open = state.map(|state| (axis.at(*at), to, state));
                }
            }
        }
        if let Some((from, to, state)) = open {
            add(backend, from, to, state);
        }
    }
    for (backend, from, to) in marked_down(axis, history) {
        add(&backend, from, to, BackendState::MarkedDown);
    }
    bands.sort_by(|a, b| (&a.backend, a.state).cmp(&(&b.backend, b.state)).then(a.from.total_cmp(&b.from)));
    bands
}

/// When the balancer's view said that a backend was down, and until when.
fn marked_down(axis: &Axis, history: &[Event]) -> Vec<(String, f64, f64)> {
    let mut down: BTreeMap<&str, f64> = BTreeMap::new();
    let mut found = Vec::new();
    for event in history {
        match &event.what {
            Happening::SeenDown { backend, .. } => drop(down.entry(backend).or_insert(axis.at(event.at))),
            Happening::SeenUp { backend, .. } => {
                let since = down.remove(backend.as_str());
                found.extend(since.map(|from| (backend.clone(), from, axis.at(event.at))));
            }
            _ => {}
        }
    }
    found.extend(down.into_iter().map(|(backend, from)| (backend.to_owned(), from, axis.seconds())));
    found
}

/// What happened under the load, in order.
pub(super) fn marks(axis: &Axis, history: &[Event]) -> Vec<TimelineMark> {
    let mark = |event: &Event| {
        let what = match &event.what {
            Happening::Terminated { incarnation, .. } => format!("{} ends", incarnation.backend),
            Happening::Faulted { incarnation, fault } => {
                format!("{} {}", fault.name().replace('_', " "), incarnation.backend)
            }
            Happening::Degraded { incarnation, .. } => format!("degrade {}", incarnation.backend),
            Happening::Healed { incarnation } => format!("heal {}", incarnation.backend),
            Happening::BalancerReloaded => "reload".to_owned(),
            Happening::Exited { component, expected: false, .. } => format!("{component} dies"),
            Happening::SplitInForce { .. } => "split".to_owned(),
            Happening::Scaling(Scaling::Adding { incarnation, .. }) => {
                format!("{} starts", incarnation.backend)
            }
            Happening::Scaling(Scaling::NotAdded { incarnation, .. }) => {
                format!("{} not added", incarnation.backend)
            }
            Happening::DeployAborted { .. } => "deploy aborted".to_owned(),
            _ => return None,
        };
        let at = axis.at(event.at);
        (0.0..axis.seconds()).contains(&at).then_some(TimelineMark { at, what })
    };
    under_load(history).iter().filter_map(mark).collect()
}
