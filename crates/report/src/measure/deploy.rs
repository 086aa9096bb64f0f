//! The proof that a deploy happened: who was replaced, what was in flight when, and how the drains went.
//! Numbers in flight come from the ledger's intervals, not from polling.

use std::collections::BTreeSet;
use std::time::Duration;

use model::history::{Event, Happening, Scaling, WindowDerivation};
use model::identity::Incarnation;
use model::plan::Variant;
use model::timeline::{Drain, Leaving, Strategy, Termination};
use model::units::{Nanos, Span};
use serde::{Deserialize, Serialize};

use crate::analysis::evidence::under_load;
use crate::analysis::joined::{Joined, Traces};
use crate::analysis::phases::{Phases, Replacement};
use crate::measure::after_signal::AfterSignal;
use crate::measure::replacement::{ReplacementProof, ReplacementRecord, replacement};

/// The least time for which the load goes on after a deploy.
const SETTLED: Duration = Duration::from_millis(500);

/// What the deploys of a cell did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeployRecord {
    /// In which order old and new came.
    pub strategy: Strategy,
    /// The drain policy.
    pub drain: Drain,
    /// How backends were ended, if the deploy did not wait for their drains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination: Option<Termination>,
    /// Backends that were to be replaced.
    pub planned: u64,
    /// Backends of which the old generation exited and the new one served.
    pub replaced: u64,
    /// Backends that the timeline was to remove and to add, and those that it did.
    #[serde(default, skip_serializing_if = "ScalingCount::is_none")]
    pub scaling: ScalingCount,
    /// Why it stopped, or a backend was not added, if that is so.
    pub aborted: Option<String>,
    /// Whether it stopped because its new generation was killed, by a fault of the timeline or from outside: that is a
    /// result, as the deploy itself could do no better.
    #[serde(default)]
    pub aborted_by_a_death: bool,
    /// How long a drain could take.
    pub window: Option<DrainWindow>,
    /// The longest drain.
    pub longest_drain: Option<Span>,
    /// Drains whose window ran out with requests in flight, or where that was not known.
    pub drains_expired: u64,
    /// Of these, those of which it is not known what was in flight, because the backends are a service of the user's
    /// and the balancer has no view.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub drains_unseen: u64,
    /// Whether what was in flight is known by the balancer's log and the client's times, and by no ledger.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_log: bool,
    /// From the end of the last deploy to the end of the load, less the time in which its last effects show: negative
    /// if the deploy outlived the load; `None` if it never finished.
    pub margin_ms: Option<f64>,
    /// Each replacement.
    pub replacements: Vec<ReplacementRecord>,
}

/// How many backends were removed and added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScalingCount {
    /// To be removed, by the timeline.
    pub removals: u64,
    /// Of these, those that have exited, and of which the balancer was told what it was to be told.
    pub removed: u64,
    /// To be added, by the timeline.
    pub additions: u64,
    /// Of these, those that answered requests.
    pub added: u64,
}

impl ScalingCount {
    fn is_none(&self) -> bool {
        *self == ScalingCount::default()
    }
}

/// A drain window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainWindow {
    /// Its length.
    pub length: Span,
    /// Its derivation; `None`: the scenario gives it.
    pub derived: Option<WindowDerivation>,
}

impl DeployRecord {
    /// Replacements, removals and additions that there were to be.
    pub fn all_planned(&self) -> u64 {
        self.planned + self.scaling.removals + self.scaling.additions
    }
    /// `3 of 3`, where backends are replaced; `1 of 1 removed, 1 of 1 added`, where they are not.
    pub fn done(&self) -> String {
        let ScalingCount { removals, removed, additions, added } = self.scaling;
        let scaled = [(removed, removals, "removed"), (added, additions, "added")];
        let scaled = scaled.into_iter().filter(|(_, planned, _)| *planned > 0);
        let scaled: Vec<_> =
            scaled.map(|(done, planned, how)| format!("{done} of {planned} {how}")).collect();
        let replaced = format!("{} of {}", self.replaced, self.planned);
        match (self.planned > 0, scaled.is_empty()) {
            (_, true) => replaced,
            (false, _) => scaled.join(", "),
            (true, false) => format!("{replaced} replaced, {}", scaled.join(", ")),
        }
    }
    /// What the balancer sent to each backend after its signal.
    pub fn after_signals(&self) -> impl Iterator<Item = &AfterSignal> {
        self.replacements.iter().filter_map(|replacement| replacement.after_signal.as_ref())
    }
    /// Requests in flight at each termination.
    pub fn at_terminations(&self) -> Vec<u64> {
        let each = self.replacements.iter();
        each.filter_map(|r| r.in_flight_at_termination).collect()
    }
    /// Requests in flight at each deregistration.
    pub fn at_deregistrations(&self) -> Vec<u64> {
        let each = self.replacements.iter();
        each.filter_map(|r| r.in_flight_at_deregistration).collect()
    }
    /// The part of the traffic that each new generation got.
    pub fn new_shares(&self) -> Vec<f64> {
        self.replacements.iter().filter_map(|r| r.confirmation).map(|c| c.share).collect()
    }
    /// How long each drain took.
    pub fn waits(&self) -> Vec<Span> {
        self.replacements.iter().filter_map(|r| r.drain_waited).collect()
    }
}

