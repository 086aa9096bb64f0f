//! The one table of an answer: what was dropped, the figures that the claims are about, and how requests were lost. What is
//! the same in every row is said once above it, and what was not measured or not lost is left out.

use model::claim::{Better, Claim, Metric, PartOf, Reading};

use super::shadows;
use crate::compose::document;
use crate::compose::table::{Align, Cell, Column, Emphasis, Table};
use crate::figure::catalogue::Figure;
use crate::judge::verdict::{Role, RunSummary};
use crate::measure::summary::CellSummary;
use crate::measure::zero::ZeroBound;
use crate::numbers::NONE;

/// Rows beyond these are folded: a row for each variant, and a column for each balancer.
const ROWS: usize = 12;
/// Columns of figures beyond these are in the full report.
const FIGURES: usize = 6;
/// How a request can be lost.
const WAYS: [Metric; 6] =
    [Metric::Http5xx, Metric::Reset, Metric::Closed, Metric::Refused, Metric::Timeout, Metric::NotSent];

/// The repeats of a variant.
type Repeats<'a> = &'a [CellSummary];

/// The table.
pub(super) fn table(run: &RunSummary) -> Table {
    let same = |a: &CellSummary, b: &CellSummary| (a.balancer, &a.variant) == (b.balancer, &b.variant);
    let groups: Vec<Repeats<'_>> = run.cells.chunk_by(same).collect();
    let several = groups.iter().any(|cells| cells[0].balancer != groups[0][0].balancer);
    let mut table = if groups.len() > ROWS && several { folded(run, &groups) } else { plain(run, &groups) };
    let texts = || table.rows.iter().flatten();
    let bound = texts().any(|cell| cell.text.contains("(<"));
    let struck = texts().any(|cell| cell.emphasis == Emphasis::Struck);
    if bound {
        table.notes.push(
            "0 (< N %): of requests such as the control lost, fewer than N % are lost, at 95 % confidence."
                .to_owned(),
        );
    }
    if struck {
        table.notes.push("A figure that is struck out was measured, and can't be trusted.".to_owned());
    }
    table
}

/// A column before it is known whether it says anything.
struct Candidate {
    column: Column,
    cells: Vec<Cell>,
}

impl Candidate {
    fn right(heading: &str, cells: Vec<Cell>) -> Candidate {
        Candidate { column: Column { name: heading.to_owned(), align: Align::Right }, cells }
    }

    fn left(heading: &str, cells: Vec<Cell>) -> Candidate {
        Candidate { column: Column { name: heading.to_owned(), align: Align::Left }, cells }
    }

    /// What all rows say, if there are several.
    fn common(&self) -> Option<&Cell> {
        let (first, others) = self.cells.split_first()?;
        (!others.is_empty() && others.iter().all(|other| other == first)).then_some(first)
    }

    fn says_nothing(&self) -> bool {
        self.cells.iter().all(|cell| cell.text == "0" || cell.text == NONE)
    }
}

