//! Which backend received how many requests, window by window.

use std::time::Duration;

use model::ledger::Execution;

use super::Axis;

/// A layer whose edges move no further than this is level to the eye.
const LEVEL: f64 = 0.05;
/// The shares of so few requests are not looked at.
const FEW: u64 = 50;

/// Requests that backends received, by their own ledgers or else by the balancer's log: what a client gave up is among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shares {
    /// The width of a window, in seconds.
    pub width: f64,
    /// For each window, the requests of each backend, in the order of the cell's backends.
    pub windows: Vec<Vec<u64>>,
}

impl Shares {
    pub(super) fn of<'e>(
        axis: &Axis,
        width: Duration,
        backends: &[String],
        executions: impl Iterator<Item = &'e Execution>,
    ) -> Shares {
        let mut windows = vec![vec![0; backends.len()]; axis.pieces(width) as usize];
        for execution in executions {
            let window = axis.piece(execution.received, width).and_then(|piece| windows.get_mut(piece));
            let place = backends.iter().position(|backend| *backend == execution.by.backend);
            if let (Some(window), Some(place)) = (window, place) {
                window[place] += 1;
            }
        }
        Shares { width: width.as_secs_f64(), windows }
    }

    /// Whether a picture of it would show level layers: no window's share is far from that of all.
    pub fn is_level(&self) -> bool {
        let all: u64 = self.windows.iter().flatten().sum();
        let part = |requests: u64, of: u64| requests as f64 / of.max(1) as f64;
        let sums = self.windows.iter().map(|window| (window, window.iter().sum::<u64>()));
        // The last window may be cut short, and the share of a few is chance.
        let seen: Vec<_> = sums.filter(|(_, sum)| *sum >= FEW).collect();
        let backends = self.windows.first().map_or(0, Vec::len);
        (0..backends).all(|place| {
            let share = part(self.total(place), all);
            seen.iter().all(|(window, sum)| (part(window[place], *sum) - share).abs() <= LEVEL)
        })
    }

    /// Requests of the backend at `place`.
    pub fn total(&self, place: usize) -> u64 {
        self.windows.iter().map(|window| window[place]).sum()
    }
}
