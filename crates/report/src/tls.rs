//! TLS of a cell: the handshakes that clients and backends made, and what one costs beside the same load without TLS.

use model::catalog::BalancerKind;
use model::outcome::{Outcome, OutcomeKind, Stage};
use model::plan::{SavedPlan, Variant};
use model::request::Request;
use model::sample::Sample;
use model::tls::{Handshakes, Tls};
use model::topology::Listener;
use model::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::summary::CellSummary;

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
    /// What the records say; `None` where nobody speaks TLS. `origin` is when the first measured request was due.
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

/// A sum of some backends would pass for the sum of all. A counter begins anew with each incarnation.
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

/// What a client's handshake cost: the CPU time of a request in this cell less that in the cell which differs in
/// nothing but TLS, for each handshake of a request. All that TLS costs is in it: on reused connections, where there are
/// few handshakes, mostly the encryption of what is said. Negative where TLS has the balancer do less.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandshakeCost {
    /// The balancer.
    pub balancer: BalancerKind,
    /// The variant.
    pub variant: String,
    /// The repeat.
    pub repeat: u32,
    /// The variant that it is compared with: the same, without TLS at layer 7.
    pub beside: String,
    /// More CPU time of the balancer, in microseconds for each handshake.
    pub balancer_us: Option<f64>,
    /// More CPU time of all backends, likewise.
    pub backends_us: Option<f64>,
}

/// The costs in those cells that have another beside them, and at least one handshake in two requests.
pub fn costs(plan: &SavedPlan, cells: &[CellSummary]) -> Vec<HandshakeCost> {
    let cost = |cell: &CellSummary| {
        let handshakes = cell.tls.as_ref()?.handshakes.all();
        let often = handshakes * 2 >= cell.counts.scheduled && handshakes > 0;
        let variant = plan.variant(&cell.variant).filter(|_| often)?;
        let beside = plan
            .variants
            .iter()
            .find(|other| is_plain(other) && without_tls(other) == without_tls(variant))?;
        let same = |other: &&CellSummary| {
            (other.balancer, other.repeat, &other.variant) == (cell.balancer, cell.repeat, &beside.name)
        };
        let plain = cells.iter().find(same)?;
        let unbegun = [OutcomeKind::NotSentBacklog, OutcomeKind::GeneratorFault, OutcomeKind::Cancelled];
        let begun = cell.counts.scheduled - cell.counts.of_any(&unbegun);
        let each = handshakes as f64 / begun as f64;
        // A difference is worth what the worse of its two sides is.
        let trusted = cell.cpu_is_usable() && plain.cpu_is_usable();
        let more = |here: Option<f64>, there: Option<f64>| {
            if trusted { Some((here? - there?) / each) } else { None }
        };
        Some(HandshakeCost {
            balancer: cell.balancer,
            variant: cell.variant.clone(),
            repeat: cell.repeat,
            beside: beside.name.clone(),
            balancer_us: more(cell.cpu.balancer_us_per_request, plain.cpu.balancer_us_per_request),
            backends_us: more(cell.cpu.backends_us_per_request, plain.cpu.backends_us_per_request),
        })
    };
    cells.iter().filter_map(cost).collect()
}

fn is_plain(variant: &Variant) -> bool {
    variant.topology.listener == Listener::default()
}

/// `variant` under no name, as it would be without TLS.
fn without_tls(variant: &Variant) -> Variant {
    let mut plain = Variant { name: String::new(), ..variant.clone() };
    plain.topology.listener = Listener::default();
    plain.traffic.resumption = true;
    plain
}
