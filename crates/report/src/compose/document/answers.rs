//! What clients got beside what the balancer says about it, and what that means.

use super::tables::{names, struck_unless};
use super::{Line, Mark};
use crate::compose::table::{Cell, Column, Table};
use crate::judge::verdict::RunSummary;
use crate::measure::answers::{Answers, ToldOf};
use crate::measure::summary::CellSummary;
use crate::numbers::NONE;

/// Status by word of the log, a row for each pair that was seen; `None` if none was.
pub(super) fn answers(run: &RunSummary) -> Option<Table> {
    let mut columns = Vec::from(Column::left(["balancer", "variant", "client saw", "balancer logged"]));
    columns.extend(Column::right(["requests"]));
    columns.extend(Column::left(["which means"]));
    let rows = |cell: &CellSummary| {
        let usable = struck_unless(cell.validity.counts.is_usable());
        let row = |told: &ToldOf| {
            let figures = [&told.seen, &logged(told), &told.count.to_string(), &meaning(&cell.answers, told)];
            let figures = figures.map(Cell::plain).map(&usable);
            names(run, cell).into_iter().chain(figures).collect::<Vec<_>>()
        };
        cell.answers.told.iter().map(row).collect::<Vec<_>>()
    };
    let rows: Vec<_> = run.cells.iter().flat_map(rows).collect();
    (!rows.is_empty()).then(|| Table {
        title: "Dropped requests, as client and balancer saw them".to_owned(),
        columns,
        rows,
        notes: vec![
            "Joined by request id. Requests that were delivered, but have a warning in the balancer's log, are listed too."
                .to_owned(),
        ],
    })
}

/// `504 UT`; nothing was sent where the status is 0.
fn logged(told: &ToldOf) -> String {
    let status = match told.status {
        None => return NONE.to_owned(),
        Some(0) => None,
        Some(status) => Some(status.to_string()),
    };
    let words: Vec<String> = status.into_iter().chain([told.flags.join(", ")]).collect();
    words.join(" ").trim().to_owned()
}

fn meaning(answers: &Answers, told: &ToldOf) -> String {
    let known = told.flags.iter().filter_map(|flag| answers.meanings.get(flag).map(String::as_str));
    let known: Vec<_> = known.collect();
    match (told.status, known.is_empty()) {
        (None, _) => "the balancer has no line about it".to_owned(),
        (_, true) => NONE.to_owned(),
        (_, false) => known.join("; "),
    }
}

/// What the balancer's other log says, the most frequent first.
pub(super) fn notices(run: &RunSummary) -> Vec<Line> {
    let line = |cell: &CellSummary| {
        let mut notices: Vec<_> = cell.answers.notices.iter().collect();
        notices.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let each: Vec<_> = notices.iter().map(|(notice, count)| format!("{count} × {notice}")).collect();
        (!each.is_empty()).then(|| Line::about(&run.label(cell), Mark::None, &each.join("; ")))
    };
    run.cells.iter().filter_map(line).collect()
}
