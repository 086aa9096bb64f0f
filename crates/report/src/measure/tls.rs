//! TLS of a cell: the handshakes that clients and backends made.

use model::outcome::{Outcome, Stage};
use model::plan::Variant;
use model::request::Request;
use model::sample::Sample;
use model::tls::{Handshakes, Tls};
use model::units::Nanos;
use serde::{Deserialize, Serialize};

/// What TLS did in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsRecord {
    /// Where it ends.
    pub ends: Tls,
    /// Handshakes that measured requests had to wait for, by the client's own word.
    pub handshakes: Handshakes,
    /// Measured requests whose handshake failed or did not end in time.
    pub failed: u64,
    /// Handshakes of the backends between their first and their last sample of the load, those of the balancer's probes
    /// included; `None`: a backend has fewer than two samples, or none speaks TLS.
    pub at_backends: Option<Handshakes>,
}

impl TlsRecord {
    /// What the records say; `None` where TLS is off. `origin` is when the first measured request was due.
    pub fn of(
        variant: &Variant,
        measured: &[&Request],
        samples: &[Sample],
        origin: Nanos,
    ) -> Option<TlsRecord> {
        let ends = variant.topology.listener.tls;
        if !ends.at_listener() {
            return None;
        }
        let mut handshakes = Handshakes::default();
        for handshake in measured.iter().filter_map(|request| request.on?.handshake) {
            handshakes.add(handshake);
        }
        let failed = |r: &&&Request| matches!(r.outcome, Outcome::Failed { stage: Stage::Tls, .. });
        let failed = measured.iter().filter(failed).count() as u64;
        let at_backends = if ends.at_backends() { at_backends(variant, samples, origin) } else { None };
        Some(TlsRecord { ends, handshakes, failed, at_backends })
    }
}

/// A sum of some backends would pass for the sum of all. A counter begins at 0 with each incarnation.
fn at_backends(variant: &Variant, samples: &[Sample], origin: Nanos) -> Option<Handshakes> {
    let end = origin + variant.traffic.duration.0;
    let mut sum = Handshakes::default();
    for backend in variant.topology.pools.iter().flat_map(|pool| pool.serving()) {
        let seen = samples.iter().filter_map(|sample| match sample {
            Sample::Backend { at, status }
                if status.incarnation.backend == backend.id && origin <= *at && *at < end =>
            {
                Some(status)
            }
            _ => None,
        });
        let seen: Vec<_> = seen.collect();
        let [first, .., last] = seen.as_slice() else { return None };
        if first.incarnation != last.incarnation {
            return None;
        }
        let since = last.handshakes.since(first.handshakes);
        sum.full += since.full;
        sum.resumed += since.resumed;
    }
    Some(sum)
}
