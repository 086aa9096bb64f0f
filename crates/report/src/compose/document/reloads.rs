//! What reloads of the balancer cost.

use super::tables::{names, struck_unless};
use crate::compose::table::{Cell, Column, Table};
use crate::judge::verdict::RunSummary;
use crate::measure::reloads::ReloadRecord;
use crate::measure::summary::CellSummary;
use crate::numbers::NONE;

/// The reloads of each cell that had any; `None` if none had.
pub(super) fn reloads(run: &RunSummary) -> Option<Table> {
    let mut columns = Vec::from(Column::left(["balancer", "variant"]));
    columns.extend(Column::right(["reloads", "dropped by them", "per reload", "new connections"]));
    let row = |cell: &CellSummary, reloads: ReloadRecord| {
        let connections = reloads.new_connections_per_second;
        let figures = [
            reloads.count.to_string(),
            reloads.dropped.to_string(),
            format!("{:.1}", reloads.dropped_per_reload),
            connections.map_or_else(|| NONE.to_owned(), |rate| format!("{rate:.0}/s")),
        ];
        let figures = figures.map(Cell::plain).map(struck_unless(cell.is_usable()));
        names(run, cell).into_iter().chain(figures).collect()
    };
    let rows: Vec<_> =
        run.cells.iter().filter_map(|cell| cell.reloads.map(|reloads| row(cell, reloads))).collect();
    (!rows.is_empty()).then(|| Table {
        title: "Reloads".to_owned(),
        columns,
        rows,
        notes: vec![
            "Dropped by them: within a second of a reload, or begun before it and cut off when its grace was over, while \
             nothing was done to the backend in question."
                .to_owned(),
        ],
    })
}
