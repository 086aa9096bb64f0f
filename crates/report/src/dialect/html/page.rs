//! The page: what comes first, and what after that.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::blocks::{block, claim_line, columns_of_numbers, table};
use super::cells::{self, Article};
use super::lead;
use crate::compose::answer;
use crate::compose::document::{Block, Detail, Document, Mark, Topic, compose};
use crate::compose::overview;
use crate::dialect::pictures::Illustrated;
use crate::dialect::pictures::canvas::Frames;
use crate::dialect::pictures::ink::COLOURS;
use crate::judge::verdict::{Holding, RunSummary};

const STYLE: &str = include_str!("style.css");

/// Where a block stands on the page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// What a reader must know before the figures.
    First,
    /// What was measured.
    Middle,
    /// What only a reader with a doubt looks up.
    Last,
    /// Elsewhere, and shorter.
    Nowhere,
}

impl Position {
    fn of(block: &Block) -> Position {
        match block {
            Block::Table(_) => Position::Middle,
            Block::Method(_) => Position::Last,
            Block::List { topic, .. } | Block::Quotes { topic, .. } => match topic {
                Topic::NotRun | Topic::Failures => Position::First,
                // What is said of all balancers together at the top, and not again.
                Topic::Claims | Topic::Findings | Topic::Reading => Position::Nowhere,
                Topic::Books
                | Topic::OwnTemplates
                | Topic::Notes
                | Topic::Generator
                | Topic::Environment
                | Topic::Reproduce
                | Topic::Curl => Position::Last,
                Topic::Capabilities
                | Topic::Differences
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
    let frames = Frames::default();
    let names: Vec<&str> = runs.iter().map(|told| told.run.scenario.as_str()).collect();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "rig: " (names.join(", ")) }
                style { (PreEscaped(COLOURS)) (PreEscaped(STYLE)) (PreEscaped(columns_of_numbers())) }
            }
            body {
                main {
                    @if runs.len() > 1 { (contents(runs)) }
                    @for (number, told) in runs.iter().enumerate() { (article(number + 1, *told, &frames)) }
                }
                (frames.drawn())
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

fn article(number: usize, told: Illustrated<'_>, frames: &Frames) -> Markup {
    let run = told.run;
    let Document { headline, question, experiment, blocks } = compose(run, Detail::Full);
    let at = |place: Position| blocks.iter().filter(move |block| Position::of(block) == place);
    html! {
        article id=(format!("run-{number}")) {
            header {
                p.verdict.(tone(headline.mark)) { span.sign aria-hidden="true" { (headline.mark.sign()) } " " (headline.text) }
                h1 { (question) }
                @if answer::is_long(&experiment) { details.experiment { summary { b { "Experiment" } } p { (experiment) } } }
                @else { p.experiment { b { "Experiment" } ": " (experiment) } }
            }
            (lead::section(run))
            (found(run))
            @for other in at(Position::First) { (block(other)) }
            @if let Some(answer) = answer::table(run) { section { h2 { (answer.title) } (table(&answer)) } }
            h2.evidence { "Evidence" }
            (claims(run))
            (cells::section(&Article { told, frames }))
            details.evidence.tables {
                summary { "Every figure, in tables" }
                @for other in at(Position::Middle) { (shorter(run, other)) }
            }
            details.more {
                summary { "Books, settings, environment, and how to reproduce it" }
                @for other in at(Position::Last) { (shorter(run, other)) }
            }
            footer { "rig " (run.environment.rig) ", " (run.environment.started) ", seed " (run.seed) }
        }
    }
}

/// What was found, and which claims did not hold.
fn found(run: &RunSummary) -> Markup {
    let found = [answer::readings(run), answer::findings(run), answer::open_claims(run)].concat();
    html! {
        @if !found.is_empty() { section { h2 { "Findings" } ul.marked { @for line in &found { (claim_line(line)) } } } }
    }
}

/// The claims that did hold.
fn claims(run: &RunSummary) -> Markup {
    let lines = answer::held_claims(run);
    let held = run.claims.iter().filter(|claim| claim.holding == Holding::Held).count();
    html! {
        @if !lines.is_empty() {
            details.evidence {
                summary { (held) @if held == 1 { " claim" } @else { " claims" } " held" }
                ul.marked { @for line in &lines { (claim_line(line)) } }
            }
        }
    }
}

/// Of many cells, what differs in numbers alone is said once.
fn shorter(run: &RunSummary, other: &Block) -> Markup {
    match other {
        Block::List { topic, lines } if lines.len() > MANY => {
            block(&Block::List { topic: *topic, lines: answer::shorter(run, lines) })
        }
        other => block(other),
    }
}

/// So many lines about single cells are not read one by one.
const MANY: usize = 12;

fn tone(mark: Mark) -> &'static str {
    match mark {
        Mark::Good => "good",
        Mark::Bad => "bad",
        Mark::Unknown => "unknown",
        Mark::None => "plain",
    }
}
