//! A run's summary, laid out.

use model::visible::visible;

use crate::compose::comparison;
use crate::compose::document::{Detail, compose};
use crate::compose::overview;
use crate::compose::page::Page;
use crate::compose::table::Table;
use crate::dialect::openmetrics::SameScenario;
use crate::dialect::{csv, json, junit, markdown, openmetrics, terminal};
use crate::judge::compare::Comparison;
use crate::judge::verdict::RunSummary;

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
        Format::Json => json::render(run),
        Format::Csv => shown(&csv::render(&[run])),
        Format::Junit => shown(&junit::render([run])),
        Format::Openmetrics => shown(&openmetrics::render(&[run]).expect("one run is of one scenario")),
    }
}

/// Lays out what several runs showed: one table for people, all of each for programs.
pub fn render_overview(runs: &[&RunSummary], format: Format, style: Style) -> Result<String, SameScenario> {
    Ok(match format {
        Format::Table => terminal::render_table(&overview::table(runs), style),
        Format::Markdown => shown(&markdown::table(&overview::table(runs))),
        Format::Json => json::render_all(runs),
        Format::Csv => shown(&csv::render(runs)),
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
        _ => json::text(&comparisons),
    }
}

/// Lays out a page as Markdown.
pub fn render_page(page: &Page) -> String {
    shown(&markdown::page(page))
}
