//! Where the dropped requests come from: which incarnation had them, in which phase, and how they ended.

use std::collections::BTreeMap;

use model::identity::RequestId;
use model::ledger::Execution;
use model::outcome::OutcomeKind;
use model::request::Request;
use model::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::fate::{Fate, SubCause};
use crate::joined::Traces;
use crate::phases::{Phase, Phases};

/// Dropped requests that have all of this in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// The backend that received it last, else the one that the log names last; `None`: unattributed.
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

/// One source and its number of requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedGroup {
    /// What they have in common.
    #[serde(flatten)]
    pub source: Source,
    /// How many.
    pub count: u64,
}

/// Groups the dropped requests among `measured`, in the order of backends and phases.
pub fn attribute<'a>(
    measured: impl IntoIterator<Item = (&'a Request, &'a Fate)>,
    joined: &BTreeMap<RequestId, Traces<'_>>,
    phases: &Phases,
    evidence: &Evidence,
) -> Vec<DroppedGroup> {
    let mut groups: BTreeMap<Source, u64> = BTreeMap::new();
    for (request, fate) in measured {
        if let (Some(sub_cause), Some(traces)) = (fate.sub_cause, joined.get(&request.id)) {
            let source = source(request, sub_cause, traces, phases, evidence);
            *groups.entry(source).or_default() += 1;
        }
    }
    groups.into_iter().map(|(source, count)| DroppedGroup { source, count }).collect()
}

fn source(
    request: &Request,
    sub_cause: SubCause,
    traces: &Traces<'_>,
    phases: &Phases,
    evidence: &Evidence,
) -> Source {
    let unfinished = traces.executions.iter().rev().find(|e| e.finished.is_none());
    let received = unfinished.or(traces.executions.last()).copied();
    let incarnation = received.map(|e| &e.by).or(request.served_by.as_ref());
    let logged = || {
        let attempts = traces.logged.iter().flat_map(|line| &line.attempts);
        attempts.rev().find_map(|attempt| attempt.backend.clone())
    };
    let backend = incarnation.map(|i| i.backend.clone()).or_else(logged);
    let met = met_its_fate(request, received, backend.as_deref(), evidence);
    Source {
        phase: match &backend {
            Some(backend) => phases.at(backend, met),
            None => phases.overall(met),
        },
        backend,
        generation: incarnation.map(|i| i.generation),
        outcome: request.outcome.kind(),
        sub_cause,
    }
}

/// When a request was lost, which may be long before its client was told: when its backend died or froze, if it was
/// under way then. Where nothing of that kind happened, one whose time ran out was lost when it was received, sent or
/// should have been; any other when it ended.
fn met_its_fate(
    request: &Request,
    received: Option<&Execution>,
    backend: Option<&str>,
    evidence: &Evidence,
) -> Nanos {
    let begun = request.sent.unwrap_or(request.due);
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
