//! How requests ended, counted over short stretches of the load.

use model::claim::Metric;
use model::outcome::OutcomeKind;
use model::request::Request;
use strum::VariantArray;

use super::Axis;
use crate::measure::counts::dropped_kinds;

/// Ends of requests that are shown as one: the columns of the table of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::VariantArray)]
pub enum Group {
    /// The complete expected response, in time.
    Ok,
    /// The complete expected response, with a status other than 2xx that the scenario declares.
    ExpectedStatus,
    /// A status of 500 or more.
    Http5xx,
    /// Reset.
    Reset,
    /// Closed before the response was complete.
    Closed,
    /// The connection was refused.
    Refused,
    /// No complete response in time.
    Timeout,
    /// Never sent, because unfinished requests held every connection.
    NotSent,
    /// Dropped in another way.
    Other,
    /// Neither for nor against: the generator's own failing, or interrupted.
    Uncounted,
}

impl Group {
    /// Every group, from the bottom of a stack to its top.
    pub const ALL: &'static [Group] = Group::VARIANTS;

    /// As the table of requests calls it.
    pub fn name(self) -> &'static str {
        match self {
            Group::Ok => "ok",
            Group::ExpectedStatus => "expected status",
            Group::Http5xx => "5xx",
            Group::Reset => "reset",
            Group::Closed => "closed",
            Group::Refused => "refused",
            Group::Timeout => "timeout",
            Group::NotSent => "not sent",
            Group::Other => "other",
            Group::Uncounted => "not counted",
        }
    }

    /// Whether a user would call it a failed request.
    pub fn is_dropped(self) -> bool {
        !matches!(self, Group::Ok | Group::ExpectedStatus | Group::Uncounted)
    }

    fn of(kind: OutcomeKind) -> Group {
        let columns = [
            (Metric::Http5xx, Group::Http5xx),
            (Metric::Reset, Group::Reset),
            (Metric::Closed, Group::Closed),
            (Metric::Refused, Group::Refused),
            (Metric::Timeout, Group::Timeout),
            (Metric::NotSent, Group::NotSent),
        ];
        let column = columns
            .into_iter()
            .find(|(metric, _)| dropped_kinds(*metric).unwrap_or_default().contains(&kind));
        match (column, kind) {
            (Some((_, group)), _) => group,
            (None, OutcomeKind::Ok) => Group::Ok,
            (None, OutcomeKind::ExpectedStatus) => Group::ExpectedStatus,
            (None, kind) if kind.is_dropped() => Group::Other,
            (None, _) => Group::Uncounted,
        }
    }
}

/// Counts of requests, by when they were due.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcomes {
    /// The width of a bin, in seconds.
    pub width: f64,
    /// For each bin, the counts in the order of [`Group::ALL`].
    pub bins: Vec<[u32; Group::ALL.len()]>,
}

impl Outcomes {
    pub(super) fn of(axis: &Axis, measured: &[&Request]) -> Outcomes {
        let width = axis.bin();
        let mut bins = vec![[0; Group::ALL.len()]; axis.pieces(width) as usize];
        for request in measured {
            let bin = axis.piece(request.due, width).and_then(|piece| bins.get_mut(piece));
            if let Some(bin) = bin {
                bin[Group::of(request.outcome.kind()) as usize] += 1;
            }
        }
        Outcomes { width: width.as_secs_f64(), bins }
    }

    /// How many requests ended so.
    pub fn total(&self, group: Group) -> u64 {
        self.bins.iter().map(|bin| u64::from(bin[group as usize])).sum()
    }

    /// Whether all requests ended alike.
    pub fn is_one(&self) -> bool {
        Group::ALL.iter().filter(|group| self.total(**group) > 0).count() <= 1
    }

    /// The most requests of a bin.
    pub fn most(&self) -> u32 {
        self.bins.iter().map(|bin| bin.iter().sum()).max().unwrap_or(0)
    }

    /// The first and the last moment at which a request that was dropped was due, to a bin.
    pub fn dropped_between(&self) -> Option<(f64, f64)> {
        let dropped = |bin: &[u32; Group::ALL.len()]| {
            Group::ALL.iter().copied().any(|group| group.is_dropped() && bin[group as usize] > 0)
        };
        let first = self.bins.iter().position(dropped)?;
        let last = self.bins.iter().rposition(dropped)?;
        Some((first as f64 * self.width, (last + 1) as f64 * self.width))
    }
}
