//! What reloads of the balancer cost.

use model::request::Request;
use model::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::analysis::attribution::DroppedGroup;
use crate::analysis::phases::Phase;

/// The reloads of a cell, beside what they may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReloadRecord {
    /// How many there were under load.
    pub count: u64,
    /// Requests dropped shortly after one, at a backend to which nothing was done.
    pub dropped: u64,
    /// The same, for one reload.
    pub dropped_per_reload: f64,
    /// Connections that measured requests opened, per second of their schedule; `None`: the schedule has no length.
    pub new_connections_per_second: Option<f64>,
}

impl ReloadRecord {
    /// What `reloads` cost; `None`: there were none.
    pub(crate) fn of(
        reloads: &[Nanos],
        dropped: &[DroppedGroup],
        measured: &[&Request],
    ) -> Option<ReloadRecord> {
        let count = reloads.len() as u64;
        if count == 0 {
            return None;
        }
        let by_a_reload = dropped.iter().filter(|group| group.source.phase == Phase::Reload);
        let dropped = by_a_reload.map(|group| group.count).sum();
        let due = || measured.iter().map(|request| request.due);
        let seconds = due().min().zip(due().max()).map_or(0.0, |(first, last)| last.millis_from(first) / 1e3);
        let opened = measured.iter().filter(|request| request.on.is_some_and(|on| on.nth == 1)).count();
        Some(ReloadRecord {
            count,
            dropped,
            dropped_per_reload: dropped as f64 / count as f64,
            new_connections_per_second: (seconds > 0.0).then(|| opened as f64 / seconds),
        })
    }
}

/// What the same load dropped without the reloads: with a server that a reload trusts again, no request says by itself that
/// the reload cost it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithoutReloads {
    /// The variant that differs in nothing else.
    pub variant: String,
    /// Requests that it dropped.
    pub dropped: u64,
}
