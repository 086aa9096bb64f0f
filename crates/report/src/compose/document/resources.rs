//! What a cell cost: CPU time over its load, and the time that each stage took.

use model::component::Component;
use model::history::CellStage;

use super::tables::{names, struck_unless, trust};
use crate::compose::table::{Cell, Column, Table};
use crate::judge::verdict::RunSummary;
use crate::measure::cpu::Usage;
use crate::measure::summary::CellSummary;
use crate::numbers::{NONE, micros, millis, percent};

/// A figure in milliseconds, or nothing where nothing was measured: a zero would be a figure.
fn or_none(ms: Option<f64>) -> String {
    ms.map_or_else(|| NONE.to_owned(), millis)
}

/// CPU time over the load; `None` if no cell has any.
pub(super) fn cpu(run: &RunSummary) -> Option<Table> {
    let mut columns = Vec::from(Column::left(["balancer", "variant"]));
    columns.extend(Column::right([
        "of the balancer",
        "over",
        "per request",
        "generator",
        "backends",
        "other processes",
    ]));
    columns.extend(Column::left(["CPU time"]));
    let row = |cell: &CellSummary| {
        let cpu = &cell.cpu;
        let milliseconds = |seconds: Option<f64>| or_none(seconds.map(|seconds| seconds * 1e3));
        let figures = [
            milliseconds(cpu.seconds(&Component::Balancer)),
            or_none(cpu.components.get(&Component::Balancer).map(Usage::covers_ms)),
            cpu.balancer_us_per_request.map_or_else(|| NONE.to_owned(), micros),
            milliseconds(cpu.generator_seconds()),
            milliseconds(cpu.backends_seconds),
            cpu.foreign.map_or_else(|| NONE.to_owned(), percent),
        ];
        let figures = figures.map(Cell::plain).map(struck_unless(cell.cpu_is_usable()));
        let trust = cell.cpu_trust().map_or_else(|| Cell::plain(NONE), trust);
        names(run, cell).into_iter().chain(figures).chain([trust]).collect()
    };
    // Of a target nothing but the generator is read.
    let measured = run.cells.iter().any(|cell| cell.target.is_none() && !cell.cpu.components.is_empty());
    let mut notes = vec![
            "Between the readings at the first measured arrival and at the end of the last request; a component \
             that came later from its launch, one that was ended before to the last reading before its end. \
             Per request: of the balancer, over the requests that were due between its readings and were begun. \
             Other processes: what they used of the processors, unless they give way to rig by a lower priority."
                .to_owned(),
    ];
    if run.cells.iter().any(|cell| !cell.cpu_is_usable()) {
        notes.push("INVALID: read over less than 5 s, or the hypervisor took more than 10 % of the processors' time (steal), or steal time was not measured, or other processes used more than 30 %."
                .to_owned());
    }
    measured.then(|| Table {
        title: "CPU time over the load".to_owned(),
        columns,
        rows: run.cells.iter().map(row).collect(),
        notes,
    })
}

/// How long the stages of each cell took; `None` if no history says so.
pub(super) fn stages(run: &RunSummary) -> Option<Table> {
    const STAGES: [CellStage; 4] =
        [CellStage::Launch, CellStage::Ready, CellStage::Load, CellStage::Teardown];
    let mut columns = Vec::from(Column::left(["balancer", "variant"]));
    columns.extend(Column::right(["launch", "ready", "load", "teardown"]));
    let row = |cell: &CellSummary| {
        let took = |stage| or_none(cell.stages.get(&stage).map(|seconds| seconds * 1e3));
        names(run, cell).into_iter().chain(STAGES.map(took).map(Cell::plain)).collect()
    };
    run.cells.iter().any(|cell| !cell.stages.is_empty()).then(|| Table {
        title: "How long each stage took".to_owned(),
        columns,
        rows: run.cells.iter().map(row).collect(),
        notes: vec![],
    })
}
