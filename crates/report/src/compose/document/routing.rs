//! Where requests went: per class, per phase of a split, and as curl was told.

use std::collections::BTreeMap;

use super::Quote;
use super::tables::{names, struck_unless};
use crate::compose::table::{Cell, Column, Emphasis, Table};
use crate::judge::verdict::RunSummary;
use crate::measure::curl::Transcript;
use crate::measure::routing::{ClassRouting, RouteSplit, SplitPhase};
use crate::measure::summary::CellSummary;
use crate::numbers::{NONE, percent};

/// Which pool answered each class; `None` if no class expects one.
pub(super) fn classes(run: &RunSummary) -> Option<Table> {
    let mut columns = Vec::from(Column::left(["balancer", "variant", "class", "expected"]));
    columns.extend(Column::right(["responses", "misrouted"]));
    columns.extend(Column::left(["as the client saw it", "as the balancer logged it"]));
    let rows = |cell: &CellSummary| {
        let asked = cell.routing.iter().filter(|routing| routing.expected.is_some());
        let classes = asked.flat_map(|routing| &routing.classes);
        classes.map(|(name, class)| class_row(run, cell, name, class)).collect::<Vec<_>>()
    };
    let rows: Vec<_> = run.cells.iter().flat_map(rows).collect();
    (!rows.is_empty()).then(|| Table {
        title: "Routing".to_owned(),
        columns,
        rows,
        notes: vec![
            "misrouted: complete responses from another pool than their class expects. \
             They were delivered, so they are ok and not dropped."
                .to_owned(),
        ],
    })
}

fn class_row(run: &RunSummary, cell: &CellSummary, name: &str, class: &ClassRouting) -> Vec<Cell> {
    let misrouted = match (&class.expected_pool, class.misrouted) {
        (None, _) => Cell::plain(NONE),
        (Some(_), 0) => Cell::with(Emphasis::Good, "0"),
        (Some(_), n) => Cell::with(Emphasis::Bad, n.to_string()),
    };
    let expected = class.expected_pool.as_deref().unwrap_or(NONE);
    let responses: u64 = class.answered.values().sum();
    let figures = [
        Cell::plain(responses.to_string()),
        misrouted,
        Cell::plain(by_pool(&class.answered)),
        Cell::plain(by_pool(&class.logged)),
    ];
    let figures = figures.map(struck_unless(cell.is_usable()));
    names(run, cell).into_iter().chain([Cell::plain(name), Cell::plain(expected)]).chain(figures).collect()
}

/// `web 90 (90 %), canary 10 (10 %)`.
fn by_pool(counts: &BTreeMap<String, u64>) -> String {
    let all: u64 = counts.values().sum();
    let one = |(pool, n): (&String, &u64)| format!("{pool} {n} ({})", percent(*n as f64 / all.max(1) as f64));
    if all == 0 { NONE.to_owned() } else { counts.iter().map(one).collect::<Vec<_>>().join(", ") }
}

/// How routes were split, by the client and by the balancer's log; `None` if none was.
pub(super) fn splits(run: &RunSummary) -> Option<Table> {
    let columns = Column::left([
        "balancer",
        "variant",
        "route",
        "since",
        "asked for",
        "as the client saw it",
        "as the balancer logged it",
    ]);
    let rows = |cell: &CellSummary| {
        let splits = cell.routing.iter().flat_map(|routing| &routing.splits);
        let row = |split: &RouteSplit, phase: &SplitPhase| {
            let figures = [
                Cell::plain(split.route.clone()),
                Cell::plain(phase.entry.as_deref().unwrap_or("the beginning")),
                Cell::plain(phase.to.to_string()),
            ];
            let counted = [by_pool(&phase.client), by_pool(&phase.logged)].map(Cell::plain);
            let counted = counted.map(struck_unless(cell.is_usable()));
            names(run, cell).into_iter().chain(figures).chain(counted).collect::<Vec<_>>()
        };
        splits
            .flat_map(|split| split.phases.iter().map(|phase| row(split, phase)).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    let rows: Vec<_> = run.cells.iter().flat_map(rows).collect();
    let agreement = |cell: &CellSummary| {
        let routing = cell.routing.as_ref().filter(|routing| !routing.splits.is_empty())?;
        let between: u64 = routing.splits.iter().map(|split| split.between).sum();
        let compared = match routing.compared {
            None => "the access log could not be compared".to_owned(),
            Some(n) => format!("client and access log disagree on {} of {n} ids", routing.disagreements),
        };
        Some(format!("{}: {compared}; {between} requests were in flight during a change.", run.label(cell)))
    };
    (!rows.is_empty()).then(|| Table {
        title: "Splits".to_owned(),
        columns: columns.into(),
        rows,
        notes: run.cells.iter().filter_map(agreement).collect(),
    })
}

/// What curl was told, word for word.
pub(super) fn transcripts(run: &RunSummary) -> Vec<Quote> {
    run.cells.iter().flat_map(|cell| transcripts_of(run, cell)).collect()
}

/// What curl was told in one cell.
pub(crate) fn transcripts_of(run: &RunSummary, cell: &CellSummary) -> Vec<Quote> {
    let from = run.label(cell);
    let entries = cell.curls.chunk_by(|one, next| one.entry == next.entry && one.command == next.command);
    entries
        .map(|curls| Quote {
            from: format!("{from}: {}", curls[0].entry),
            text: std::iter::once(conversation(&curls[0])).chain(curls[1..].iter().map(again)).collect(),
        })
        .collect()
}

/// What was said, in full.
fn conversation(curl: &Transcript) -> String {
    let spoken = curl.spoken().collect::<Vec<_>>().join("\n");
    let rest = match (curl.status.as_str(), curl.body.trim_end()) {
        ("exit status: 0", body) => body.to_owned(),
        (status, body) => format!("{body}\n({status})").trim_start().to_owned(),
    };
    format!("$ {}\n{spoken}\n{rest}", curl.command)
}

/// The same request again: who answered it.
fn again(curl: &Transcript) -> String {
    format!("\nagain: {}", curl.answer().unwrap_or_else(|| format!("no answer ({})", curl.status)))
}
