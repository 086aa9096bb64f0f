//! When a backend that was turned away has nothing left.

use std::time::Duration;

use super::{DrainReading, POLL};

/// Since when a backend has had nothing in flight and received nothing.
#[derive(Default)]
pub(super) struct Quiet {
    /// When the first of the zero readings was in, the receipts that it told, and how long zero must last.
    since: Option<(Duration, u64, Duration)>,
}

impl Quiet {
    /// Takes in a reading that was asked for at one time and answered at another: zero counts from the first
    /// one's answer to the last one's question.
    pub(super) fn is_confirmed_by(
        &mut self,
        reading: DrainReading,
        asked: Duration,
        answered: Duration,
    ) -> bool {
        match reading {
            DrainReading::Lingering | DrainReading::Unreadable | DrainReading::Dead => {
                self.since = None;
                false
            }
            DrainReading::InFlight { count, received, steady, .. } => {
                self.since = match self.since {
                    _ if count > 0 => None,
                    Some(zero) if zero.1 == received => Some(zero),
                    _ => Some((answered, received, steady)),
                };
                self.since.is_some_and(|(since, ..)| asked.saturating_sub(since) >= steady)
            }
        }
    }

    /// When a zero that lasts will have been confirmed; at the beginning, if there is no zero.
    pub(super) fn confirmed_by(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |(since, _, steady)| since + steady + 5 * POLL)
    }
}
