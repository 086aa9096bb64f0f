//! The percentile curve of a cell: how slow the slowest so many are.

use model::request::Request;

use crate::analysis::quantile::rank;

/// Points for each factor of ten in the part that is slower.
const PER_DECADE: f64 = 10.0;

/// Latency by quantile, over all measured requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// One in how many requests is slower (10 is the 90th percentile), and the latency in milliseconds.
    pub points: Vec<(f64, f64)>,
    /// One in how many requests failed: what is rarer lies among these, and has no latency; `None`: none failed.
    pub failed_from: Option<f64>,
    /// Measured requests: nothing rarer than one in so many can be told.
    pub requests: u64,
}

impl Curve {
    pub(super) fn of(measured: &[&Request]) -> Curve {
        let ok = measured.iter().filter(|request| request.outcome.kind().is_delivered());
        let mut times: Vec<f64> = ok.map(|request| request.end.millis_from(request.due).max(0.0)).collect();
        times.sort_by(f64::total_cmp);
        let total = measured.len() as u64;
        let failed = total - times.len() as u64;
        let steps = ((total.max(1) as f64).log10() * PER_DECADE).floor() as u32;
        let one_in = (0..=steps).map(|step| 10_f64.powf(f64::from(step) / PER_DECADE));
        let point = |one_in: f64| Some((one_in, *times.get(rank(1.0 - 1.0 / one_in, total))?));
        Curve {
            points: one_in.map_while(point).collect(),
            failed_from: (failed > 0).then(|| total as f64 / failed as f64),
            requests: total,
        }
    }
}