/// A row for each variant of each balancer.
fn plain(run: &RunSummary, groups: &[Repeats<'_>]) -> Table {
    let each = |of: &dyn Fn(Repeats<'_>) -> Cell| groups.iter().map(|cells| of(cells)).collect::<Vec<_>>();
    let name = |of: fn(&CellSummary) -> String| each(&|cells| Cell::plain(of(&cells[0])));
    let figure =
        |reading: Figure| Candidate::right(&reading.heading(), each(&|cells| value(&reading, cells)));
    let names = [
        Candidate::left("balancer", name(|cell| cell.balancer.to_string())),
        Candidate::left("variant", name(|cell| cell.variant.clone())),
    ];
    let dropped = Candidate::right(Metric::Dropped.heading(), each(&dropped));
    let trust = Candidate::left("verdict", each(&|cells| verdict(run, cells)));
    let mut seen = vec![figure(whole(Metric::Scheduled))];
    seen.extend([Metric::Masked, Metric::Duplicates].map(whole).map(figure));
    seen.extend(claimed(run).into_iter().map(figure));
    seen.extend(WAYS.map(whole).map(figure));
    // What is the same everywhere is said once.
    let (common, mut told): (Vec<Candidate>, Vec<Candidate>) =
        seen.into_iter().filter(|it| !it.says_nothing()).partition(|it| it.common().is_some());
    told.truncate(FIGURES);
    let mut said: Vec<String> =
        common.iter().filter_map(|it| Some(format!("{} {}", it.column.name, it.common()?.text))).collect();
    let shown = |metric: Metric| told.iter().chain(&common).any(|it| it.column.name == metric.heading());
    if !shown(Metric::Masked) && !shown(Metric::Duplicates) {
        said.push(shadows(run));
    }
    let fine = trust.common().is_some_and(|cell| cell.text == "✓ VALID");
    let columns: Vec<Candidate> =
        names.into_iter().chain((!fine).then_some(trust)).chain([dropped]).chain(told).collect();
    Table {
        title: format!("In every row: {}", said.join(", ")),
        rows: (0..groups.len())
            .map(|row| columns.iter().map(|candidate| candidate.cells[row].clone()).collect())
            .collect(),
        columns: columns.into_iter().map(|candidate| candidate.column).collect(),
        notes: vec![],
    }
}

/// A row for each variant with the figure that its first claim is about, and a column for each balancer.
fn folded(run: &RunSummary, groups: &[Repeats<'_>]) -> Table {
    let (mut variants, mut balancers) = (Vec::new(), Vec::new());
    for cells in groups {
        let (variant, balancer) = (cells[0].variant.as_str(), cells[0].balancer);
        if !variants.contains(&variant) {
            variants.push(variant);
        }
        if !balancers.contains(&balancer) {
            balancers.push(balancer);
        }
    }
    let mut columns = Vec::from(Column::left(["variant", "figure"]));
    columns.extend(balancers.iter().flat_map(|balancer| Column::right([balancer.as_str()])));
    let row = |variant: &&str| {
        let figure = leading(run, variant);
        let of = |cells: &Repeats<'_>| {
            let cell = match figure.metric {
                Metric::Dropped => shadowed(dropped(cells), cells),
                _ => value(&figure, cells),
            };
            marked(cell, &verdict(run, cells))
        };
        let at = |balancer| {
            groups.iter().find(|cells| cells[0].balancer == balancer && cells[0].variant == **variant)
        };
        let figures = balancers.iter().map(|balancer| at(*balancer).map_or_else(|| Cell::plain("n/a"), of));
        let names = [(*variant).to_owned(), figure.heading()].map(Cell::plain);
        names.into_iter().chain(figures).collect()
    };
    Table {
        title: format!("Of each variant, the figure that it is about ({})", shadows(run)),
        rows: variants.iter().map(row).collect(),
        columns,
        notes: vec![],
    }
}

/// Beside a zero, what retries hid and what was executed twice.
fn shadowed(mut cell: Cell, cells: Repeats<'_>) -> Cell {
    if cell.text.starts_with('0') {
        for (metric, what) in [(Metric::Masked, "masked"), (Metric::Duplicates, "twice")] {
            let shadow = value(&whole(metric), cells);
            if shadow.text != "0" && shadow.text != NONE {
                cell.text.push_str(&format!(", {} {what}", shadow.text));
            }
        }
    }
    cell
}

/// A figure with the sign of what its variant's claims came to, unless they all held on what can be trusted.
fn marked(cell: Cell, verdict: &Cell) -> Cell {
    match verdict.text.as_str() {
        "✓ VALID" | "VALID" | "✓ DEGRADED" | "DEGRADED" => cell,
        text if text.ends_with("INVALID") => {
            Cell { text: format!("{} ?", cell.text), emphasis: Emphasis::Struck }
        }
        text => Cell { text: format!("{} {}", cell.text, text.chars().next().unwrap_or('?')), ..cell },
    }
}

fn whole(metric: Metric) -> Figure {
    Figure { metric, facet: None }
}

/// Every claim's readings, those of expectations first.
fn readings(run: &RunSummary) -> Vec<Reading> {
    let of = |role: Role| {
        let claims = run.claims.iter().filter(move |claim| claim.role == role);
        // The text of a saved claim that this version can't read names no column.
        let parsed = claims.filter_map(|claim| claim.text.parse::<Claim>().ok());
        parsed.flat_map(|claim| claim.readings().cloned().collect::<Vec<_>>())
    };
    of(Role::Expect).chain(of(Role::Control)).collect()
}

/// The figures that the claims are about, beside those that every table has.
fn claimed(run: &RunSummary) -> Vec<Figure> {
    const ALWAYS: [Metric; 5] =
        [Metric::Scheduled, Metric::Ok, Metric::Dropped, Metric::Masked, Metric::Duplicates];
    let mut found: Vec<Figure> = Vec::new();
    for Reading { metric, facet, .. } in readings(run) {
        let figure = Figure { metric, facet };
        let known = ALWAYS.contains(&metric) || (WAYS.contains(&metric) && figure.facet.is_none());
        if !known && !found.contains(&figure) {
            found.push(figure);
        }
    }
    found
}

/// The figure of the first claim about a variant, if there is one that judges: that a deploy happened is no answer.
fn leading(run: &RunSummary, variant: &str) -> Figure {
    let mut about = readings(run);
    about.retain(|reading| reading.variant == variant);
    let judges = |reading: &&Reading| reading.metric.better() != Better::Neither;
    let first = about.iter().find(judges).or(about.first()).cloned();
    first.map_or(whole(Metric::Dropped), |Reading { metric, facet, .. }| Figure { metric, facet })
}

/// A figure over the repeats; of dropped requests, a zero has its bound.
pub(super) fn figure(figure: &Figure, cells: Repeats<'_>) -> Cell {
    match figure.metric {
        Metric::Dropped => dropped(cells),
        _ => value(figure, cells),
    }
}

/// How many requests were dropped over the repeats, a zero with its bound.
fn dropped(cells: Repeats<'_>) -> Cell {
    let usable: Vec<&CellSummary> = cells.iter().filter(|cell| cell.is_usable()).collect();
    if usable.is_empty() || usable.iter().any(|cell| cell.counts.dropped > 0) {
        let emphasis = document::dropped(usable.first().copied().unwrap_or(&cells[0])).emphasis;
        let told = value(&whole(Metric::Dropped), cells);
        return match told.emphasis {
            Emphasis::Plain => Cell { emphasis, ..told },
            _ => told,
        };
    }
    let bound = ZeroBound::over(usable.iter().map(|cell| &cell.zero));
    Cell::with(Emphasis::Good, bound.says.map_or_else(|| "0".to_owned(), |says| format!("0 ({says})")))
}

/// A figure over the repeats. Of how many requests it is, stands above the table; of other things, only how many.
fn value(figure: &Figure, cells: Repeats<'_>) -> Cell {
    let mut cell = document::value(figure, cells);
    let shorter = match figure.metric.whole() {
        Some(PartOf::Requests) => cell.text.split_once(" of ").map(|(count, _)| count),
        Some(what) => cell.text.strip_suffix(&format!(" {what}")),
        None => None,
    };
    if let Some(shorter) = shorter {
        cell.text = shorter.to_owned();
    }
    cell
}

/// The worst verdict over the repeats.
fn verdict(run: &RunSummary, cells: Repeats<'_>) -> Cell {
    let each = cells.iter().map(|cell| document::verdict(run, cell));
    let rank = |cell: &Cell| {
        let signs = ["✓", "?", "✗"].iter().position(|sign| cell.text.starts_with(sign));
        (
            cell.emphasis == Emphasis::Bad,
            cell.text.ends_with("INVALID"),
            signs,
            cell.text.contains("DEGRADED"),
        )
    };
    each.max_by_key(rank).unwrap_or_else(|| Cell::plain(NONE))
}
