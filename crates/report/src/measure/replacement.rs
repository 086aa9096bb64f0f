//! What happened to one backend: its replacement, removal or addition.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use model::history::{Event, Happening};
use model::identity::Incarnation;
use model::plan::Variant;
use model::timeline::Keeps;
use model::units::{Nanos, Span};
use serde::{Deserialize, Serialize};

use crate::analysis::evidence::{PROXIMITY, under_load};
use crate::analysis::joined::{Joined, Traces};
use crate::analysis::phases::{Replacement, named};
use crate::measure::after_signal::{AfterSignal, last_sent};

/// How long a deregistration may need until everyone in the balancer follows it.
pub const LATE_WORD: Duration = Duration::from_millis(100);
/// What happened to one backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplacementRecord {
    /// Who left; `None`: a backend was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Incarnation>,
    /// Who came; `None`: a backend was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Incarnation>,
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
    /// Requests that it had in hand when it was said to be drained; `None`: it wasn't, or a reload had forgotten it.
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
    /// No complete response bears the new generation's stamp, not even one to a new client.
    NewNeverServed,
    /// The replacement did not end.
    Unfinished,
}

impl ReplacementRecord {
    /// Who left, or else who came.
    pub fn who(&self) -> String {
        let who = self.old.as_ref().or(self.new.as_ref());
        who.map_or_else(String::new, Incarnation::to_string)
    }
    /// Who came, or else who left.
    pub fn successor(&self) -> String {
        let who = self.new.as_ref().or(self.old.as_ref());
        who.map_or_else(String::new, Incarnation::to_string)
    }
    /// `the replacement of web-1/1`.
    pub fn name(&self) -> String {
        named(self.old.as_ref(), self.new.as_ref())
    }
}

