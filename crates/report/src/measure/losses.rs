//! When requests were lost: from when on, and for how long at a stretch.

use model::request::Request;
use model::units::Nanos;
use serde::{Deserialize, Serialize};

/// When the measured requests of a cell were dropped, by when they were due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// From the first measured request to the first that was dropped, in milliseconds; `None`: none was.
    pub first_ms: Option<f64>,
    /// The longest part of the schedule in which every request was dropped, in milliseconds: from the first of them to the
    /// next that was not, or to the last of all.
    pub longest_ms: f64,
}

impl Losses {
    /// Over the `measured` requests.
    pub fn of(measured: &[&Request]) -> Losses {
        let mut ends: Vec<(Nanos, bool)> =
            measured.iter().map(|r| (r.due, r.outcome.kind().is_dropped())).collect();
        ends.sort_unstable();
        let (mut losses, mut since) = (Losses::default(), None);
        for (due, dropped) in &ends {
            if *dropped && losses.first_ms.is_none() {
                losses.first_ms = Some(due.millis_from(ends[0].0));
            }
            let from = if *dropped { Some(*since.get_or_insert(*due)) } else { since.take() };
            let lasted = from.map_or(0.0, |from| due.millis_from(from));
            losses.longest_ms = losses.longest_ms.max(lasted);
        }
        losses
    }
}
