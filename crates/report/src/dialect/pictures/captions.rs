//! What pictures show, in words: their captions, and what stands for them where they can't be seen.

use crate::figure::bounds;
use crate::figure::reading::beyond;
use crate::measure::latency::{Level, Quantile};
use crate::measure::series::{Band, DroppedRequest, Group, Series, Window};
use crate::measure::summary::CellSummary;
use crate::numbers::{NONE, millis, number, percent};

/// More bands than these are not told one by one.
const BANDS: usize = 40;

/// `298 dropped`, or a zero with its bound.
pub(crate) fn dropped(cell: &CellSummary) -> String {
    let shadows = bounds::shadows(std::iter::once(&cell.books));
    match (cell.counts.dropped, &cell.zero.says) {
        (0, Some(bound)) => format!("0 dropped ({bound}), {shadows}"),
        (0, None) => format!("0 dropped, {shadows}"),
        (n, _) => format!("{n} dropped"),
    }
}

fn seconds(at: f64) -> String {
    number((at * 100.0).round() / 100.0)
}

pub(crate) fn outcomes(cell: &CellSummary, series: &Series) -> String {
    let outcomes = &series.outcomes;
    let ended =
        Group::ALL.iter().copied().map(|group| (group, outcomes.total(group))).filter(|(_, n)| *n > 0);
    let ended: Vec<_> = ended.map(|(group, n)| format!("{n} {}", group.name())).collect();
    let mut text = format!("per {}: {}", millis(outcomes.width * 1e3), ended.join(", "));
    if let Some((from, to)) = outcomes.dropped_between() {
        text.push_str(&format!("; those dropped were due between {} and {} s", seconds(from), seconds(to)));
    }
    text.push('.');
    if !cell.validity.counts.is_usable() {
        text.push_str(&format!(" INVALID: {}.", cell.validity.counts.reasons.join("; ")));
    }
    text
}

/// What was done to each backend, band by band.
pub(crate) fn states(series: &Series) -> String {
    let mut bands: Vec<&Band> = series.bands.iter().take(BANDS).collect();
    bands.sort_by(|a, b| a.backend.cmp(&b.backend));
    let each = bands.chunk_by(|a, b| a.backend == b.backend).map(|bands| {
        let each = bands
            .iter()
            .map(|band| format!("{} {}–{}", band.state.name(), seconds(band.from), seconds(band.to)));
        format!("{} {} s", bands[0].backend, each.collect::<Vec<_>>().join(", "))
    });
    let more = series.bands.len().saturating_sub(BANDS);
    let more = (more > 0).then(|| format!("and {more} more"));
    let each: Vec<_> = each.chain(more).collect();
    if each.is_empty() {
        "every backend served throughout.".to_owned()
    } else {
        format!("{}.", each.join("; "))
    }
}

pub(crate) fn latency(cell: &CellSummary, series: &Series) -> String {
    let width = millis(series.latency.width * 1e3);
    let some = |window: &&Window| window.requests > 0;
    let windows: Vec<_> = series.latency.windows.iter().filter(some).collect();
    let p99: Vec<f64> = windows.iter().filter_map(|window| window.latency.p99).collect();
    let mut text = format!("over each {width}");
    let (least, most) =
        (p99.iter().copied().min_by(f64::total_cmp), p99.iter().copied().max_by(f64::total_cmp));
    if let (Some(least), Some(most)) = (least, most) {
        text.push_str(&format!("; p99 from {} to {}", millis(least), millis(most)));
    }
    let beyond = windows.iter().filter(|window| window.latency.p99.is_none()).count();
    if beyond > 0 {
        text.push_str(&format!("; in {beyond} of {} windows p99 is a failed request (×)", windows.len()));
    }
    text.push('.');
    if !cell.validity.latency.is_usable() {
        text.push_str(&format!(" INVALID: {}.", cell.validity.latency.reasons.join("; ")));
    }
    text
}

pub(crate) fn shares(series: &Series) -> String {
    let totals: Vec<u64> = (0..series.backends.len()).map(|place| series.shares.total(place)).collect();
    let all: u64 = totals.iter().sum();
    if all == 0 {
        return "no backend received anything.".to_owned();
    }
    let parts: Vec<_> = series
        .backends
        .iter()
        .zip(&totals)
        .map(|(name, n)| format!("{name} {}", percent(*n as f64 / all as f64)))
        .collect();
    let width = millis(series.shares.width * 1e3);
    format!("over each {width}; in all {}.", parts.join(", "))
}

pub(crate) fn distribution(cells: &[(&CellSummary, &Series)]) -> String {
    let each = cells.iter().map(|(cell, _)| {
        let p99 = match cell.latency_ms.level(Quantile::P99) {
            Level::Ms(ms) => millis(ms),
            Level::Failed => beyond(cell),
            Level::TooFew => NONE.to_owned(),
        };
        let struck = if cell.validity.latency.is_usable() { "" } else { " (INVALID, not drawn)" };
        format!("{} {p99}{struck}", cell.variant)
    });
    let failed = cells
        .iter()
        .any(|(cell, series)| cell.validity.latency.is_usable() && series.curve.failed_from.is_some());
    let cross = if failed { " × marks where a curve ends: the rest failed." } else { "" };
    format!(
        "Latency from the intended start, by percentile; p99: {}.{cross}",
        each.collect::<Vec<_>>().join(", ")
    )
}

/// The columns of the dropped requests.
pub(crate) const DROPPED: [&str; 8] =
    ["requests", "from … to", "due", "told after", "class", "backend", "ended as", "lost in"];

/// A row about requests that were lost alike.
pub(crate) fn dropped_row(drops: &[&DroppedRequest]) -> [String; 8] {
    let (Some(first), Some(last)) = (drops.first(), drops.last()) else { return Default::default() };
    let after = || drops.iter().map(|drop| drop.after_ms);
    let span = |from: String, to: String| if from == to { from } else { format!("{from} … {to}") };
    let source = &first.source;
    [
        drops.len().to_string(),
        span(first.id.to_string(), last.id.to_string()),
        span(format!("{:.3} s", first.due), format!("{:.3} s", last.due)),
        span(millis(after().fold(f64::INFINITY, f64::min)), millis(after().fold(0.0, f64::max))),
        first.class.clone(),
        source.who(),
        source.ended_as(),
        format!("{}, {}", source.phase, source.sub_cause.words()),
    ]
}
