//! A run's summary, laid out.

use model::plan::Unavailable;
use model::visible::{visible, visible_json};
use serde::Serialize;

use crate::compose::comparison;
use crate::compose::document::{Detail, compose};
use crate::compose::overview;
use crate::compose::page::Page;
use crate::compose::table::Table;
use crate::dialect::openmetrics::SameScenario;
use crate::dialect::{csv, junit, markdown, openmetrics, terminal};
use crate::judge::compare::Comparison;
use crate::judge::verdict::{ClaimVerdict, Problem, RunSummary, Verdict};

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
    /// What shows tests: a case per claim.
    Junit,
    /// What stores figures over time.
    Openmetrics,
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

/// A format whose own marks are visible, so that whatever isn't came from outside.
fn shown(text: &str) -> String {
    visible(text).into_owned()
}

/// Lays out a run's summary.
pub fn render(run: &RunSummary, format: Format, style: Style) -> String {
    match format {
        Format::Table => terminal::render(&compose(run, Detail::Brief), style),
        Format::Markdown => shown(&markdown::render(&compose(run, Detail::Full))),
        Format::Json => json(run),
        Format::Csv => shown(&csv::render(run)),
        Format::Junit => shown(&junit::render([run])),
        Format::Openmetrics => shown(&openmetrics::render(&[run]).expect("one run is of one scenario")),
    }
}

/// Lays out what several runs showed: one table for people, all of each for programs.
pub fn render_overview(runs: &[&RunSummary], format: Format, style: Style) -> Result<String, SameScenario> {
    Ok(match format {
        Format::Table => terminal::render_table(&overview::table(runs), style),
        Format::Markdown => shown(&markdown::table(&overview::table(runs))),
        Format::Json => json(&runs),
        Format::Csv => {
            let tables: Vec<String> = runs.iter().map(|run| csv::render(run)).collect();
            let rows = tables.iter().skip(1).flat_map(|table| table.lines().skip(1));
            let first = tables.first().map(|table| table.trim_end()).unwrap_or_default();
            shown(&std::iter::once(first).chain(rows).map(|line| format!("{line}\n")).collect::<String>())
        }
        Format::Junit => shown(&junit::render(runs.iter().copied())),
        Format::Openmetrics => shown(&openmetrics::render(runs)?),
    })
}

/// Lays out one table for a terminal, with its title above and its notes below.
pub fn render_table(table: &Table, style: Style) -> String {
    terminal::render_table(table, style)
}

/// Lays out comparisons, one after the other; a program gets the figures of every repeat.
pub fn render_comparisons(comparisons: &[Comparison], format: Format, style: Style) -> String {
    let documents = || comparisons.iter().map(comparison::compose);
    match format {
        Format::Table => {
            documents().map(|document| terminal::render(&document, style)).collect::<Vec<_>>().join("\n\n")
        }
        Format::Markdown => {
            shown(&documents().map(|document| markdown::render(&document)).collect::<Vec<_>>().join("\n"))
        }
        _ => json(&comparisons),
    }
}

/// Lays out a page as Markdown.
pub fn render_page(page: &Page) -> String {
    shown(&markdown::page(page))
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
        unavailable: &run.unavailable,
        problems: &run.problems,
    })
}

fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value)
        .expect("a summary has string keys only, and nothing in it can fail to serialise");
    text.push('\n');
    visible_json(&text).into_owned()
}
