//! The page: what comes first, and what after that.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::blocks::{block, claim_line, table};
use super::cells::{self, Article};
use crate::compose::document::{Block, Detail, Document, Mark, Topic, compose};
use crate::compose::overview;
use crate::dialect::pictures::Illustrated;
use crate::dialect::pictures::ink::COLOURS;
use crate::judge::verdict::RunSummary;

const STYLE: &str = include_str!("style.css");

/// Where a block stands on the page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// What the numbers mean, as running text below the question.
    Reading,
    /// What the reader came for, before the pictures.
    First,
    /// What was measured.
    Middle,
    /// What only a reader with a doubt looks up.
    Last,
}

impl Position {
    fn of(block: &Block) -> Position {
        match block {
            Block::Table(_) => Position::Middle,
            Block::Method(_) => Position::Last,
            Block::List { topic, .. } | Block::Quotes { topic, .. } => match topic {
                Topic::Reading => Position::Reading,
                Topic::NotRun | Topic::Claims | Topic::Failures => Position::First,
                Topic::Books
                | Topic::OwnTemplates
                | Topic::Notes
                | Topic::Generator
                | Topic::Environment
                | Topic::Reproduce
                | Topic::Curl => Position::Last,
                Topic::Capabilities
                | Topic::Differences
                | Topic::Findings
                | Topic::Notices
                | Topic::NotCompared
                | Topic::Sides
                | Topic::Sources
                | Topic::Trust
                | Topic::Windows => Position::Middle,
            },
        }
    }
}

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
    let at = |place: Position| blocks.iter().filter(move |block| Position::of(block) == place);
    // The table of requests, if there is any cell, stands above the pictures.
    let requests = usize::from(!run.cells.is_empty());
    html! {
        article id=(format!("run-{number}")) {
            header {
                p.verdict.(tone(headline.mark)) { span.sign aria-hidden="true" { (headline.mark.sign()) } " " (headline.text) }
                h1 { (question) }
                p.experiment { b { "Experiment" } ": " (experiment) }
                @for block in at(Position::Reading) { (reading(block)) }
            }
            @for requests in at(Position::Middle).take(requests) { (block(requests)) }
            @for other in at(Position::First) {
                @match other {
                    Block::List { topic, lines } if lines.len() > MANY => {
                        section {
                            h2 { (topic.title()) }
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
            (cells::section(&Article { run: number, told }))
            @for other in at(Position::Middle).skip(requests) { (block(other)) }
            details.more {
                summary { "Books, settings, environment, and how to reproduce it" }
                @for other in at(Position::Last) { (block(other)) }
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

fn tone(mark: Mark) -> &'static str {
    match mark {
        Mark::Good => "good",
        Mark::Bad => "bad",
        Mark::Unknown => "unknown",
        Mark::None => "plain",
    }
}
