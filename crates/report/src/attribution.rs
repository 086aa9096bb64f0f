//! Where the dropped requests come from: which incarnation had them, in which phase, and how they ended.

use std::collections::BTreeMap;

use model::identity::RequestId;
use model::outcome::OutcomeKind;
use model::request::Request;
use serde::{Deserialize, Serialize};

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
    /// What was happening to that backend, or in the cell if there is none, when the request ended.
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
) -> Vec<DroppedGroup> {
    let mut groups: BTreeMap<Source, u64> = BTreeMap::new();
    for (request, fate) in measured {
        if let (Some(sub_cause), Some(traces)) = (fate.sub_cause, joined.get(&request.id)) {
            let source = source(request, sub_cause, traces, phases);
            *groups.entry(source).or_default() += 1;
        }
    }
    groups.into_iter().map(|(source, count)| DroppedGroup { source, count }).collect()
}

fn source(request: &Request, sub_cause: SubCause, traces: &Traces<'_>, phases: &Phases) -> Source {
    let unfinished = traces.executions.iter().rev().find(|e| e.finished.is_none());
    let received = unfinished.or(traces.executions.last());
    let incarnation = received.map(|e| &e.by).or(request.served_by.as_ref());
    let logged = || {
        let attempts = traces.logged.iter().flat_map(|line| &line.attempts);
        attempts.last().map(|attempt| attempt.backend.clone())
    };
    let backend = incarnation.map(|i| i.backend.clone()).or_else(logged);
    Source {
        phase: match &backend {
            Some(backend) => phases.at(backend, request.end),
            None => phases.overall(request.end),
        },
        backend,
        generation: incarnation.map(|i| i.generation),
        outcome: request.outcome.kind(),
        sub_cause,
    }
}
