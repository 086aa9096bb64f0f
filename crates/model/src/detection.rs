//! How soon a balancer's probes must notice that a backend is ill.

use serde::{Deserialize, Serialize};

use crate::degrade::Misbehaviour;
use crate::timeline::FaultKind;
use crate::units::Span;

/// What a health probe of an ill backend sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symptom {
    /// Connections are refused.
    Refuses,
    /// Connections are accepted, and nothing is answered.
    Hangs,
    /// Packets vanish: connections don't come about.
    Vanishes,
    /// The probe is answered 503.
    SaysNo,
}

impl From<FaultKind> for Symptom {
    fn from(kind: FaultKind) -> Symptom {
        match kind {
            FaultKind::Crash | FaultKind::Term => Symptom::Refuses,
            FaultKind::Freeze => Symptom::Hangs,
            FaultKind::Partition | FaultKind::HostLoss => Symptom::Vanishes,
        }
    }
}

impl Symptom {
    /// What probes see of a misbehaviour; `None`: nothing, they are answered as ever.
    pub fn of(misbehaviour: Misbehaviour) -> Option<Symptom> {
        match misbehaviour {
            Misbehaviour::Unhealthy => Some(Symptom::SaysNo),
            Misbehaviour::Silent => Some(Symptom::Hangs),
            Misbehaviour::Latency(_)
            | Misbehaviour::Errors(_)
            | Misbehaviour::Reset(_)
            | Misbehaviour::Close(_) => None,
        }
    }
}

/// How long a balancer's active probes may take to mark a backend down, as its configuration implies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectionBound {
    /// Within these times after the fault.
    Within {
        /// If the fault comes right before a probe.
        least: Span,
        /// If it comes right after one.
        most: Span,
        /// How `most` is made up, in the scenario's words.
        why: String,
    },
    /// Probes never will.
    None {
        /// Why.
        reason: String,
    },
}
