//! Where requests were dropped: which incarnation had them, in which phase, and how they ended.

use std::collections::BTreeMap;

use model::ledger::Execution;
use model::outcome::{Outcome, OutcomeKind};
use model::request::Request;
use model::sessions::STORE;
use model::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::analysis::Analysis;
use crate::analysis::errors::Errors;
use crate::analysis::evidence::Evidence;
use crate::analysis::fate::{SubCause, store_was_away};
use crate::analysis::joined::Traces;
use crate::analysis::lateness::depends_on_time;
use crate::analysis::outlasting::Outlasting;
use crate::analysis::phases::{Phase, Phases};
use crate::numbers::words;

/// Dropped requests that have all of this in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DropSource {
    /// The balancer, or its worker, if that died with it, or the session store, if it was away, else the backend that received it last, else
    /// the one that the log names last; `None`: unattributed.
    pub backend: Option<String>,
    /// Which life of it, where the ledger says so.
    pub generation: Option<u32>,
    /// What was happening to that backend, or in the cell if there is none, when the request met its fate.
    pub phase: Phase,
    /// How the client saw it end.
    pub outcome: OutcomeKind,
    /// What the ledger says about it.
    pub sub_cause: SubCause,
}

impl DropSource {
    /// Who had it.
    pub fn who(&self) -> String {
        match (&self.backend, self.generation, self.sub_cause) {
            (Some(backend), Some(generation), _) => format!("{backend}/{generation}"),
            (Some(backend), None, _) => backend.clone(),
            (None, _, SubCause::Told(_)) => "the balancer itself".to_owned(),
            (None, ..) => "unattributed".to_owned(),
        }
    }

    /// How the client saw it end, as tables call it.
    pub fn ended_as(&self) -> String {
        let outcome = words(self.outcome);
        outcome.strip_prefix("http ").unwrap_or(&outcome).to_owned()
    }
}

impl DroppedGroup {
    /// Whether the ledger, the log or an event says why they were dropped, so that no lateness of the generator can be why.
    pub(crate) fn has_a_cause(&self) -> bool {
        let DropSource { phase, outcome, sub_cause, .. } = self.source;
        let unsaid = matches!(sub_cause, SubCause::NotExecuted | SubCause::Undetermined | SubCause::GivenUp);
        let untouched = matches!(phase, Phase::Baseline | Phase::Settled);
        // A port at which no process listens refuses, however late the request comes.
        let told = !unsaid || !untouched || !self.logged.is_empty() || outcome == OutcomeKind::Refused;
        told && !depends_on_time(outcome)
    }

    /// How clients saw them end: their status, where they got one.
    pub fn seen_as(&self) -> String {
        let each: Vec<_> = self.statuses.iter().collect();
        match each.as_slice() {
            [] => self.source.ended_as(),
            [(status, _)] => status.to_string(),
            several => {
                let each: Vec<_> = several.iter().map(|(status, n)| format!("{n} × {status}")).collect();
                format!("{} ({})", self.source.ended_as(), each.join(", "))
            }
        }
    }
}

/// One source and its number of requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedGroup {
    /// What they have in common.
    #[serde(flatten)]
    pub source: DropSource,
    /// How many.
    pub count: u64,
    /// Of these, those that the drawn time of service alone kept at their backend until it was ended: however late the
    /// machine was, it did not decide that.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub outlasted: u64,
    /// The statuses that clients got, each with their number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statuses: BTreeMap<u16, u64>,
    /// What the balancer's log says of them, `502 SH--`, each with their number; those without a line are absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub logged: BTreeMap<String, u64>,
    /// The system's errors that ended them, each with its number.
    #[serde(default, skip_serializing_if = "Errors::is_empty")]
    pub errors: Errors,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Groups the dropped requests of a cell, in the order of backends and phases.
