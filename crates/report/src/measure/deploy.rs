//! The proof that a deploy happened: who was replaced, what was in flight when, and how the drains went.
//! Numbers in flight come from the ledger's intervals, not from anybody's polling.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::history::{Event, Happening, WindowDerivation};
use model::identity::{Incarnation, RequestId};
use model::plan::Variant;
use model::timeline::{Drain, Strategy, Termination};
use model::units::{Nanos, Span};
use serde::{Deserialize, Serialize};

use crate::analysis::evidence::{PROXIMITY, under_load};
use crate::analysis::joined::Traces;
use crate::analysis::phases::{Phases, Replacement};
use crate::measure::after_signal::{AfterSignal, last_sent};

/// How long a deregistration may need until everyone in the balancer follows it.
pub const LATE_WORD: Duration = Duration::from_millis(100);
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
    /// Why it stopped, if it did.
    pub aborted: Option<String>,
    /// Whether it stopped because its new generation was killed, by a fault of the timeline or by somebody else: that is a
    /// result, as the deploy itself could do no better.
    #[serde(default)]
    pub aborted_by_a_death: bool,
    /// How long a drain could take.
    pub window: Option<DrainWindow>,
    /// The longest drain.
    pub longest_drain: Option<Span>,
    /// Drains whose window ran out with requests in flight, or with nobody who could say.
    pub drains_expired: u64,
    /// Of these, those of which nobody could say what was in flight, because the backends are a service of the user's
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

/// A drain window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainWindow {
    /// Its length.
    pub length: Span,
    /// Its derivation; `None`: the scenario gives it.
    pub derived: Option<WindowDerivation>,
}

/// What happened to one backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplacementRecord {
    /// Who left.
    pub old: Incarnation,
    /// Who came.
    pub new: Incarnation,
    /// Requests that the old generation had in hand when its replacement began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight_at_begin: Option<u64>,
    /// Requests that the old generation had in hand when the balancer was told; `None`: it wasn't.
    pub in_flight_at_deregistration: Option<u64>,
    /// Requests that it had in hand when it was terminated; `None`: it wasn't.
    pub in_flight_at_termination: Option<u64>,
    /// How long it drained: from the confirmed deregistration to its last finish, by its own ledger; the whole window, if
    /// that ran out.
    pub drain_waited: Option<Span>,
    /// How much longer rig looked until it was sure of that, in milliseconds.
    #[serde(default)]
    pub drain_sure_ms: Option<f64>,
    /// Requests that it received although their clients had sent them after the confirmed deregistration; `None`: there
    /// was none, or an earlier version did not count them.
    #[serde(default)]
    pub arrivals_after_deregistration: Option<u64>,
    /// Of these, those that were sent longer after it than word of it needs to get round ([`LATE_WORD`]).
    #[serde(default)]
    pub late_arrivals: u64,
    /// Requests that it had in hand when it was said to be drained; `None`: it wasn't.
    #[serde(default)]
    pub in_flight_at_drained: Option<u64>,
    /// Whether it died before it was drained.
    #[serde(default)]
    pub drain_cut: bool,
    /// What the balancer sent it after its signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_signal: Option<AfterSignal>,
    /// From the removal of its record to the last request that the balancer sent to it, or to its address, in milliseconds; 0: it
    /// sent none; `None`: the balancer does not find it by DNS, or the record stayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at_old_ms: Option<f64>,
    /// What is known of its end and its successor.
    pub proof: ReplacementProof,
    /// The part of the traffic that the new generation got; `None`: the deploy did not come so far.
    #[serde(default)]
    pub confirmation: Option<Confirmation>,
    /// From the replacement's first event to its last, in milliseconds.
    pub took_ms: Option<f64>,
    /// How long each step took.
    #[serde(default)]
    pub timing: Timing,
}

/// How long the steps of a replacement took, in milliseconds; `None`: the step was not taken, or not ended. How long it
/// drained is in [`ReplacementRecord::drain_waited`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// From telling the balancer that the old generation leaves until it confirmed that.
    pub deregister_ms: Option<f64>,
    /// From the old generation's signal to its exit.
    pub exit_ms: Option<f64>,
    /// From the new generation's launch until it was ready.
    pub ready_ms: Option<f64>,
    /// From telling the balancer that the new generation comes until it confirmed that.
    pub register_ms: Option<f64>,
    /// From then on, or from its readiness where the balancer was not told, until its share of the traffic was confirmed.
    pub confirm_ms: Option<f64>,
}

/// The new generation's part of the requests that its pool received while that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Its part, 0 to 1.
    pub share: f64,
    /// Of so many requests.
    pub of: u64,
    /// Whether that was its fair share; if not, the deploy went on all the same.
    pub fair: bool,
    /// For how long it was looked at; `None`: an earlier version did not say.
    #[serde(default)]
    pub waited_ms: Option<f64>,
    /// When it received its first request, from its readiness or registration on; `None`: never.
    #[serde(default)]
    pub first_ms: Option<f64>,
}

