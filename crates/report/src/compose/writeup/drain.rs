//! What a write-up says about deploys: the window, the sequence, and both runs side by side.

use std::collections::BTreeMap;

use model::claim::Metric;
use model::timeline::Drain;

use super::topics::meaning;
use crate::compose::document::{self, Line};
use crate::compose::page::Part;
use crate::compose::table::{Cell, Column, Table};
use crate::figure::bounds;
use crate::figure::spread::spread_of;
use crate::judge::run::LabelledRun;
use crate::measure::counts::dropped_kinds;
use crate::measure::deploy::DeployRecord;
use crate::measure::replacement::ReplacementRecord;
use crate::measure::summary::CellSummary;
use crate::measure::zero::per_request;
use crate::numbers::{NONE, millis, percent_up, span_of};

/// Cells with a deploy.
pub(super) fn deployed<'a>(
    run: &'a LabelledRun<'_>,
) -> impl Iterator<Item = (&'a CellSummary, &'a DeployRecord)> {
    run.summary.cells.iter().filter_map(|cell| Some((cell, cell.deploy.as_ref()?)))
}

pub(super) fn is_usable(cell: &CellSummary) -> bool {
    cell.is_usable() && cell.validity.deploy.is_some()
}

/// How the windows were derived from what was measured before.
pub(super) fn window(run: &LabelledRun<'_>) -> Vec<Part> {
    let mut columns = Vec::from(Column::left(["balancer", "variant"]));
    columns.extend(Column::right([
        "slowest request of the baseline",
        "of requests",
        "so at 95 % fewer are slower than",
        "drain window",
        "longest drain",
        "drains that expired",
    ]));
    let row = |(cell, deploy): (&CellSummary, &DeployRecord)| {
        let window = deploy.window?;
        let derived = window.derived?;
        let figures = [
            millis(derived.slowest.as_millis()),
            derived.samples.to_string(),
            percent_up(per_request(derived.samples.max(1))),
            millis(window.length.as_millis()),
            deploy.longest_drain.map_or_else(|| NONE.to_owned(), |longest| millis(longest.as_millis())),
            document::drains_expired(deploy),
        ];
        let figures = figures.map(Cell::plain).map(document::struck_unless(is_usable(cell)));
        Some(document::names(run.summary, cell).into_iter().chain(figures).collect())
    };
    let table = Table {
        title: "Windows and what they were derived from".into(),
        columns,
        rows: deployed(run).filter_map(row).collect(),
        notes: vec![],
    };
    let text = "The window is 1.2 × the slowest service time that the backends' own ledgers show before the deploy, \
                + 250 ms. It counts from the moment the balancer confirmed the deregistration, and ends early once \
                nothing is in flight.";
    vec![Part::Text(text.into()), Part::Table(table)]
}

/// The steps of a replacement and how long each took.
pub(super) fn sequence(run: &LabelledRun<'_>) -> Vec<Part> {
    let mut columns = Vec::from(Column::left(["balancer", "variant"]));
    columns.extend(Column::right([
        "replacements",
        "1 deregister",
        "2 drain",
        "2a until sure",
        "3 terminate",
        "4 start until ready",
        "5 register",
        "6 fair share",
        "in all",
    ]));
    let same = |a: &CellSummary, b: &CellSummary| (a.balancer, &a.variant) == (b.balancer, &b.variant);
    let mut rows = Vec::new();
    let mut told = Vec::new();
    for cells in run.summary.cells.chunk_by(same) {
        let drains = |deploy: &&DeployRecord| deploy.drain != Drain::Off;
        let replacements: Vec<&ReplacementRecord> = cells
            .iter()
            .filter_map(|cell| cell.deploy.as_ref())
            .filter(drains)
            .flat_map(|d| &d.replacements)
            .collect();
        if replacements.is_empty() {
            continue;
        }
        let steps = durations(&replacements).map(Cell::plain);
        let usable = cells.iter().all(is_usable);
        let names = [cells[0].balancer.as_str(), &cells[0].variant].map(Cell::plain);
        let count = Cell::plain(replacements.len().to_string());
        let figures = std::iter::once(count).chain(steps).map(document::struck_unless(usable));
        rows.push(names.into_iter().chain(figures).collect());
        let how = cells[0].settings.iter().find(|setting| setting.name == "deregister");
        told.extend(how.map(|how| format!("{} deregisters with: {}", cells[0].balancer, how.rendered)));
    }
    told.sort();
    told.dedup();
    let table = Table {
        title: "How long each step took: median (shortest–longest) of the replacements".into(),
        columns,
        rows,
        notes: vec![
            "1: from the order until the balancer confirmed it. 2: from then to the old generation's last response, by its \
             ledger. 2a: how much longer rig looked before it stopped it. 3: from SIGTERM to the exit. 4: from the launch of the new \
             generation until it answered. 6: until the new generation had its fair share of the pool's requests."
                .into(),
        ],
    };
    let text = "One backend at a time: deregister it, wait until it is drained, terminate it, start its successor at the \
                same address and wait until that is ready, register it, wait until it has its share; then the next.";
    let lines = told.into_iter().map(Line::plain).collect();
    vec![Part::Text(text.into()), Part::Table(table), Part::Lines(lines)]
}

