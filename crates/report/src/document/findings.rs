//! What a reader should know although nobody asked: it stands above the claims.

use super::{Line, Mark, label};
use crate::summary::CellSummary;
use crate::verdict::RunSummary;

/// The findings of every cell.
pub(super) fn findings(run: &RunSummary) -> Vec<Line> {
    let of = |cell: &CellSummary| {
        let label = label(run, cell);
        let deaths = cell
            .deaths
            .iter()
            .map(|death| Line { mark: Mark::Bad, text: format!("{label}: {}", death.sentence()) });
        deaths.collect::<Vec<_>>()
    };
    run.cells.iter().flat_map(of).collect()
}