/// How far a replacement is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplacementProof {
    /// The old generation exited and the new one answered.
    Proved,
    /// The old generation is not known to have exited.
    OldNotExited,
    /// No complete response bears the new generation's stamp, not even one to a user who came anew.
    NewNeverServed,
    /// The replacement did not end.
    Unfinished,
}

impl DeployRecord {
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
    joined: &BTreeMap<RequestId, Traces<'_>>,
    load_end: Nanos,
) -> Option<DeployRecord> {
    let deploy = variant.deploys().next()?;
    let by_log = variant.topology.services().next().is_some();
    let mut record = DeployRecord {
        strategy: deploy.strategy,
        drain: deploy.drain,
        termination: deploy.termination,
        planned: 0,
        replaced: 0,
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
            Happening::DeployAborted { reason, incarnation } => {
                record.aborted = Some(format!("{incarnation}: {reason}"));
                record.aborted_by_a_death = was_killed(history, incarnation, by_log);
            }
            Happening::DeployFinished { .. } => finished.push(event.at),
            _ => {}
        }
    }
    if finished.len() == variant.deploys().count() {
        let settled_by = load_end - settles_within(variant, joined);
        record.margin_ms = finished.last().map(|last| settled_by.millis_from(*last));
    }
    let serving = serving(joined);
    let replacement = |r: &Replacement| {
        let is_found = variant.topology.discovery_of(&r.old.backend).is_some();
        replacement(r, history, joined, &serving, is_found)
    };
    record.replacements = phases.replacements.iter().map(replacement).collect();
    let proved = record.replacements.iter().filter(|r| r.proof == ReplacementProof::Proved);
    record.replaced = proved.count() as u64;
    record.longest_drain = record.waits().into_iter().max();
    Some(record)
}

/// For how long after a deploy the load has to go on so that its last effects show in it: twice the slowest response
/// that ended well, at least half a second, and never longer than a client waits.
fn settles_within(variant: &Variant, joined: &BTreeMap<RequestId, Traces<'_>>) -> Duration {
    let requests = joined.values().flat_map(|traces| &traces.requests);
    let ok = requests.filter(|request| request.outcome.kind().is_delivered());
    let slowest = ok.map(|request| request.end.since(request.due)).max().unwrap_or_default();
    variant.traffic.timeout.0.min(SETTLED.max(2 * slowest))
}

