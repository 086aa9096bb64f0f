//! Pictures of cells, drawn from their series at one scale: parts of an HTML page, or of one SVG.

pub(super) mod bars;
pub(super) mod canvas;
pub(super) mod captions;
mod compact;
pub(super) mod ink;
pub(super) mod latency;
pub(super) mod legend;
pub(super) mod outcomes;
pub(super) mod scale;
pub(super) mod shares;
pub(super) mod states;

use crate::judge::verdict::RunSummary;
use crate::measure::series::Series;
use crate::measure::summary::CellSummary;

/// A run, with what its pictures are drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Illustrated<'a> {
    /// The run.
    pub run: &'a RunSummary,
    /// Of each cell whose load began; none if only the summary was kept.
    pub series: &'a [Series],
}

impl<'a> From<&'a RunSummary> for Illustrated<'a> {
    fn from(run: &'a RunSummary) -> Illustrated<'a> {
        Illustrated { run, series: &[] }
    }
}

/// A cell with what its pictures are drawn from.
pub(super) type Pictured<'a> = (&'a CellSummary, &'a Series);

impl<'a> Illustrated<'a> {
    /// The cells that stand side by side: the variants of one balancer in one repeat.
    pub(super) fn rows(self) -> Vec<Vec<Pictured<'a>>> {
        let series = |cell: &CellSummary| self.series.iter().find(|series| series.cell == cell.cell());
        let of_one_balancer = self.run.cells.chunk_by(|a, b| a.balancer == b.balancer);
        let rows = of_one_balancer.flat_map(|cells| {
            (1..=self.run.repeats).map(move |repeat| {
                let cells = cells.iter().filter(move |cell| cell.repeat == repeat);
                cells.filter_map(|cell| Some((cell, series(cell)?))).collect()
            })
        });
        rows.filter(|row: &Vec<_>| !row.is_empty()).collect()
    }
}
