//! The one scale that all pictures of a run share, so that they can be compared by eye.

use crate::measure::series::Series;

/// How far the axes reach.
pub(crate) struct Scale {
    /// Time, in seconds.
    pub(crate) seconds: f64,
    /// Requests per bin.
    pub(crate) requests: f64,
    /// Latency over time, in milliseconds.
    pub(crate) ms: f64,
}

impl Scale {
    /// Far enough for all of `series`.
    pub(crate) fn of(series: &[Series]) -> Scale {
        let most = |of: fn(&Series) -> f64, least: f64| series.iter().map(of).fold(least, f64::max);
        Scale {
            seconds: most(|s| s.seconds, 1e-3),
            requests: most(|s| f64::from(s.outcomes.most()), 1.0) * 1.05,
            ms: most(|s| s.latency.greatest().unwrap_or(0.0), 1e-3) * 1.1,
        }
    }
}
