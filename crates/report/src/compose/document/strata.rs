//! Losses and latency by class and by connection, where they say something.

use super::tables::{names, struck_unless};
use crate::compose::table::{Cell, Column, Emphasis, Table};
use crate::judge::verdict::RunSummary;
use crate::measure::latency::LatencySummary;
use crate::measure::strata::Stratum;
use crate::measure::summary::CellSummary;
use crate::numbers::millis;

/// A row for each part of a cell that lost requests, and for each class where there are several; `None` if there is none.
pub(super) fn strata(run: &RunSummary) -> Option<Table> {
    let mut columns = Vec::from(Column::left(["balancer", "variant", "requests"]));
    columns.extend(Column::right(["scheduled", "dropped", "p50", "p99"]));
    let rows: Vec<_> = run.cells.iter().flat_map(|cell| rows(run, cell)).collect();
    (!rows.is_empty()).then(|| Table {
        title: "By class and by connection".to_owned(),
        columns,
        rows,
        notes: vec!["Each group of rows divides the same measured requests in another way.".to_owned()],
    })
}

fn rows(run: &RunSummary, cell: &CellSummary) -> Vec<Vec<Cell>> {
    let parts = &cell.strata;
    let losses = parts.has_losses();
    let says = |strata: &&Vec<Stratum>, always: bool| strata.len() > 1 && (losses || always);
    let classes = Some(&parts.classes).filter(|strata| says(strata, true));
    let connections = [&parts.connection, &parts.nth, &parts.idle];
    let connections = connections.into_iter().filter(|strata| says(strata, false));
    classes.into_iter().chain(connections).flatten().map(|stratum| row(run, cell, stratum)).collect()
}

fn row(run: &RunSummary, cell: &CellSummary, stratum: &Stratum) -> Vec<Cell> {
    let counted = struck_unless(cell.validity.counts.is_usable());
    let timed = struck_unless(cell.validity.latency.is_usable());
    let dropped = if stratum.dropped > 0 { Emphasis::Bad } else { Emphasis::Plain };
    let counts =
        [Cell::plain(stratum.scheduled.to_string()), Cell::with(dropped, stratum.dropped.to_string())];
    let latency = &stratum.latency_ms;
    let times = [latency.p50, latency.p99].map(|q| timed(Cell::plain(quantile(latency, q))));
    let named = names(run, cell).into_iter().chain([Cell::plain(stratum.name.clone())]);
    named.chain(counts.map(counted)).chain(times).collect()
}

/// Among failed requests it is longer than the client waits.
fn quantile(latency: &LatencySummary, quantile: Option<f64>) -> String {
    match quantile {
        Some(ms) => millis(ms),
        None => format!("> {}", millis(latency.timeout_ms)),
    }
}