/// The steps' durations over some replacements, in order, and that of the whole.
pub(crate) fn durations(replacements: &[&ReplacementRecord]) -> [String; 8] {
    let steps: [fn(&ReplacementRecord) -> Option<f64>; 8] = [
        |r| r.timing.deregister_ms,
        |r| r.drain_waited.map(|waited| waited.as_millis()),
        |r| r.drain_sure_ms,
        |r| r.timing.exit_ms,
        |r| r.timing.ready_ms,
        |r| r.timing.register_ms,
        |r| r.timing.confirm_ms,
        |r| r.took_ms,
    ];
    steps.map(|step| spread_of(replacements.iter().filter_map(|r| step(r)), millis))
}

/// The same deploy in each of its forms.
pub(super) fn side_by_side(run: &LabelledRun<'_>) -> Vec<Part> {
    let mut columns = Vec::from(Column::left(["balancer", "deploy"]));
    columns.extend(Column::right([
        "requests",
        "dropped",
        "masked",
        "twice",
        "5xx",
        "reset",
        "closed",
        "other",
        "replaced",
        "in flight at deregistration",
        "at termination",
    ]));
    let row = |(cell, deploy): (&CellSummary, &DeployRecord)| {
        let counts = &cell.counts;
        let kinds = [Metric::Http5xx, Metric::Reset, Metric::Closed]
            .map(|metric| counts.of_any(dropped_kinds(metric).unwrap_or_default()));
        let other = counts.dropped - kinds.iter().sum::<u64>();
        let dropped = document::dropped(cell);
        let shadows = bounds::shadow_cells(&cell.books).map(Cell::plain);
        let figures =
            [deploy.done(), span_of(&deploy.at_deregistrations()), span_of(&deploy.at_terminations())];
        let numbers = kinds.into_iter().chain([other]).map(|n| Cell::plain(n.to_string()));
        let cells =
            [Cell::plain(counts.scheduled.to_string()), dropped].into_iter().chain(shadows).chain(numbers);
        let cells = cells.chain(figures.map(Cell::plain)).map(document::struck_unless(is_usable(cell)));
        document::names(run.summary, cell).into_iter().chain(cells).collect()
    };
    let table = Table {
        title: "The same arrivals, service times and deploy".into(),
        columns,
        rows: deployed(run).map(row).collect(),
        notes: vec![
            document::DROPPED.into(),
            format!(
                "In flight: requests in flight at the old generation, by {}.",
                document::who_had_them(run.summary)
            ),
        ],
    };
    let mut parts = vec![Part::Table(table)];
    let sources: Vec<Line> = deployed(run).filter_map(|(cell, _)| sources(run, cell)).collect();
    if !sources.is_empty() {
        parts.push(Part::Text("Where requests were dropped:".into()));
        parts.push(Part::Lines(sources));
    }
    parts.extend(meaning(run));
    parts
}

/// Where a cell's dropped requests come from, all backends together.
fn sources(run: &LabelledRun<'_>, cell: &CellSummary) -> Option<Line> {
    let mut kinds: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for group in &cell.dropped {
        let source = &group.source;
        let kind = (source.phase.to_string(), source.ended_as(), source.sub_cause.words());
        *kinds.entry(kind).or_default() += group.count;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let kinds: Vec<_> = kinds
        .iter()
        .map(|((phase, outcome, cause), count)| format!("{count} × {outcome}, {cause} ({phase})"))
        .collect();
    let text = format!("{}: {}", run.summary.label(cell), kinds.join("; "));
    (!kinds.is_empty()).then_some(Line::plain(text))
}
