//! What a client saw of a target: before, during and after its deploy, and who answered.

use super::tables::names;
use crate::compose::table::{Cell, Column, Emphasis, Table};
use crate::judge::verdict::RunSummary;
use crate::measure::latency::{LatencySummary, Level, Quantile};
use crate::measure::summary::CellSummary;
use crate::measure::target::{DeployPeriod, TargetRecord};
use crate::numbers::{NONE, millis};

/// Cells against a target, with what is known of it.
fn targets(run: &RunSummary) -> impl Iterator<Item = (&CellSummary, &TargetRecord)> {
    run.cells.iter().filter_map(|cell| Some((cell, cell.target.as_ref()?)))
}

/// A row per cell and period.
pub(super) fn periods(run: &RunSummary) -> Option<Table> {
    let mut rows = Vec::new();
    for (cell, target) in targets(run) {
        for period in &target.periods {
            let latency = |which| Cell::plain(percentile(&period.latency_ms, which));
            let dropped = match period.dropped {
                0 => Cell::plain("0"),
                dropped => Cell::with(Emphasis::Bad, dropped.to_string()),
            };
            let mut row = names(run, cell);
            row.extend([Cell::plain(period.name.word()), Cell::plain(period.requests.to_string()), dropped]);
            row.extend([Quantile::P50, Quantile::P99].map(latency));
            rows.push(row);
        }
    }
    let mut columns = Vec::from(Column::left(["target", "variant", "deploy"]));
    columns.extend(Column::right(["requests", "dropped", "p50", "p99"]));
    let notes = targets(run).filter_map(|(cell, target)| {
        let last = target.last_loss_ms?;
        let (side, ms) = if last < 0.0 { ("before", -last) } else { ("after", last) };
        Some(format!(
            "{}: the last dropped request was due {} {side} the deploy's end.",
            run.label(cell),
            millis(ms)
        ))
    });
    let notes: Vec<_> = notes.collect();
    (!rows.is_empty()).then(|| Table {
        title: "Before, during and after the deploy".to_owned(),
        columns,
        rows,
        notes,
    })
}

fn percentile(latency: &LatencySummary, quantile: Quantile) -> String {
    match latency.level(quantile) {
        Level::Ms(ms) => millis(ms),
        Level::Failed => format!("> {} ({} failed)", millis(latency.timeout_ms), latency.failed),
        Level::TooFew => NONE.to_owned(),
    }
}

/// A row per cell and identity.
pub(super) fn identities(run: &RunSummary) -> Option<Table> {
    let mut rows = Vec::new();
    for cell in &run.cells {
        let of_target = cell.target.as_ref().and_then(|target| target.identities.as_ref());
        for identity in of_target.or(cell.identities.as_ref()).into_iter().flatten() {
            let name = if identity.identity.is_empty() { NONE } else { &identity.identity };
            let last = identity.last_ms.map_or(NONE.to_owned(), |ms| {
                if ms < 0.0 { format!("{} before", millis(-ms)) } else { format!("{} after", millis(ms)) }
            });
            let mut row = names(run, cell);
            row.push(Cell::plain(name));
            row.extend(
                [DeployPeriod::Before, DeployPeriod::During, DeployPeriod::After]
                    .map(|when| Cell::plain(identity.answers[when as usize].to_string())),
            );
            row.push(Cell::plain(last));
            rows.push(row);
        }
    }
    let who = if targets(run).next().is_some() { "target" } else { "balancer" };
    let mut columns = Vec::from(Column::left([who, "variant", "identity"]));
    columns.extend(Column::right(["before", "during", "after", "last answer, to the deploy's end"]));
    (!rows.is_empty()).then(|| Table { title: "Who answered".to_owned(), columns, rows, notes: vec![] })
}

/// A row per command that was run.
pub(super) fn commands(run: &RunSummary) -> Option<Table> {
    let mut rows = Vec::new();
    for (cell, target) in targets(run) {
        for command in &target.commands {
            let status = if command.succeeded {
                Cell::plain(&command.status)
            } else {
                Cell::with(Emphasis::Bad, &command.status)
            };
            let took = command.took_ms.map_or(NONE.to_owned(), millis);
            let mut row = names(run, cell);
            row.extend([Cell::plain(command.command.name()), Cell::plain(&command.words)]);
            row.extend([Cell::plain(millis(command.began_ms)), Cell::plain(took), status]);
            rows.push(row);
        }
    }
    let mut columns = Vec::from(Column::left(["target", "variant", "step", "command"]));
    columns.extend(Column::right(["began", "took"]));
    columns.extend(Column::left(["ended"]));
    let unkept = targets(run).flat_map(|(cell, target)| target.commands.iter().map(move |it| (cell, it)));
    let notes = unkept.filter_map(|(cell, command)| {
        let bytes = command.unkept_bytes?;
        let name = command.command;
        Some(format!("{}: {bytes} bytes of the output of {name} were not kept.", run.label(cell)))
    });
    let notes = notes.collect();
    (!rows.is_empty()).then(|| Table { title: "Commands".to_owned(), columns, rows, notes })
}
