//! How close the generator came to the limit of one processor.

use std::collections::VecDeque;
use std::time::Duration;

use model::units::Nanos;

/// Over less than this a share says nothing.
const WINDOW: Duration = Duration::from_secs(1);

/// The busiest second, by readings of its CPU time that come several times a second.
pub(crate) struct Busiest {
    origin: Nanos,
    /// Those of the last second, the oldest first.
    readings: VecDeque<(Nanos, f64)>,
    share: Option<f64>,
}

impl Busiest {
    /// Readings before `origin` are of the warm-up, and not looked at.
    pub(crate) fn new(origin: Nanos) -> Busiest {
        Busiest { origin, readings: VecDeque::new(), share: None }
    }

    /// Takes a reading.
    pub(crate) fn add(&mut self, at: Nanos, cpu_seconds: f64) {
        if at < self.origin {
            return;
        }
        self.readings.push_back((at, cpu_seconds));
        // The oldest is the youngest that is a whole window old.
        while self.readings.get(1).is_some_and(|(next, _)| at.since(*next) >= WINDOW) {
            self.readings.pop_front();
        }
        let Some((from, before)) = self.readings.front().copied() else { return };
        let span = at.since(from);
        if span >= WINDOW {
            let share = (cpu_seconds - before) / span.as_secs_f64();
            self.share = Some(self.share.unwrap_or(0.0).max(share));
        }
    }

    /// Its part of a processor; `None`: there was no whole second.
    pub(crate) fn share(&self) -> Option<f64> {
        self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busiest(readings: &[(i64, f64)]) -> Option<f64> {
        let mut busiest = Busiest::new(Nanos(0));
        for (ms, seconds) in readings {
            busiest.add(Nanos(ms * 1_000_000), *seconds);
        }
        busiest.share().map(|share| (share * 1e3).round() / 1e3)
    }

    #[test]
    fn the_busiest_second_counts_and_not_the_mean() {
        let mut readings: Vec<(i64, f64)> = (0..8).map(|n| (n * 250, 0.1 * n as f64)).collect();
        readings.extend((1..9).map(|n| (1750 + n * 250, 0.7 + 0.24 * n as f64)));
        readings.extend((1..9).map(|n| (3750 + n * 250, 2.62)));
        assert_eq!(busiest(&readings), Some(0.96));
    }

    #[test]
    fn the_warm_up_and_less_than_a_second_say_nothing() {
        assert_eq!(busiest(&[(-1000, 0.0), (-500, 0.5), (0, 1.0), (900, 1.9)]), None);
        assert_eq!(busiest(&[(-1000, 0.0), (0, 1.0), (1000, 1.5)]), Some(0.5));
    }

    #[test]
    fn a_reading_that_comes_late_covers_what_it_covers() {
        assert_eq!(busiest(&[(0, 0.0), (250, 0.1), (3250, 0.4)]), Some(0.1));
    }
}
