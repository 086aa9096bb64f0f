//! A run's summary, laid out.

use model::claim::AnswerPicture;
use model::visible::visible;
use strum::VariantArray;

use crate::compose::answer;
use crate::compose::comparison;
use crate::compose::document::{Detail, compose};
use crate::compose::overview;
use crate::compose::page::Page;
use crate::compose::table::Table;
use crate::dialect::html::html;
use crate::dialect::openmetrics::SameScenario;
use crate::dialect::pictures::Illustrated;
use crate::dialect::{csv, github, json, junit, markdown, openmetrics, svg, terminal};
use crate::figure::reading::NoReading;
use crate::judge::compare::RunComparison;
use crate::judge::verdict::RunSummary;

/// How a report is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::VariantArray)]
#[allow(missing_docs, reason = "`describe` says what each is for")]
pub enum Format {
    Table,
    Markdown,
    Html,
    Svg,
    Json,
    Csv,
    Junit,
    Openmetrics,
    Github,
}

impl Format {
    /// Every format.
    pub const ALL: &'static [Format] = Format::VARIANTS;

    /// Its name, and what it is for.
    pub fn describe(self) -> (&'static str, &'static str) {
        match self {
            Format::Table => ("table", "For a terminal"),
            Format::Markdown => ("markdown", "For write-ups and job summaries"),
            Format::Html => ("html", "For a browser: a page with pictures that needs no network"),
            Format::Svg => ("svg", "For a README: how requests ended, and what was done to backends"),
            Format::Json => ("json", "For programs"),
            Format::Csv => ("csv", "For spreadsheets: one row per cell"),
            Format::Junit => ("junit", "For test reporters: one case per claim"),
            Format::Openmetrics => {
                ("openmetrics", "For time-series databases: Pushgateway, node_exporter's textfile collector")
            }
            Format::Github => {
                ("github", "For a job on GitHub: an annotation for each claim that did not hold")
            }
        }
    }
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

impl Style {
    /// `text` in `style`, if colour is to be used.
    pub fn paint(self, text: &str, style: anstyle::Style) -> String {
        match self.colour {
            Colour::Always => format!("{style}{text}{style:#}"),
            Colour::Never => text.to_owned(),
        }
    }
}

/// A format whose own marks are visible, so that whatever isn't came from outside.
fn shown(text: &str) -> String {
    visible(text).into_owned()
}

/// Lays out one run.
pub fn render<'a>(run: impl Into<Illustrated<'a>>, format: Format, style: Style) -> String {
    let told = run.into();
    match format {
        Format::Table => terminal::render(&compose(told.run, Detail::Brief), style),
        Format::Markdown => shown(&markdown::render(&compose(told.run, Detail::Full))),
        Format::Json => json::render(told.run),
        _ => render_several(&[told], format, style).expect("one run is of one scenario"),
    }
}

/// Lays out for a terminal what one reads after a run; `rest` says where everything else is.
pub fn render_answer(run: &RunSummary, rest: &[String], style: Style) -> String {
    terminal::answer(&answer::compose(run), rest, style)
}

/// Lays out what several runs showed: one table for people, all of each for programs.
pub fn render_several(
    runs: &[Illustrated<'_>],
    format: Format,
    style: Style,
) -> Result<String, SameScenario> {
    let summaries: Vec<&RunSummary> = runs.iter().map(|told| told.run).collect();
    Ok(match format {
        Format::Table => terminal::render_table(&overview::table(&summaries), style),
        Format::Markdown => shown(&markdown::table(&overview::table(&summaries))),
        Format::Html => html(runs),
        Format::Svg => shown(&svg::render(runs)),
        Format::Json => json::render_all(&summaries),
        Format::Csv => shown(&csv::render(&summaries)),
        Format::Junit => shown(&junit::render(&summaries)),
        Format::Openmetrics => shown(&openmetrics::render(&summaries)?),
        Format::Github => shown(&github::render(&summaries)),
    })
}

/// Lays out a figure of every cell of several runs as one SVG: the one that is `asked` for, or each run's own. Fails where a
/// run has no such figure, with the reason.
pub fn render_figure(runs: &[&RunSummary], asked: Option<&AnswerPicture>) -> Result<String, NoReading> {
    Ok(shown(&svg::figure(runs, asked)?))
}

/// Lays out one table for a terminal, with its title above and its notes below.
pub fn render_table(table: &Table, style: Style) -> String {
    terminal::render_table(table, style)
}

/// Lays out comparisons, one after the other; a program gets the figures of every repeat.
pub fn render_comparisons(comparisons: &[RunComparison], format: Format, style: Style) -> String {
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
