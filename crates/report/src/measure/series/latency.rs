//! Percentiles of the latency, window by window.

use std::time::Duration;

use model::request::Request;

use super::Axis;
use crate::measure::latency::LatencySummary;

/// A line that rises no further than this is level to the eye, and within what a few requests make of a percentile.
const LEVEL: f64 = 1.5;

/// Percentiles of the requests due in each window, failures counted as infinite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LatencyOverTime {
    /// The width of a window, in seconds.
    pub width: f64,
    /// Each window, in order.
    pub windows: Vec<Window>,
}

/// One window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Window {
    /// Requests due in it.
    pub requests: u64,
    /// Their percentiles.
    pub latency: LatencySummary,
}

impl LatencyOverTime {
    pub(super) fn of(axis: &Axis, width: Duration, measured: &[&Request]) -> LatencyOverTime {
        let mut windows = vec![Vec::new(); axis.pieces(width) as usize];
        for request in measured {
            let window = axis.piece(request.due, width).and_then(|piece| windows.get_mut(piece));
            if let Some(window) = window {
                window.push(*request);
            }
        }
        let window = |requests: Vec<&Request>| Window {
            requests: requests.len() as u64,
            latency: LatencySummary::of(requests, 0.0),
        };
        LatencyOverTime { width: width.as_secs_f64(), windows: windows.into_iter().map(window).collect() }
    }

    /// Whether a picture of it would show level lines: no percentile goes far from its own least value.
    pub fn is_level(&self) -> bool {
        let percentiles: [fn(&Window) -> Option<f64>; 3] =
            [|window| window.latency.p50, |window| window.latency.p90, |window| window.latency.p99];
        let windows = || self.windows.iter().filter(|window| window.requests > 0);
        percentiles.iter().all(|of| {
            let ends = windows().try_fold((f64::INFINITY, 0.0_f64), |(least, most), window| {
                of(window).map(|ms| (least.min(ms), most.max(ms)))
            });
            ends.is_some_and(|(least, most)| most <= least * LEVEL)
        })
    }

    /// The greatest p99 that is one of a request that ended well, in milliseconds.
    pub fn greatest(&self) -> Option<f64> {
        let shown = self.windows.iter().flat_map(|w| [w.latency.p50, w.latency.p90, w.latency.p99]);
        shown.flatten().max_by(f64::total_cmp)
    }
}
