//! How the measured requests ended, by kind.

use std::collections::BTreeMap;

use model::claim::Metric;
use model::outcome::OutcomeKind;
use serde::{Deserialize, Serialize};

/// Counts of the measured requests. The kinds always sum to `scheduled`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All of them.
    pub scheduled: u64,
    /// Those that a user would call failed requests.
    pub dropped: u64,
    /// By kind, each of which is present.
    #[serde(flatten)]
    kinds: BTreeMap<OutcomeKind, u64>,
}

impl Counts {
    /// Counts `kinds`.
    pub fn of_all(kinds: impl IntoIterator<Item = OutcomeKind>) -> Counts {
        let mut counts = Counts {
            kinds: OutcomeKind::ALL.iter().copied().map(|kind| (kind, 0)).collect(),
            ..Counts::default()
        };
        kinds.into_iter().for_each(|kind| counts.add(kind));
        counts
    }

    /// Counts one more.
    pub(crate) fn add(&mut self, kind: OutcomeKind) {
        self.scheduled += 1;
        self.dropped += u64::from(kind.is_dropped());
        *self.kinds.entry(kind).or_default() += 1;
    }

    /// How many ended as `kind`.
    pub fn of(&self, kind: OutcomeKind) -> u64 {
        self.kinds.get(&kind).copied().unwrap_or(0)
    }

    /// How many ended as one of `kinds`.
    pub fn of_any(&self, kinds: &[OutcomeKind]) -> u64 {
        kinds.iter().map(|kind| self.of(*kind)).sum()
    }
}

/// The kinds of outcome that `metric` counts as dropped; `None` if it counts something else.
pub fn dropped_kinds(metric: Metric) -> Option<&'static [OutcomeKind]> {
    use OutcomeKind::*;
    Some(match metric {
        Metric::Dropped => OutcomeKind::ALL,
        Metric::Http5xx => &[Http5xx],
        Metric::Reset => &[Reset, ConnectReset],
        Metric::Closed => &[Closed],
        Metric::Refused => &[Refused],
        Metric::Timeout => &[Timeout, ConnectTimeout],
        Metric::NotSent => &[NotSentBacklog],
        _ => return None,
    })
}
