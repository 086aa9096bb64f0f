//! A run's summary, laid out.

use serde::Serialize;

use crate::document::{Detail, compose};
use crate::verdict::{ClaimVerdict, Problem, RunSummary, Verdict};
use crate::{csv, markdown, terminal};

/// What the output is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A terminal.
    Table,
    /// A write-up, or a job's summary on GitHub.
    Markdown,
    /// A program.
    Json,
    /// A spreadsheet: a row per cell.
    Csv,
}

/// How a terminal shows it. The other formats have no width and no colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// The columns that may be used.
    pub width: u16,
    /// Whether to use colour.
    pub colour: Colour,
}

/// Whether to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text only.
    Never,
    /// ANSI escape sequences.
    Always,
}

/// Lays out a run's summary.
pub fn render(run: &RunSummary, format: Format, style: Style) -> String {
    match format {
        Format::Table => terminal::render(&compose(run, Detail::Brief), style),
        Format::Markdown => markdown::render(&compose(run, Detail::Full)),
        Format::Json => json(run),
        Format::Csv => csv::render(run),
    }
}

/// What a run concluded, without the figures that it rests on: `verdict.json`.
#[derive(Serialize)]
struct Conclusion<'a> {
    schema: u32,
    scenario: &'a str,
    verdict: Verdict,
    degraded: bool,
    claims: &'a [ClaimVerdict],
    problems: &'a [Problem],
}

/// Lays out what a run concluded, for a program that asks no more than that. Each part is named and formed as
/// in the whole summary.
pub fn verdict_json(run: &RunSummary) -> String {
    json(&Conclusion {
        schema: run.schema,
        scenario: &run.scenario,
        verdict: run.verdict,
        degraded: run.degraded,
        claims: &run.claims,
        problems: &run.problems,
    })
}

fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value)
        .expect("a summary has string keys only, and nothing in it can fail to serialise");
    text.push('\n');
    text
}
