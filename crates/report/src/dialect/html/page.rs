//! The page: what comes first, and what after that.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::blocks::{block, claim_line, table};
use super::cells::{self, Place};
use crate::compose::document::{Block, Detail, Document, Mark, compose};
use crate::compose::overview;
use crate::dialect::pictures::Illustrated;
use crate::dialect::pictures::ink::COLOURS;
use crate::judge::verdict::RunSummary;

const STYLE: &str = include_str!("style.css");

/// What the reader came for: it stands before the pictures.
const FIRST: [&str; 4] = ["Not run", "Claims", "Reading", "Failures"];
/// What only a reader with a doubt looks up.
const LAST: [&str; 9] = [
    "Books",
    "Settings",
    "Own templates",
    "Notes",
    "How long each stage took",
    "Load generator",
    "Environment",
    "Reproduce",
    "What curl was told",
];

pub(super) fn render(runs: &[Illustrated<'_>]) -> Markup {
    let names: Vec<&str> = runs.iter().map(|told| told.run.scenario.as_str()).collect();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "rig: " (names.join(", ")) }
                style { (PreEscaped(COLOURS)) (PreEscaped(STYLE)) }
            }
            body {
                @if runs.len() > 1 { (contents(runs)) }
                @for (number, told) in runs.iter().enumerate() { (article(number + 1, *told)) }
            }
        }
    }
}

/// What the runs showed together, and where each is told.
fn contents(runs: &[Illustrated<'_>]) -> Markup {
    let summaries: Vec<&RunSummary> = runs.iter().map(|told| told.run).collect();
    html! {
        header.contents {
            h1 { (runs.len()) " runs" }
            (table(&overview::table(&summaries)))
            ol {
                @for (number, told) in runs.iter().enumerate() {
                    li { a href=(format!("#run-{}", number + 1)) { (told.run.scenario) } ", " (told.run.environment.started) }
                }
            }
        }
    }
}

fn article(number: usize, told: Illustrated<'_>) -> Markup {
    let run = told.run;
    let Document { headline, question, experiment, blocks } = compose(run, Detail::Full);
    let (first, rest): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|block| FIRST.contains(&title(block)));
    let (last, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|block| LAST.contains(&title(block)));
    // The table of requests, if there is any cell, and what the pictures are about.
    let (requests, tables) = rest.split_at(usize::from(!run.cells.is_empty()).min(rest.len()));
    html! {
        article id=(format!("run-{number}")) {
            header {
                p.verdict.(tone(headline.mark)) { span.sign aria-hidden="true" { (headline.mark.sign()) } " " (headline.text) }
                h1 { (question) }
                p.experiment { b { "Experiment" } ": " (experiment) }
                @for block in first.iter().filter(|block| title(block) == "Reading") { (reading(block)) }
            }
            @for requests in requests { (block(requests)) }
            @for other in first.iter().filter(|block| title(block) != "Reading") {
                @match other {
                    Block::List { title, lines } if lines.len() > MANY => {
                        section {
                            h2 { (title) }
                            ul.marked { @for line in lines.iter().filter(|line| line.mark != Mark::Good) { (claim_line(line)) } }
                            details {
                                summary { (lines.iter().filter(|line| line.mark == Mark::Good).count()) " that held" }
                                ul.marked { @for line in lines.iter().filter(|line| line.mark == Mark::Good) { (claim_line(line)) } }
                            }
                        }
                    }
                    other => { (block(other)) }
                }
            }
            (cells::section(&Place { run: number, told }))
            @for other in tables { (block(other)) }
            details.more {
                summary { "Books, settings, environment, and how to reproduce it" }
                @for other in &last { (block(other)) }
            }
            footer { "rig " (run.environment.rig) ", " (run.environment.started) ", seed " (run.seed) }
        }
    }
}

/// More claims than these are told by those that did not hold.
const MANY: usize = 12;

/// What the numbers mean, as running text.
fn reading(block: &Block) -> Markup {
    html! {
        @if let Block::List { lines, .. } = block {
            div.readings { @for line in lines { p.reading { (line.text) } } }
        }
    }
}

fn title(block: &Block) -> &str {
    match block {
        Block::Table(table) => &table.title,
        Block::List { title, .. } | Block::Quotes { title, .. } => title,
    }
}

fn tone(mark: Mark) -> &'static str {
    match mark {
        Mark::Good => "good",
        Mark::Bad => "bad",
        Mark::Unknown => "unknown",
        Mark::None => "plain",
    }
}
