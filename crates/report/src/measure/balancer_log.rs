//! What the balancer's log says of the measured requests, beside how they ended: how many it refused because of a limit, how
//! long they waited for a backend, and how often it tried.

use model::access_log::{LogGap, Logged};
use model::request::Request;
use serde::{Deserialize, Serialize};

use crate::analysis::books::Books;
use crate::analysis::joined::Joined;
use crate::analysis::quantile::{Quantile, rank};

/// Over the measured requests that the log has a line about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalancerLog {
    /// How many those are.
    pub requests: u64,
    /// Those that the balancer refused because of a limit; `None`: its log does not tell them from those that found no live
    /// backend.
    pub refused_by_limit: Option<u64>,
    /// How long they waited at the balancer; `None`: its log does not say.
    pub queued: Option<Queued>,
    /// Those that it tried at a backend.
    pub tried: u64,
    /// Its attempts in all; `None`: its log does not say how often it tried.
    pub attempts: Option<u64>,
}

/// How long requests waited at the balancer until there was a backend, or a connection to one, for them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queued {
    /// Those of which the log says it: a request that was refused at once did not wait.
    pub requests: u64,
    /// The median, in milliseconds; `None`: too few requests.
    pub p50_ms: Option<f64>,
    /// What 99 % did not exceed, in milliseconds; `None`: too few requests.
    pub p99_ms: Option<f64>,
    /// The longest, in milliseconds.
    pub max_ms: f64,
}

impl BalancerLog {
    /// Reads the lines about `measured`; `None`: there is no log that could be held against them.
    pub fn of(
        measured: &[&Request],
        joined: &Joined<'_>,
        books: &Books,
        gaps: &[LogGap],
    ) -> Option<BalancerLog> {
        if books.blind().is_some() {
            return None;
        }
        let lines: Vec<&Logged> =
            measured.iter().filter_map(|request| joined.get(request.id).logged.last().copied()).collect();
        let refused = lines.iter().filter(|line| line.reason.is_some_and(|reason| reason.is_limit()));
        let attempts = |line: &&Logged| line.attempts.len() as u64;
        Some(BalancerLog {
            requests: lines.len() as u64,
            refused_by_limit: (!gaps.contains(&LogGap::LimitUntold)).then(|| refused.count() as u64),
            queued: Queued::of(
                lines.iter().filter_map(|line| line.queued).map(|it| it.as_millis()).collect(),
            ),
            tried: lines.iter().filter(|line| attempts(line) > 0).count() as u64,
            attempts: (!gaps.contains(&LogGap::RetriesUntold)).then(|| lines.iter().map(attempts).sum()),
        })
    }

    /// Attempts beyond the first, for each request that was tried; `None`: none was, or the log does not count them.
    pub fn retries_per_request(&self) -> Option<f64> {
        let attempts = self.attempts.filter(|_| self.tried > 0)?;
        Some(attempts.saturating_sub(self.tried) as f64 / self.tried as f64)
    }
}

impl Queued {
    fn of(mut ms: Vec<f64>) -> Option<Queued> {
        ms.sort_by(f64::total_cmp);
        let requests = ms.len() as u64;
        let quantile = |quantile: Quantile| {
            let at = ms.get(rank(quantile.part(), requests)).copied();
            at.filter(|_| requests >= quantile.needs())
        };
        Some(Queued {
            requests,
            p50_ms: quantile(Quantile::P50),
            p99_ms: quantile(Quantile::P99),
            max_ms: *ms.last()?,
        })
    }
}
