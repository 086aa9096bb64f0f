//! How soon active health checks must notice that a backend is ill.

use std::time::Duration;

use model::catalog::{BalancerKind, Capability};
use model::detection::{DetectionBound, Symptom};
use model::topology::{HealthCheck, Topology};
use model::units::Span;

use super::{adapter, catalog};

/// How soon the active probes of a balancer of this kind must notice a backend with `symptom`; `None`: they see none.
pub fn detection_bound(kind: BalancerKind, topology: &Topology, symptom: Option<Symptom>) -> DetectionBound {
    match (&topology.health_check, symptom) {
        (None, _) => never("health_check is off: nothing probes"),
        (Some(_), None) => never("health probes are answered as ever"),
        (Some(check), Some(symptom)) => match adapter(kind).probes() {
            Some(probes) => probes.detection(check, symptom),
            None => never(
                catalog()
                    .lacks(kind, Capability::ActiveHealthChecks)
                    .map_or("it probes no backend", |lack| lack.reason),
            ),
        },
    }
}

fn never(reason: &str) -> DetectionBound {
    DetectionBound::None { reason: reason.to_owned() }
}

/// The bound where a backend is marked down by `failures` failed probes in a row, of which each lasts `lasting` (in
/// words: `called`) and the next begins `check.every` after the end of the one before.
pub(super) fn in_a_row(
    check: &HealthCheck,
    failures: u32,
    lasting: Option<(Duration, &str)>,
) -> DetectionBound {
    let (each, why) = match lasting {
        None => (Duration::ZERO, format!("{failures} × {}", check.every)),
        Some((lasting, called)) => {
            (lasting, format!("{failures} × ({} + {called} {})", check.every, Span(lasting)))
        }
    };
    let round = check.every.0 + each;
    DetectionBound::Within {
        least: Span(round * failures.saturating_sub(1) + each),
        most: Span(round * failures),
        why,
    }
}
