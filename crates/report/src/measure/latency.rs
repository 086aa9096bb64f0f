//! Percentiles of the latency from the intended start, over all measured requests: a failure counts as
//! infinite, so that losing the slowest requests cannot make a balancer look fast.

use model::request::Request;
use serde::{Deserialize, Serialize};

pub use crate::analysis::quantile::Quantile;
use crate::analysis::quantile::rank;

/// What a percentile is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    /// So many milliseconds.
    Ms(f64),
    /// It lies among the failed requests: slower than any other.
    Failed,
    /// There are too few requests to tell it.
    TooFew,
}

/// Percentiles in milliseconds; `None` lies among the failed requests, or there are too few requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencySummary {
    /// The median.
    pub p50: Option<f64>,
    /// 90 % are at most as slow.
    pub p90: Option<f64>,
    /// 95 % are at most as slow.
    #[serde(default = "not_told", skip_serializing_if = "is_not_told")]
    pub p95: Option<f64>,
    /// 99 % are at most as slow.
    pub p99: Option<f64>,
    /// 99.9 % are at most as slow.
    pub p999: Option<f64>,
    /// The slowest.
    pub max: Option<f64>,
    /// Requests in all.
    #[serde(default)]
    pub requests: u64,
    /// Requests that count as infinite.
    pub failed: u64,
    /// The client's timeout: what a failed request took is more than this.
    pub timeout_ms: f64,
}

/// Stands for what an earlier version did not tell: neither a time nor one among the failed requests.
fn not_told() -> Option<f64> {
    Some(f64::NAN)
}

fn is_not_told(level: &Option<f64>) -> bool {
    level.is_some_and(f64::is_nan)
}

impl LatencySummary {
    /// Percentiles over `requests`.
    pub fn of<'a>(requests: impl IntoIterator<Item = &'a Request>, timeout_ms: f64) -> LatencySummary {
        let mut times = Vec::new();
        let mut failed = 0;
        for request in requests {
            if request.outcome.kind().is_delivered() {
                times.push(request.end.millis_from(request.due).max(0.0));
            } else {
                failed += 1;
            }
        }
        times.sort_unstable_by(f64::total_cmp);
        let total = times.len() as u64 + failed;
        let quantile = |q: Quantile| {
            let time = times.get(rank(q.part(), total)).copied();
            time.filter(|_| total >= q.needs())
        };
        LatencySummary {
            p50: quantile(Quantile::P50),
            p90: quantile(Quantile::P90),
            p95: quantile(Quantile::P95),
            p99: quantile(Quantile::P99),
            p999: quantile(Quantile::P999),
            max: quantile(Quantile::Max),
            requests: total,
            failed,
            timeout_ms,
        }
    }

    /// One of them.
    pub fn level(&self, quantile: Quantile) -> Level {
        let ms = match quantile {
            Quantile::P50 => self.p50,
            Quantile::P90 => self.p90,
            Quantile::P95 => self.p95,
            Quantile::P99 => self.p99,
            Quantile::P999 => self.p999,
            Quantile::Max => self.max,
        };
        match ms {
            // It was not said.
            Some(ms) if ms.is_nan() => Level::TooFew,
            Some(ms) => Level::Ms(ms),
            None if self.failed > 0 && self.requests >= quantile.needs() => Level::Failed,
            None => Level::TooFew,
        }
    }

    /// Those that there are requests enough for.
    pub fn told(&self) -> impl Iterator<Item = Quantile> {
        Quantile::ALL.iter().copied().filter(|quantile| self.level(*quantile) != Level::TooFew)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_needs_five_requests_beyond_it_and_the_slowest_is_always_one() {
        assert_eq!(
            Quantile::ALL.iter().map(|it| it.needs()).collect::<Vec<_>>(),
            [10, 50, 100, 500, 5000, 1]
        );
        let told = |requests, failed| {
            let latency = LatencySummary { requests, failed, max: Some(1.0), ..LatencySummary::default() };
            latency.told().collect::<Vec<_>>()
        };
        assert_eq!(told(499, 1), [Quantile::P50, Quantile::P90, Quantile::P95, Quantile::Max]);
        assert_eq!(told(500, 1).len(), 5);
        assert_eq!(told(9, 1), [Quantile::Max]);
    }

    #[test]
    fn what_an_earlier_version_did_not_tell_is_not_taken_for_failed() {
        let saved = r#"{"p50": 1.0, "p90": 2.0, "p99": null, "p999": null, "max": null, "requests": 9000, "failed": 300,
                        "timeout_ms": 10000.0}"#;
        let latency: LatencySummary = serde_json::from_str(saved).expect("it is a latency");
        let again: LatencySummary = serde_json::from_str(&serde_json::to_string(&latency).unwrap()).unwrap();
        for latency in [latency, again] {
            assert_eq!(
                [Quantile::P95, Quantile::P99].map(|q| latency.level(q)),
                [Level::TooFew, Level::Failed]
            );
        }
    }
}
