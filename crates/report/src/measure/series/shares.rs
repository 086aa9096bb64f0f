//! Which backend received how many requests, window by window.

use std::time::Duration;

use model::ledger::Execution;

use super::Axis;

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

    /// Requests of the backend at `place`.
    pub fn total(&self, place: usize) -> u64 {
        self.windows.iter().map(|window| window[place]).sum()
    }
}