pub fn attribute(cell: &Analysis<'_>) -> Vec<DroppedGroup> {
    let mut groups: BTreeMap<DropSource, DroppedGroup> = BTreeMap::new();
    let outlasting = Outlasting::of(cell);
    for (request, source) in cell.dropped() {
        let group = groups.entry(source.clone()).or_insert_with(|| DroppedGroup {
            source,
            count: 0,
            outlasted: 0,
            statuses: BTreeMap::new(),
            logged: BTreeMap::new(),
            errors: Errors::new(),
        });
        group.count += 1;
        group.outlasted += u64::from(outlasting.is_one(request));
        if let Outcome::Answered { status, .. } = request.outcome {
            *group.statuses.entry(status).or_default() += 1;
        }
        if let Some(errno) = request.outcome.errno() {
            *group.errors.entry(errno).or_default() += 1;
        }
        if let Some(line) = cell.joined.get(request.id).logged.last() {
            let said = format!("{} {}", line.status, line.flags);
            *group.logged.entry(said.trim_end().to_owned()).or_default() += 1;
        }
    }
    groups.into_values().collect()
}

impl<'a> Analysis<'a> {
    /// The measured requests that were dropped, each with where it comes from.
    pub(crate) fn dropped(&self) -> impl Iterator<Item = (&'a Request, DropSource)> {
        self.measured.iter().filter_map(|request| {
            let (sub_cause, traces) = (*self.dropped.get(&request.id)?, self.joined.get(request.id));
            Some((*request, source(request, sub_cause, traces, &self.phases, &self.evidence)))
        })
    }
}

fn source(
    request: &Request,
    sub_cause: SubCause,
    traces: Traces<'_>,
    phases: &Phases,
    evidence: &Evidence,
) -> DropSource {
    let received = received(traces);
    let incarnation =
        received.map(|e| &e.by).or(request.served_by.as_ref()).filter(|_| !store_was_away(request));
    let backend = blamed(request, traces);
    let met = met_its_fate(request, received, backend.as_deref(), evidence);
    let phase = match &backend {
        Some(backend) => phases.at(backend, met),
        None => phases.overall(met),
    };
    let untouched = matches!(phase, Phase::Baseline | Phase::Settled);
    let reloaded = evidence.reloaded_before(met) || evidence.cut_by_a_reload(request);
    if let Some(dead) = evidence.died_with_balancer(request) {
        let (backend, generation, phase) = (Some(dead.to_string()), None, Phase::Died);
        return DropSource { backend, generation, phase, outcome: request.outcome.kind(), sub_cause };
    }
    DropSource {
        phase: if untouched && reloaded { Phase::Reload } else { phase },
        backend,
        generation: incarnation.map(|i| i.generation),
        outcome: request.outcome.kind(),
        sub_cause,
    }
}

/// The execution that tells what became of a request: the last without an end, else the last.
fn received<'a>(traces: Traces<'a>) -> Option<&'a Execution> {
    let unfinished = traces.executions.iter().rev().find(|e| e.finished.is_none());
    unfinished.or(traces.executions.last()).copied()
}

/// The session store, if that is why; else the backend that received a request last, else the one that answered it,
/// else the one that the log names last.
pub(crate) fn blamed(request: &Request, traces: Traces<'_>) -> Option<String> {
    if store_was_away(request) {
        return Some(STORE.to_owned());
    }
    let incarnation = received(traces).map(|e| &e.by).or(request.served_by.as_ref());
    let logged = || {
        let attempts = traces.logged.iter().flat_map(|line| &line.attempts);
        attempts.rev().find_map(|attempt| attempt.backend.clone())
    };
    incarnation.map(|i| i.backend.clone()).or_else(logged)
}

/// When a request was lost, which may be long before its client was told: when it was begun, if its backend was cut
/// off by then; when its backend died, froze or was cut off, if it was under way then. Where nothing of that kind
/// happened, one whose time ran out was lost when it was received, sent or should have been; any other when it ended.
fn met_its_fate(
    request: &Request,
    received: Option<&Execution>,
    backend: Option<&str>,
    evidence: &Evidence,
) -> Nanos {
    let begun = request.sent.unwrap_or(request.due);
    // Received or not, and however late: its packets vanished at first.
    if backend.is_some_and(|backend| evidence.was_unreachable(backend, begun)) {
        return begun;
    }
    if let Some(gone) = backend.and_then(|backend| evidence.gone_since(backend, begun, request.end)) {
        return gone;
    }
    match request.outcome.kind() {
        OutcomeKind::Timeout | OutcomeKind::ConnectTimeout | OutcomeKind::NotSentBacklog => {
            received.map_or(begun, |execution| execution.received)
        }
        _ => request.end,
    }
}
