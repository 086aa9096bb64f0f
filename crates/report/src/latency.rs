//! Percentiles of the latency from the intended start, over all measured requests: a failure counts as
//! infinite, so that losing the slowest requests cannot make a balancer look fast.

use model::outcome::OutcomeKind;
use model::request::Request;
use serde::{Deserialize, Serialize};

/// Percentiles in milliseconds; `None` lies among the failed requests, or there are no requests at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The median.
    pub p50: Option<f64>,
    /// 90 % are at most as slow.
    pub p90: Option<f64>,
    /// 99 % are at most as slow.
    pub p99: Option<f64>,
    /// 99.9 % are at most as slow.
    pub p999: Option<f64>,
    /// The slowest.
    pub max: Option<f64>,
    /// Requests that count as infinite.
    pub failed: u64,
    /// The client's time-out: what a failed request took is more than this.
    pub timeout_ms: f64,
}

impl Latency {
    /// Percentiles over `requests`.
    pub fn of<'a>(requests: impl IntoIterator<Item = &'a Request>, timeout_ms: f64) -> Latency {
        let mut times = Vec::new();
        let mut failed = 0;
        for request in requests {
            if request.outcome.kind() == OutcomeKind::Ok {
                times.push(request.end.millis_from(request.due));
            } else {
                failed += 1;
            }
        }
        times.sort_by(f64::total_cmp);
        let total = times.len() as u64 + failed;
        let quantile = |q: f64| times.get(rank(q, total)).copied();
        Latency {
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: quantile(1.0),
            failed,
            timeout_ms,
        }
    }
}

/// The index of the `q`-quantile among `total` sorted values: the smallest value that at least that part of
/// them does not exceed.
pub(crate) fn rank(q: f64, total: u64) -> usize {
    // 0.999 × 1000 is 999.0000000000001 in binary; the tolerance keeps it from rounding up to the next rank.
    let rank = (q * total as f64 - 1e-9).ceil() as usize;
    rank.saturating_sub(1)
}
