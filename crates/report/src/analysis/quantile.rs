//! The percentiles that are told, and what it takes to tell one.

use model::claim::Metric;
use serde::{Deserialize, Serialize};
use strum::VariantArray;

/// A percentile with fewer requests than this beyond it is the luck of a few, and not told.
const BEYOND: u64 = 5;

/// The percentiles that are told, and the slowest request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Quantile {
    /// The median.
    P50,
    /// 90 % are at most as slow.
    P90,
    /// 95 % are at most as slow.
    P95,
    /// 99 % are at most as slow.
    P99,
    /// 99.9 % are at most as slow.
    P999,
    /// The slowest: one request, and no estimate of anything.
    Max,
}

impl Quantile {
    /// Each of them, the fastest first.
    pub const ALL: &'static [Quantile] = Quantile::VARIANTS;

    /// Those with a column in the tables of latency, which have no room for more.
    pub const TABLED: [Quantile; 5] =
        [Quantile::P50, Quantile::P90, Quantile::P99, Quantile::P999, Quantile::Max];

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Quantile::P50 => "p50",
            Quantile::P90 => "p90",
            Quantile::P95 => "p95",
            Quantile::P99 => "p99",
            Quantile::P999 => "p99.9",
            Quantile::Max => "max",
        }
    }

    /// The part of the requests that is at most as slow, in thousandths.
    fn thousandths(self) -> u64 {
        match self {
            Quantile::P50 => 500,
            Quantile::P90 => 900,
            Quantile::P95 => 950,
            Quantile::P99 => 990,
            Quantile::P999 => 999,
            Quantile::Max => 1000,
        }
    }

    /// The part of the requests that is at most as slow.
    pub fn part(self) -> f64 {
        self.thousandths() as f64 / 1e3
    }

    /// How many requests it takes to tell it.
    pub fn needs(self) -> u64 {
        (BEYOND * 1000).checked_div(1000 - self.thousandths()).unwrap_or(1)
    }

    /// The one that a claim calls `metric`; `None`: that is none.
    pub fn of(metric: Metric) -> Option<Quantile> {
        Some(match metric {
            Metric::P50 => Quantile::P50,
            Metric::P90 => Quantile::P90,
            Metric::P95 => Quantile::P95,
            Metric::P99 => Quantile::P99,
            Metric::P999 => Quantile::P999,
            Metric::Max => Quantile::Max,
            _ => return None,
        })
    }
}

/// The index of the `q`-quantile among `total` sorted values: the smallest value that at least that part of
/// them does not exceed.
pub(crate) fn rank(q: f64, total: u64) -> usize {
    // 0.999 × 1000 is 999.0000000000001 in binary; the tolerance keeps it from rounding up to the next rank.
    let rank = (q * total as f64 - 1e-9).ceil() as usize;
    rank.saturating_sub(1)
}
