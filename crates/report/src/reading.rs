//! The number that a claim is about, looked up in a cell's summary.

use model::claim::{Comparison, Metric, Operand, Unit};
use model::outcome::OutcomeKind;

use crate::figures::{millis, percent};
use crate::summary::CellSummary;
use crate::validity::Validity;

/// Why a cell has no such number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoReading(pub String);

/// The kinds of outcome that `metric` counts as dropped; `None` if it counts something else.
pub fn dropped_kinds(metric: Metric) -> Option<&'static [OutcomeKind]> {
    use OutcomeKind::*;
    Some(match metric {
        Metric::Dropped => &OutcomeKind::ALL,
        Metric::Http5xx => &[Http5xx],
        Metric::Reset => &[Reset, ConnectReset],
        Metric::Closed => &[Closed],
        Metric::Refused => &[Refused],
        Metric::Timeout => &[Timeout, ConnectTimeout],
        Metric::NotSent => &[NotSentBacklog],
        _ => return None,
    })
}

/// Reads `metric` of `cell`: a count, milliseconds (infinite among failed requests), or a share from 0 to 1.
pub fn read(cell: &CellSummary, metric: Metric, facet: Option<&str>) -> Result<f64, NoReading> {
    let no_deploy = || NoReading(format!("{} has no deploy", cell.cell()));
    let deploy = || cell.deploy.as_ref().ok_or_else(no_deploy);
    let latency = |quantile: Option<f64>| match quantile {
        None if cell.counts.scheduled == 0 => Err(NoReading("no request was measured".to_owned())),
        quantile => Ok(quantile.unwrap_or(f64::INFINITY)),
    };
    let count = |count: u64| Ok(count as f64);
    match metric {
        Metric::Scheduled => count(cell.counts.scheduled),
        Metric::Ok => count(cell.counts.of(OutcomeKind::Ok)),
        Metric::Dropped => count(cell.counts.dropped),
        Metric::Http5xx
        | Metric::Reset
        | Metric::Closed
        | Metric::Refused
        | Metric::Timeout
        | Metric::NotSent => count(cell.counts.of_any(dropped_kinds(metric).unwrap_or_default())),
        Metric::Duplicates => count(cell.books.duplicates),
        Metric::Masked => count(cell.books.masked),
        Metric::Replaced => count(deploy()?.replaced),
        Metric::Aborted => count(u64::from(deploy()?.aborted.is_some())),
        Metric::DrainsExpired => count(deploy()?.drains_expired),
        Metric::LongestDrain => match deploy()?.longest_drain {
            Some(longest) => Ok(longest.as_millis()),
            None => Err(NoReading("nothing was drained".to_owned())),
        },
        Metric::P50 => latency(cell.latency_ms.p50),
        Metric::P90 => latency(cell.latency_ms.p90),
        Metric::P99 => latency(cell.latency_ms.p99),
        Metric::P999 => latency(cell.latency_ms.p999),
        Metric::Max => latency(cell.latency_ms.max),
        Metric::BackendShare => match facet.and_then(|backend| cell.backends.get(backend)) {
            Some(share) => Ok(share.share),
            None => Err(NoReading(format!("{} has no backend {}", cell.cell(), facet.unwrap_or("?")))),
        },
    }
}

/// Whether `metric` is a percentile of the latency.
pub fn is_latency(metric: Metric) -> bool {
    metric.unit() == Unit::Span && metric != Metric::LongestDrain
}

/// What has to be trusted so that `metric` can be.
pub fn inputs(cell: &CellSummary, metric: Metric) -> Vec<&Validity> {
    let mut inputs = vec![&cell.validity.counts];
    if is_latency(metric) {
        inputs.push(&cell.validity.latency);
    }
    if matches!(metric, Metric::Replaced | Metric::Aborted | Metric::DrainsExpired | Metric::LongestDrain) {
        inputs.extend(&cell.validity.deploy);
    }
    inputs
}

/// Whether `left comparison right` holds.
pub fn compare(left: f64, comparison: Comparison, right: f64) -> bool {
    match comparison {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => left < right,
        Comparison::AtMost => left <= right,
        Comparison::Greater => left > right,
        Comparison::AtLeast => left >= right,
    }
}

/// Whether a claim says that there is none of something.
pub fn claims_zero(comparison: Comparison, right: &Operand) -> bool {
    matches!(
        (comparison, right),
        (Comparison::Equal | Comparison::AtMost, Operand::Count(0)) | (Comparison::Less, Operand::Count(1))
    )
}

/// The number with its unit and, for a count of requests, out of how many.
pub fn show(cell: &CellSummary, metric: Metric, value: f64) -> String {
    match metric.unit() {
        Unit::Span if value.is_infinite() => beyond(cell),
        Unit::Span => millis(value),
        Unit::Share => percent(value),
        Unit::Count if dropped_kinds(metric).is_some() || metric == Metric::Ok => {
            format!("{value} of {}", cell.counts.scheduled)
        }
        Unit::Count => value.to_string(),
    }
}

/// A percentile that falls among the failed requests.
pub fn beyond(cell: &CellSummary) -> String {
    let latency = &cell.latency_ms;
    format!("> {} ({} failed)", millis(latency.timeout_ms), latency.failed)
}
