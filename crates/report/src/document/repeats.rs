//! What the repeats of a run say together.

use super::tables::quantile;
use super::trust_word;
use crate::figures::{NONE, percent, percent_span_of};
use crate::latency::Latency;
use crate::spread::{INTERVAL_FROM, confidence, spread};
use crate::summary::CellSummary;
use crate::table::{Cell, Column, Table};
use crate::validity::Trust;
use crate::verdict::RunSummary;

/// The percentiles of a table.
const QUANTILES: [fn(&Latency) -> Option<f64>; 5] = [|l| l.p50, |l| l.p90, |l| l.p99, |l| l.p999, |l| l.max];

/// Latency over the repeats of each variant; `None` where they are too few to be told together.
pub(super) fn latency(run: &RunSummary) -> Option<Table> {
    if (run.repeats as usize) < INTERVAL_FROM {
        return None;
    }
    let mut columns = Vec::from(Column::left(["balancer", "variant"]));
    columns.extend(Column::right(["repeats", "confidence", "p50", "p90", "p99", "p99.9", "max"]));
    columns.extend(Column::left(["latency", "share per backend"]));
    let same = |a: &CellSummary, b: &CellSummary| (a.balancer, &a.variant) == (b.balancer, &b.variant);
    Some(Table {
        title: "Latency from the intended start over all repeats, and who answered".to_owned(),
        columns,
        rows: run.cells.chunk_by(same).map(|cells| row(run, cells)).collect(),
        notes: vec![
            "The median of the repeats, and in brackets the smallest and the largest; the true median lies \
             between these with that confidence. Repeats whose latency is INVALID are left out. \
             A failed request counts as slower than any other."
                .to_owned(),
        ],
    })
}

/// A percentile over some repeats.
pub(super) fn over<'c>(
    cells: impl Iterator<Item = &'c CellSummary>,
    of: fn(&Latency) -> Option<f64>,
) -> String {
    let numbers = cells.map(|cell| (of(&cell.latency_ms).unwrap_or(f64::INFINITY), cell));
    spread(numbers.collect(), |cell, ms| {
        quantile(cell, &cell.latency_ms, Some(ms).filter(|ms| ms.is_finite()))
    })
}

/// The repeats of one variant on one balancer.
fn row(run: &RunSummary, cells: &[CellSummary]) -> Vec<Cell> {
    let usable: Vec<&CellSummary> = cells.iter().filter(|cell| cell.validity.latency.is_usable()).collect();
    let repeats = match usable.len() {
        all if all == run.repeats as usize => all.to_string(),
        some => format!("{some} of {}", run.repeats),
    };
    let confidence = confidence(usable.len()).map_or_else(|| NONE.to_owned(), percent);
    let quantiles = QUANTILES.map(|of| over(usable.iter().copied(), of));
    let worst = cells.iter().map(|cell| cell.validity.latency.verdict).max().unwrap_or(Trust::Invalid);
    let names = cells.first().map_or(["", ""], |cell| [cell.balancer.name(), &cell.variant]);
    let share = |id: &String| {
        let shares: Vec<f64> = cells.iter().filter_map(|c| c.backends.get(id)).map(|b| b.share).collect();
        format!("{id} {}", percent_span_of(&shares))
    };
    let shares: Vec<_> = cells.iter().take(1).flat_map(|cell| cell.backends.keys()).map(share).collect();
    names
        .map(str::to_owned)
        .into_iter()
        .chain([repeats, confidence])
        .chain(quantiles)
        .chain([trust_word(worst).to_owned(), shares.join(", ")])
        .map(Cell::plain)
        .collect()
}
