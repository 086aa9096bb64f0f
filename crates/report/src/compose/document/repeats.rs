//! What the repeats of a run say together.

use crate::compose::table::{Cell, Column, Table};
use crate::figure::reading::beyond;
use crate::figure::spread::{INTERVAL_FROM, confidence, spread, spread_of};
use crate::judge::verdict::RunSummary;
use crate::measure::latency::{Level, Quantile};
use crate::measure::summary::CellSummary;
use crate::measure::validity::Trust;
use crate::numbers::{NONE, millis, percent};

/// Latency over the repeats of each variant; `None` where they are too few to be told together.
pub(super) fn latency(run: &RunSummary) -> Option<Table> {
    if (run.repeats as usize) < INTERVAL_FROM {
        return None;
    }
    let mut columns = Vec::from(Column::left(["balancer", "variant"]));
    columns.extend(Column::right(["repeats", "confidence"]));
    columns.extend(Column::right(Quantile::TABLED.map(Quantile::name)));
    columns.extend(Column::left(["latency", "share per backend"]));
    let same = |a: &CellSummary, b: &CellSummary| (a.balancer, &a.variant) == (b.balancer, &b.variant);
    Some(Table {
        title: "Latency from the intended start over all repeats, and who answered".to_owned(),
        columns,
        rows: run.cells.chunk_by(same).map(|cells| row(run, cells)).collect(),
        notes: vec![
            "The median of the repeats, and in brackets the smallest and the largest; the true median lies \
             between these with that confidence. Repeats in which a percentile is INVALID are left out of it. \
             A failed request counts as slower than any other."
                .to_owned(),
        ],
    })
}

/// A percentile over some repeats.
pub(super) fn over<'c>(cells: impl Iterator<Item = &'c CellSummary>, quantile: Quantile) -> String {
    let number = |cell: &'c CellSummary| match cell.latency_ms.level(quantile) {
        Level::Ms(ms) => Some((ms, cell)),
        Level::Failed => Some((f64::INFINITY, cell)),
        Level::TooFew => None,
    };
    let trusted = cells.filter(|cell| cell.validity.percentile(quantile).is_usable());
    spread(trusted.filter_map(number).collect(), |cell, ms| match ms.is_finite() {
        true => millis(ms),
        false => beyond(cell),
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
    let quantiles = Quantile::TABLED.map(|of| over(cells.iter(), of));
    let worst = cells.iter().map(|cell| cell.validity.latency.verdict).max().unwrap_or(Trust::Invalid);
    let names = cells.first().map_or(["", ""], |cell| [cell.balancer.as_str(), &cell.variant]);
    let share = |id: &String| {
        let shares = cells.iter().filter_map(|c| c.backends.get(id)).map(|b| b.share);
        format!("{id} {}", spread_of(shares, percent))
    };
    let shares: Vec<_> = cells.iter().take(1).flat_map(|cell| cell.backends.keys()).map(share).collect();
    names
        .map(str::to_owned)
        .into_iter()
        .chain([repeats, confidence])
        .chain(quantiles)
        .chain([worst.word().to_owned(), shares.join(", ")])
        .map(Cell::plain)
        .collect()
}
