//! One cell over time: few numbers, computed from all of its records, that pictures are drawn from. The records can
//! then go: a long cell has millions, and its series a few hundred points.

mod curve;
mod drops;
mod latency;
mod outcomes;
mod shares;
mod states;

use std::time::Duration;

use model::identity::CellId;
use model::units::Nanos;

use crate::analysis::Analysis;
use crate::measure::latency::Quantile;

pub use curve::Curve;
pub use drops::{DroppedRequest, Drops, LISTED};
pub use latency::{LatencyOverTime, Window};
pub use outcomes::{Group, Outcomes};
pub use shares::Shares;
pub use states::{BackendState, Band, TimelineMark};

/// What a cell looked like over time. Times are seconds from the first measured arrival.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Which cell.
    pub cell: CellId,
    /// How long the measured load lasted.
    pub seconds: f64,
    /// How requests ended, by when they were due.
    pub outcomes: Outcomes,
    /// Percentiles of the latency, by when requests were due.
    pub latency: LatencyOverTime,
    /// Percentiles of the latency over the whole load.
    pub curve: Curve,
    /// What each backend received.
    pub shares: Shares,
    /// Every backend of the cell, by name.
    pub backends: Vec<String>,
    /// What was being done to each backend, and when the balancer's view said that it was down.
    pub bands: Vec<Band>,
    /// What happened at a moment.
    pub marks: Vec<TimelineMark>,
    /// The dropped requests.
    pub drops: Drops,
}

impl Analysis<'_> {
    /// The cell over time; `None`: its load never began.
    pub fn series(&self) -> Option<Series> {
        let Analysis { records, measured, phases, .. } = self;
        let variant = self.variant?;
        let axis = Axis { origin: self.frame.origin?, length: variant.traffic.duration.0 };
        let window = axis.window(measured.len(), PER_WINDOW);
        let windows_of_latency = axis.window(measured.len(), Quantile::P99.needs());
        let mut backends: Vec<String> =
            variant.topology.pools.iter().flat_map(|p| &p.backends).map(|b| b.id.clone()).collect();
        backends.sort();
        Some(Series {
            cell: records.cell.clone(),
            seconds: axis.seconds(),
            outcomes: Outcomes::of(&axis, measured),
            latency: LatencyOverTime::of(&axis, windows_of_latency, measured),
            curve: Curve::of(measured),
            shares: Shares::of(&axis, window, &backends, records.executions.iter().chain(&self.by_log)),
            bands: states::bands(&axis, &records.history, phases),
            marks: states::marks(&axis, &records.history),
            drops: Drops::of(&axis, self.dropped()),
            backends,
        })
    }
}

/// The measured load: where times count from, and to.
struct Axis {
    origin: Nanos,
    length: Duration,
}

/// More points than these are no better to look at.
const MOST_BINS: u32 = 600;
const MOST_WINDOWS: u32 = 100;
/// A window's share is not the chance of a few.
const PER_WINDOW: u64 = 100;
/// Outcomes are counted over so long, if that makes no more than [`MOST_BINS`].
const BIN: Duration = Duration::from_millis(100);
/// Percentiles are computed over at least so long.
const WINDOW: Duration = Duration::from_millis(500);

impl Axis {
    fn seconds(&self) -> f64 {
        self.length.as_secs_f64()
    }

    /// Seconds from the first measured arrival; negative before it.
    fn at(&self, at: Nanos) -> f64 {
        at.millis_from(self.origin) / 1e3
    }

    /// The width of the bins of outcomes.
    fn bin(&self) -> Duration {
        round_multiple(BIN, |bin| self.pieces(bin) <= MOST_BINS)
    }

    /// The width of windows each of which has at least `each` of `requests`.
    fn window(&self, requests: usize, each: u64) -> Duration {
        let enough = |window: Duration| requests as f64 * window.div_duration_f64(self.length) >= each as f64;
        round_multiple(WINDOW, |window| {
            let pieces = self.pieces(window);
            pieces <= 1 || (pieces <= MOST_WINDOWS && enough(window))
        })
    }

    /// How many pieces of such a width the load has.
    fn pieces(&self, width: Duration) -> u32 {
        self.length.div_duration_f64(width).ceil() as u32
    }

    /// In which piece of such a width a time lies; `None`: not under the measured load.
    fn piece(&self, at: Nanos, width: Duration) -> Option<usize> {
        let within = at >= self.origin && at < self.origin + self.length;
        within.then(|| at.since(self.origin).div_duration_f64(width) as usize)
    }
}

/// The smallest of 1, 2, 5, 10, 20, 50 … times `unit` that `fits`.
fn round_multiple(unit: Duration, fits: impl Fn(Duration) -> bool) -> Duration {
    let steps = (0..6).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u32.pow(power)));
    let mut widths = steps.map(|times| unit * times);
    widths.find(|width| fits(*width)).unwrap_or(unit * 1_000_000)
}