/// What became of `r`.
pub(super) fn replacement(
    r: &Replacement,
    history: &[Event],
    joined: &Joined<'_>,
    serving: &BTreeSet<&Incarnation>,
    variant: &Variant,
) -> ReplacementRecord {
    let is_found = r.old.as_ref().is_some_and(|old| variant.topology.discovery_of(&old.backend).is_some());
    let forgets = variant.reloads().any(|reload| reload.keeps == Keeps::Configuration);
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
    let is_old = |incarnation: &Incarnation| r.old.as_ref() == Some(incarnation);
    let is_new = |incarnation: &Incarnation| r.new.as_ref() == Some(incarnation);
    for event in under_load(history) {
        match &event.what {
            Happening::Deregistering { incarnation } if is_old(incarnation) => told = Some(event.at),
            Happening::Deregistered { incarnation, .. } if is_old(incarnation) => {
                deregistered = Some(event.at)
            }
            Happening::Drained { incarnation, .. } if is_old(incarnation) => drained = Some(event.at),
            Happening::DrainCut { incarnation } if is_old(incarnation) => cut = true,
            Happening::DrainExpired { incarnation, .. } if is_old(incarnation) => expired = Some(event.at),
            Happening::Terminated { incarnation, .. } if is_old(incarnation) => terminated = Some(event.at),
            Happening::Confirmed { incarnation, share, of } if is_new(incarnation) => {
                confirmation = Some((share.0, *of, true));
                looked = Some(event.at);
            }
            Happening::Unconfirmed { incarnation, share, of } if is_new(incarnation) => {
                confirmation = Some((share.0, *of, false));
                gave_up = Some(event.at);
            }
            Happening::Reached { incarnation, .. } if is_new(incarnation) => {
                reached = true;
                looked = Some(event.at);
            }
            Happening::Exited { component, .. } if component.life().is_some_and(is_old) => {
                exited = true;
                ended = Some(event.at);
            }
            Happening::Launched { component, .. } if component.life().is_some_and(is_new) => {
                launched = Some(event.at)
            }
            Happening::Ready { component, .. } if component.life().is_some_and(is_new) => {
                ready = Some(event.at)
            }
            Happening::Registering { incarnation } if is_new(incarnation) => registering = Some(event.at),
            Happening::Registered { incarnation, .. } if is_new(incarnation) => registered = Some(event.at),
            _ => {}
        }
    }
    let expired_after = deregistered.zip(expired).map(|(from, to)| Span(to.since(from)));
    let of_old = r.old.as_ref();
    let in_flight_at = |at: Nanos| of_old.map(|old| in_flight(old, at, joined));
    let last = of_old.zip(deregistered.zip(drained));
    let last = last.map(|(old, (from, to))| (from, last_finish(old, from, to, joined), to));
    let arrivals = |from: Nanos, until: Nanos| of_old.map(|old| arrivals(old, from..until, joined));
    let for_ever = Nanos(i64::MAX);
    // From then on the balancer need not know any more that it was told.
    let forgotten = |from: Nanos| {
        let reload = |event: &&Event| event.what == Happening::BalancerReloaded && event.at >= from;
        let reload = under_load(history).iter().find(reload).filter(|_| forgets);
        reload.map_or(for_ever, |event| event.at)
    };
    ReplacementRecord {
        old: r.old.clone(),
        new: r.new.clone(),
        in_flight_at_begin: in_flight_at(r.first),
        in_flight_at_deregistration: told.and_then(in_flight_at),
        in_flight_at_termination: terminated.and_then(in_flight_at),
        drain_waited: last.map(|(from, last, _)| Span(last.since(from))).or(expired_after),
        drain_sure_ms: last.map(|(_, last, sure)| sure.millis_from(last)),
        arrivals_after_deregistration: deregistered.and_then(|at| arrivals(at, for_ever)),
        // A balancer that finds backends by DNS may go on until it asks again: how long it did is a figure.
        late_arrivals: deregistered
            .filter(|_| !is_found)
            .and_then(|at| arrivals(at + LATE_WORD, forgotten(at)))
            .unwrap_or(0),
        in_flight_at_drained: drained
            .filter(|at| deregistered.is_none_or(|from| *at < forgotten(from)))
            .and_then(in_flight_at),
        drain_cut: cut,
        after_signal: of_old.and_then(|old| AfterSignal::of(history, old, joined)),
        last_at_old_ms: of_old.zip(deregistered.filter(|_| is_found)).map(|(old, from)| {
            last_sent(history, old, from, joined).map_or(0.0, |last| last.millis_from(from))
        }),
        proof: {
            let serves = r.new.as_ref().is_none_or(|new| reached || serving.contains(new));
            match (r.last, of_old.is_none() || exited, serves) {
                (None, ..) => ReplacementProof::Unfinished,
                (_, false, _) => ReplacementProof::OldNotExited,
                (_, _, false) => ReplacementProof::NewNeverServed,
                _ => ReplacementProof::Proved,
            }
        },
        confirmation: confirmation.map(|(share, of, fair)| {
            let from = registered.or(ready);
            let receipt = r.new.as_ref().and_then(|new| first_receipt(new, joined));
            let first = from.zip(receipt).map(|(from, at)| at.millis_from(from));
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
fn last_finish(by: &Incarnation, from: Nanos, to: Nanos, joined: &Joined<'_>) -> Nanos {
    let executions = joined.executions().filter(|e| e.by == *by);
    let finishes = executions.filter_map(|execution| execution.finished);
    finishes.filter(|at| from <= *at && *at <= to).max().unwrap_or(from)
}

fn first_receipt(by: &Incarnation, joined: &Joined<'_>) -> Option<Nanos> {
    let executions = joined.executions().filter(|e| e.by == *by);
    executions.map(|execution| execution.received).min()
}

/// Requests that `by` received although they were sent after the beginning of `times`, and before their end: what had been sent
/// before was on its way.
fn arrivals(by: &Incarnation, times: Range<Nanos>, joined: &Joined<'_>) -> u64 {
    let is_in = |at: Nanos| times.start < at && at < times.end;
    let sent_later = |traces: &Traces<'_>| traces.requests.iter().any(|r| r.sent.is_some_and(is_in));
    let traces = joined.values().filter(sent_later);
    traces.filter(|traces| traces.executions.iter().any(|e| e.by == *by)).count() as u64
}

/// Requests that `by` had in hand at `at`. One that it never finished counts only while its client waited
/// (give or take [`PROXIMITY`]), or a request given up long ago would be in flight for ever.
fn in_flight(by: &Incarnation, at: Nanos, joined: &Joined<'_>) -> u64 {
    let in_hand = |traces: Traces<'_>| {
        let awaited = traces.requests.iter().any(|request| request.end + PROXIMITY >= at);
        let executions = traces.executions.iter().filter(|e| e.by == *by);
        executions.filter(|e| e.in_flight_at(at) && (e.finished.is_some() || awaited)).count() as u64
    };
    joined.values().map(in_hand).sum()
}
