//! The JSON dialect: the summary of a run as it is, and beside it every figure by its name.

use std::collections::BTreeMap;

use model::claim::Unit;
use model::identity::CellId;
use model::plan::{SkippedBalancer, Unavailable};
use model::visible::visible_json;
use serde::Serialize;

use crate::figure::catalogue::{Figure, figures};
use crate::judge::verdict::{ClaimVerdict, RunProblem, RunSummary, Verdict};
use crate::measure::summary::CellSummary;

/// A run, for programs.
#[derive(Serialize)]
struct RunJson<'a> {
    #[serde(flatten)]
    run: &'a RunSummary,
    figures: Vec<Figures>,
}

/// The figures of one cell, as claims call them; times are in milliseconds.
#[derive(Serialize)]
struct Figures {
    cell: CellId,
    /// `null`: infinite, because what it times never came.
    values: BTreeMap<String, FigureValue>,
    /// Those of them that can't be trusted.
    not_trusted: Vec<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum FigureValue {
    Count(u64),
    Number(f64),
}

/// Lays out a run.
pub(crate) fn render(run: &RunSummary) -> String {
    text(&whole(run))
}

/// Lays out several runs as a list.
pub(crate) fn render_all(runs: &[&RunSummary]) -> String {
    text(&runs.iter().map(|run| whole(run)).collect::<Vec<_>>())
}

fn whole(run: &RunSummary) -> RunJson<'_> {
    let known = figures(&run.cells);
    RunJson { run, figures: run.cells.iter().map(|cell| figures_of(cell, &known)).collect() }
}

fn figures_of(cell: &CellSummary, known: &[Figure]) -> Figures {
    let (mut values, mut not_trusted) = (BTreeMap::new(), Vec::new());
    for figure in known {
        let Some(value) = figure.read(cell) else { continue };
        if !figure.is_usable(cell) {
            not_trusted.push(figure.name());
        }
        let value = match figure.metric.unit() {
            Unit::Count => FigureValue::Count(value as u64),
            Unit::Number | Unit::Span | Unit::Share => FigureValue::Number(value),
        };
        values.insert(figure.name(), value);
    }
    Figures { cell: cell.cell(), values, not_trusted }
}

/// What a run concluded, without the figures that it rests on: `verdict.json`.
#[derive(Serialize)]
struct Conclusion<'a> {
    schema: u32,
    scenario: &'a str,
    verdict: Verdict,
    degraded: bool,
    claims: &'a [ClaimVerdict],
    unavailable: &'a [Unavailable],
    #[serde(skip_serializing_if = "<[SkippedBalancer]>::is_empty")]
    skipped: &'a [SkippedBalancer],
    problems: &'a [RunProblem],
}

/// Lays out what a run concluded, for a program that asks no more than that. Each part is named and formed as
/// in the whole summary.
pub fn verdict_json(run: &RunSummary) -> String {
    text(&Conclusion {
        schema: run.schema,
        scenario: &run.scenario,
        verdict: run.verdict,
        degraded: run.degraded,
        claims: &run.claims,
        unavailable: &run.unavailable,
        skipped: &run.skipped,
        problems: &run.problems,
    })
}

pub(crate) fn text(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value)
        .expect("a summary has string keys only, and nothing in it can fail to serialise");
    text.push('\n');
    visible_json(&text).into_owned()
}
