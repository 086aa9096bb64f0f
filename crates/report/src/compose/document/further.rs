//! Figures that have no table of their own: a new metric is here at first.

use model::claim::Metric;

use super::tables::struck_unless;
use crate::compose::table::{Align, Cell, Column, Table};
use crate::figure::catalogue::{Figure, figures};
use crate::figure::spread::spread;
use crate::judge::verdict::RunSummary;
use crate::measure::deploy::DeployRecord;
use crate::measure::summary::CellSummary;

/// What a balancer went on doing when orchestrators had ended a backend.
const AFTER_SIGNALS: [Metric; 6] = {
    use Metric::*;
    [ToldLate, SentAfterSignal, SentAfterExit, LastAfterSignal, LastAtOldAddress, KilledAtGrace]
};
const AFTER_SIGNALS_TITLE: &str = "After the signals that ended backends";

/// Metrics that another part of the report shows, and which.
pub const ELSEWHERE: [(&[Metric], &str); 12] = {
    use Metric::*;
    [
        (&[Scheduled, Ok, ExpectedStatus, Dropped, Duplicates, Masked], "Requests"),
        (&[Http5xx, Reset, Closed, Refused, Timeout, NotSent], "Requests"),
        (&[Status, Flag], "Dropped requests, as client and balancer saw them"),
        (&[P50, P90, P99, P999, Max, BackendShare], "Latency"),
        (
            &[Replaced, Removed, Added, DrainsExpired, LongestDrain, Aborted],
            "Deploys, and how far they can be trusted",
        ),
        (&AFTER_SIGNALS, AFTER_SIGNALS_TITLE),
        (&[Detection, Bound, TimeToEject, FailedRequests, TimeToRestore], "Faults and their detection"),
        (&[Misrouted, SplitDisagreements, PoolShare], "Routing and Splits"),
        (&[Reloads], "Reloads"),
        (
            &[Imbalance, QueueMax, QueueMean, InFlightMax, InFlightMean],
            "Requests, queue and in-flight count of each backend",
        ),
        (&[SessionsLost, SessionsKept, UpdatesLost, UsersMoved], "Users and their sessions"),
        (&[HandshakesFull, HandshakesResumed, BackendHandshakes, BalancerCpu], "TLS and CPU time"),
    ]
};

/// The figures that no other part shows.
pub(super) fn further(run: &RunSummary) -> Option<Table> {
    let elsewhere = |metric| ELSEWHERE.iter().any(|(metrics, _)| metrics.contains(&metric));
    table(run, "Further figures", |metric| !elsewhere(metric))
}

/// What went to backends after their signals, where a deploy ends them as orchestrators do or one is removed, or after their
/// records were gone; `None`: nothing does.
pub(super) fn after_signals(run: &RunSummary) -> Option<Table> {
    let mut deploys = run.cells.iter().filter_map(|cell| cell.deploy.as_ref());
    let is_found = |deploy: &DeployRecord| deploy.replacements.iter().any(|it| it.last_at_old_ms.is_some());
    let ends = |deploy: &DeployRecord| deploy.termination.is_some() || deploy.scaling.removals > 0;
    deploys.any(|deploy| ends(deploy) || is_found(deploy)).then_some(())?;
    table(run, AFTER_SIGNALS_TITLE, |metric| AFTER_SIGNALS.contains(&metric))
}

/// A row per variant, and a column for each figure that is `wanted` and not zero everywhere; `None` if there is none.
fn table(run: &RunSummary, title: &str, wanted: impl Fn(Metric) -> bool) -> Option<Table> {
    let shown = |figure: &Figure| {
        // What is told of where it is greatest is not told of each as well.
        let part = figure.facet.is_some() && figure.metric.without_facet().is_some();
        let says = run.cells.iter().filter_map(|cell| figure.read(cell)).any(|value| value != 0.0);
        wanted(figure.metric) && !part && says
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
        title: title.to_owned(),
        columns,
        rows: run.cells.chunk_by(same).map(row).collect(),
        notes: vec![notes.join(" ")],
    })
}

/// A figure over the repeats of a variant. Those that can't be trusted are left out; if that is all of them, they are struck.
pub(crate) fn value(figure: &Figure, cells: &[CellSummary]) -> Cell {
    let known = cells.iter().filter_map(|cell| Some((figure.read(cell)?, cell)));
    let (usable, doubtful): (Vec<_>, Vec<_>) = known.partition(|(_, cell)| figure.is_usable(cell));
    let is_usable = !usable.is_empty() || doubtful.is_empty();
    let shown = if is_usable { usable } else { doubtful };
    struck_unless(is_usable)(Cell::plain(spread(shown, |cell, value| figure.show(cell, value))))
}
