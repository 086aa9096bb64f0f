//! What a TLS handshake costs, beside the same load without TLS.

use model::identity::BalancerName;
use model::outcome::OutcomeKind;
use model::plan::{SavedPlan, Variant};
use model::topology::Listener;
use serde::{Deserialize, Serialize};

use crate::measure::summary::CellSummary;

/// What a client's handshake cost: the CPU time of a request in this cell less that in the cell which differs in
/// nothing but TLS, for each handshake of a request. All that TLS costs is in it: on reused connections, where there are
/// few handshakes, mostly the encryption of what is said. Negative where TLS has the balancer do less.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandshakeCost {
    /// The balancer.
    pub balancer: BalancerName,
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
