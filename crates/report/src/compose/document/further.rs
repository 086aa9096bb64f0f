//! Figures that have no table of their own: a new metric is here at first.

use model::claim::Metric;

use super::tables::struck_unless;
use crate::compose::table::{Align, Cell, Column, Table};
use crate::figure::catalogue::{Figure, figures};
use crate::figure::spread::spread;
use crate::judge::verdict::RunSummary;
use crate::measure::summary::CellSummary;

/// Metrics that another part of the report shows, and which.
pub const ELSEWHERE: [(&[Metric], &str); 11] = {
    use Metric::*;
    [
        (&[Scheduled, Ok, ExpectedStatus, Dropped, Duplicates, Masked], "Requests"),
        (&[Http5xx, Reset, Closed, Refused, Timeout, NotSent], "Requests"),
        (&[Status, Flag], "Dropped requests, as client and balancer saw them"),
        (&[P50, P90, P99, P999, Max, BackendShare], "Latency"),
        (&[Replaced, DrainsExpired, LongestDrain, Aborted], "Deploys, and what can be trusted of them"),
        (&[Detection, Bound, Removal, Harmed, Recovery], "Faults and their detection"),
        (&[Misrouted, SplitDisagreements, PoolShare], "Routing and Splits"),
        (&[Reloads], "Reloads"),
        (
            &[Imbalance, QueueMax, QueueMean, InFlightMax, InFlightMean],
            "What each backend got and had in hand",
        ),
        (&[SessionsLost, SessionsKept, UpdatesLost, UsersMoved], "Users and their sessions"),
        (&[HandshakesFull, HandshakesResumed, BackendHandshakes, BalancerCpu], "TLS and CPU time"),
    ]
};

/// A row per variant, and a column for each figure that is not zero everywhere; `None` if there is none.
pub(super) fn further(run: &RunSummary) -> Option<Table> {
    let shown = |figure: &Figure| {
        let elsewhere = ELSEWHERE.iter().any(|(metrics, _)| metrics.contains(&figure.metric));
        // What is told of where it is greatest is not told of each as well.
        let part = figure.facet.is_some() && figure.metric.without_facet().is_some();
        let says = run.cells.iter().filter_map(|cell| figure.read(cell)).any(|value| value != 0.0);
        !elsewhere && !part && says
    };
    let figures: Vec<Figure> = figures(&run.cells).into_iter().filter(shown).collect();
    if figures.is_empty() {
        return None;
    }
    let mut columns = Vec::from(Column::left(["balancer", "variant"]));
    columns.extend(figures.iter().map(|figure| Column { name: figure.heading(), align: Align::Right }));
    let same = |a: &CellSummary, b: &CellSummary| (a.balancer, &a.variant) == (b.balancer, &b.variant);
    let row = |cells: &[CellSummary]| {
        let names = [cells[0].balancer.as_str(), &cells[0].variant].map(Cell::plain);
        names.into_iter().chain(figures.iter().map(|figure| value(figure, cells))).collect()
    };
    let mut notes: Vec<String> = figures
        .iter()
        .map(|figure| format!("{}: {}", figure.metric.heading(), figure.metric.what()))
        .collect();
    notes.dedup();
    Some(Table {
        title: "Further figures".to_owned(),
        columns,
        rows: run.cells.chunk_by(same).map(row).collect(),
        notes: vec![notes.join(" ")],
    })
}

/// A figure over the repeats of a variant. Those that can't be trusted are left out; if that is all of them, they are struck.
fn value(figure: &Figure, cells: &[CellSummary]) -> Cell {
    let known = cells.iter().filter_map(|cell| Some((figure.read(cell)?, cell)));
    let (usable, doubtful): (Vec<_>, Vec<_>) = known.partition(|(_, cell)| figure.is_usable(cell));
    let is_usable = !usable.is_empty() || doubtful.is_empty();
    let shown = if is_usable { usable } else { doubtful };
    struck_unless(is_usable)(Cell::plain(spread(shown, |cell, value| figure.show(cell, value))))
}