/// Whether somebody other than the deploy ended `incarnation` while the load ran. A service of the user's may have ended by
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
fn serving<'a>(joined: &BTreeMap<RequestId, Traces<'a>>) -> BTreeSet<&'a Incarnation> {
    let answered = |traces: &&Traces<'_>| traces.requests.iter().any(|r| r.outcome.kind().is_delivered());
    let by = |traces: &Traces<'a>| {
        let stamp = traces.requests.iter().find_map(|request| request.served_by.as_ref());
        stamp.or_else(|| traces.executions.last().map(|execution| &execution.by))
    };
    joined.values().filter(answered).filter_map(by).collect()
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn replacement(
    r: &Replacement,
    history: &[Event],
    joined: &BTreeMap<RequestId, Traces<'_>>,
    serving: &BTreeSet<&Incarnation>,
    is_found: bool,
) -> ReplacementRecord {
    let mut told = None;
    let mut deregistered = None;
    let mut expired = None;
    let mut terminated = None;
    let mut exited = false;
    let mut reached = false;
    let mut cut = false;
    let mut drained = None;
    let mut confirmation = None;
    let mut gave_up = None;
    let [mut ended, mut launched, mut ready, mut registering, mut registered, mut looked] = [None; 6];
    for event in under_load(history) {
        match &event.what {
            Happening::Deregistering { incarnation } if *incarnation == r.old => told = Some(event.at),
            Happening::Deregistered { incarnation, .. } if *incarnation == r.old => {
                deregistered = Some(event.at)
            }
            Happening::Drained { incarnation, .. } if *incarnation == r.old => drained = Some(event.at),
            Happening::DrainCut { incarnation } if *incarnation == r.old => cut = true,
            Happening::DrainExpired { incarnation, .. } if *incarnation == r.old => expired = Some(event.at),
            Happening::Terminated { incarnation, .. } if *incarnation == r.old => terminated = Some(event.at),
            Happening::Confirmed { incarnation, share, of } if *incarnation == r.new => {
                confirmation = Some((share.0, *of, true));
                looked = Some(event.at);
            }
            Happening::Unconfirmed { incarnation, share, of } if *incarnation == r.new => {
                confirmation = Some((share.0, *of, false));
                gave_up = Some(event.at);
            }
            Happening::Reached { incarnation, .. } if *incarnation == r.new => {
                reached = true;
                looked = Some(event.at);
            }
            Happening::Exited { component, .. } if component.is(&r.old) => {
                exited = true;
                ended = Some(event.at);
            }
            Happening::Launched { component, .. } if component.is(&r.new) => launched = Some(event.at),
            Happening::Ready { component, .. } if component.is(&r.new) => ready = Some(event.at),
            Happening::Registering { incarnation } if *incarnation == r.new => registering = Some(event.at),
            Happening::Registered { incarnation, .. } if *incarnation == r.new => registered = Some(event.at),
            _ => {}
        }
    }
    let expired_after = deregistered.zip(expired).map(|(from, to)| Span(to.since(from)));
    let last = deregistered.zip(drained).map(|(from, to)| (from, last_finish(&r.old, from, to, joined), to));
    let arrivals = |from: Nanos| arrivals(&r.old, from, joined);
    ReplacementRecord {
        old: r.old.clone(),
        new: r.new.clone(),
        in_flight_at_begin: Some(in_flight(&r.old, r.first, joined)),
        in_flight_at_deregistration: told.map(|at| in_flight(&r.old, at, joined)),
        in_flight_at_termination: terminated.map(|at| in_flight(&r.old, at, joined)),
        drain_waited: last.map(|(from, last, _)| Span(last.since(from))).or(expired_after),
        drain_sure_ms: last.map(|(_, last, sure)| sure.millis_from(last)),
        arrivals_after_deregistration: deregistered.map(arrivals),
        // A balancer that is told by DNS may go on until it asks again: how long it did is a figure.
        late_arrivals: deregistered.filter(|_| !is_found).map_or(0, |at| arrivals(at + LATE_WORD)),
        in_flight_at_drained: drained.map(|at| in_flight(&r.old, at, joined)),
        drain_cut: cut,
        after_signal: AfterSignal::of(history, &r.old, joined),
        last_at_old_ms: deregistered
            .filter(|_| is_found)
            .map(|from| last_sent(history, &r.old, from, joined).map_or(0.0, |last| last.millis_from(from))),
        proof: match (r.last, exited, reached || serving.contains(&r.new)) {
            (None, ..) => ReplacementProof::Unfinished,
            (_, false, _) => ReplacementProof::OldNotExited,
            (_, _, false) => ReplacementProof::NewNeverServed,
            _ => ReplacementProof::Proved,
        },
        confirmation: confirmation.map(|(share, of, fair)| {
            let from = registered.or(ready);
            let first = from.and_then(|from| first_receipt(&r.new, joined).map(|at| at.millis_from(from)));
            let waited_ms = between(from, looked.or(gave_up));
            Confirmation { share, of, fair, waited_ms, first_ms: first.map(|ms| ms.max(0.0)) }
        }),
        took_ms: r.last.map(|last| last.millis_from(r.first)),
        timing: Timing {
            deregister_ms: between(told, deregistered),
            exit_ms: between(terminated, ended),
            ready_ms: between(launched, ready),
            register_ms: between(registering, registered),
            confirm_ms: between(registered.or(ready), looked),
        },
    }
}

fn between(from: Option<Nanos>, to: Option<Nanos>) -> Option<f64> {
    from.zip(to).map(|(from, to)| to.millis_from(from))
}

/// When `by` finished its last request between the two; the first of them, if it finished none.
fn last_finish(by: &Incarnation, from: Nanos, to: Nanos, joined: &BTreeMap<RequestId, Traces<'_>>) -> Nanos {
    let executions = joined.values().flat_map(|traces| &traces.executions).filter(|e| e.by == *by);
    let finishes = executions.filter_map(|execution| execution.finished);
    finishes.filter(|at| from <= *at && *at <= to).max().unwrap_or(from)
}

fn first_receipt(by: &Incarnation, joined: &BTreeMap<RequestId, Traces<'_>>) -> Option<Nanos> {
    let executions = joined.values().flat_map(|traces| &traces.executions).filter(|e| e.by == *by);
    executions.map(|execution| execution.received).min()
}

/// Requests that `by` received although they were sent after `from`: what had been sent before was on its way.
fn arrivals(by: &Incarnation, from: Nanos, joined: &BTreeMap<RequestId, Traces<'_>>) -> u64 {
    let sent_later =
        |traces: &&Traces<'_>| traces.requests.iter().any(|r| r.sent.is_some_and(|at| at > from));
    let traces = joined.values().filter(sent_later);
    traces.filter(|traces| traces.executions.iter().any(|e| e.by == *by)).count() as u64
}

/// Requests that `by` had in hand at `at`. One that it never finished counts only while its client waited
/// (give or take [`PROXIMITY`]), or a request given up long ago would be in flight for ever.
fn in_flight(by: &Incarnation, at: Nanos, joined: &BTreeMap<RequestId, Traces<'_>>) -> u64 {
    let in_hand = |traces: &Traces<'_>| {
        let awaited = traces.requests.iter().any(|request| request.end + PROXIMITY >= at);
        let executions = traces.executions.iter().filter(|e| e.by == *by);
        executions.filter(|e| e.in_flight_at(at) && (e.finished.is_some() || awaited)).count() as u64
    };
    joined.values().map(in_hand).sum()
}