/// What the deploys of a cell did; `None` if its variant has none.
pub fn record(
    variant: &Variant,
    history: &[Event],
    phases: &Phases,
    joined: &Joined<'_>,
    load_end: Nanos,
) -> Option<DeployRecord> {
    let (strategy, leaving) = way(variant)?;
    let by_log = variant.topology.services().next().is_some();
    let mut record = DeployRecord {
        strategy,
        drain: leaving.drain,
        termination: leaving.termination,
        planned: 0,
        replaced: 0,
        scaling: ScalingCount::default(),
        aborted: None,
        aborted_by_a_death: false,
        window: None,
        longest_drain: None,
        drains_expired: 0,
        drains_unseen: 0,
        by_log,
        margin_ms: None,
        replacements: Vec::new(),
    };
    let mut finished = Vec::new();
    for event in history {
        match &event.what {
            Happening::DeployStarted { backends, .. } => record.planned += backends.len() as u64,
            Happening::DrainWindow { window, derived } => {
                record.window = Some(DrainWindow { length: *window, derived: *derived });
            }
            // A window that ended before its zero was confirmed cut nothing off.
            Happening::DrainExpired { in_flight, .. } => {
                record.drains_expired += u64::from(*in_flight != Some(0));
                record.drains_unseen += u64::from(by_log && in_flight.is_none());
            }
            Happening::DeployAborted { reason, incarnation }
            | Happening::Scaling(Scaling::NotAdded { reason, incarnation }) => {
                record.aborted = Some(format!("{incarnation}: {reason}"));
                record.aborted_by_a_death = was_killed(history, incarnation, by_log);
            }
            Happening::DeployFinished { .. }
            | Happening::Scaling(Scaling::Removed { .. } | Scaling::Added { .. }) => finished.push(event.at),
            _ => {}
        }
    }
    if finished.len() == variant.rollouts() {
        let settled_by = load_end - settles_within(variant, joined);
        record.margin_ms = finished.last().map(|last| settled_by.millis_from(*last));
    }
    let serving = serving(joined);
    let replacement = |r: &Replacement| replacement(r, history, joined, &serving, variant);
    record.replacements = phases.replacements.iter().map(replacement).collect();
    let proved = |comes: bool, goes: bool| {
        let is_so = |r: &&ReplacementRecord| (r.new.is_some(), r.old.is_some()) == (comes, goes);
        let proved = record.replacements.iter().filter(|r| r.proof == ReplacementProof::Proved);
        proved.filter(is_so).count() as u64
    };
    record.replaced = proved(true, true);
    record.scaling = ScalingCount {
        removals: variant.removals().count() as u64,
        removed: proved(false, true),
        additions: variant.additions().count() as u64,
        added: proved(true, false),
    };
    record.longest_drain = record.waits().into_iter().max();
    Some(record)
}

/// In which order old and new come, and how backends leave: of the first deploy, or of the first removal. `None`: there is
/// neither, and nothing is added.
fn way(variant: &Variant) -> Option<(Strategy, Leaving)> {
    let deploys = variant.deploys().map(|deploy| (deploy.strategy, deploy.leaving));
    let removals = variant.removals().map(|removal| (Strategy::InPlace, removal.leaving));
    let additions = variant.additions().map(|_| (Strategy::InPlace, Leaving::ABRUPT));
    deploys.chain(removals).chain(additions).next()
}

/// For how long after a deploy the load has to go on so that its last effects show in it: twice the slowest response
/// that ended well, at least half a second, and never longer than a client waits.
fn settles_within(variant: &Variant, joined: &Joined<'_>) -> Duration {
    let requests = joined.values().flat_map(|traces| traces.requests);
    let ok = requests.filter(|request| request.outcome.kind().is_delivered());
    let slowest = ok.map(|request| request.end.since(request.due)).max().unwrap_or_default();
    variant.traffic.timeout.0.min(SETTLED.max(2 * slowest))
}

/// Whether something other than the deploy ended `incarnation` while the load ran. A service of the user's may have ended by
/// itself, of which a deploy that was to show something else is no proof.
fn was_killed(history: &[Event], incarnation: &Incarnation, own_service: bool) -> bool {
    under_load(history).iter().any(|event| match &event.what {
        Happening::Faulted { incarnation: harmed, .. } => harmed == incarnation,
        Happening::Exited { component, expected, .. } => {
            !expected && !own_service && component.is(incarnation)
        }
        _ => false,
    })
}

/// Incarnations that answered a request completely.
fn serving<'a>(joined: &'a Joined<'_>) -> BTreeSet<&'a Incarnation> {
    let answered = |traces: &Traces<'_>| traces.requests.iter().any(|r| r.outcome.kind().is_delivered());
    let by = |traces: Traces<'a>| {
        let stamp = traces.requests.iter().find_map(|request| request.served_by.as_deref());
        stamp.or_else(|| traces.executions.last().map(|execution| &*execution.by))
    };
    joined.values().filter(answered).filter_map(by).collect()
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
