//! The page: what comes first, and what after that.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::blocks::{block, claim_line, table};
use super::cells::{self, Article};
use crate::compose::answer;
use crate::compose::document::{Block, Detail, Document, Mark, Topic, compose};
use crate::compose::overview;
use crate::dialect::pictures::Illustrated;
use crate::dialect::pictures::canvas::Frames;
use crate::dialect::pictures::ink::COLOURS;
use crate::judge::verdict::RunSummary;

const STYLE: &str = include_str!("style.css");

/// Where a block stands on the page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
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
                Topic::NotRun | Topic::Claims | Topic::Failures => Position::First,
                // Of all balancers together, it stands at the top.
                Topic::Reading
                | Topic::Books
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
                style { (PreEscaped(COLOURS)) (PreEscaped(STYLE)) }
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
            section {
                @if let Some(answer) = answer::table(run) { h2 { (answer.title) } (table(&answer)) }
                ul.marked { @for line in answer::readings(run) { (claim_line(&line)) } }
            }
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
            (cells::section(&Article { run: number, told, frames }))
            @for (n, other) in at(Position::Middle).enumerate() {
                @if n >= ON_PAPER && matches!(other, Block::Table(_)) { div.paperless { (block(other)) } }
                @else { (block(other)) }
            }
            details.more {
                summary { "Books, settings, environment, and how to reproduce it" }
                @for other in at(Position::Last) { (block(other)) }
            }
            footer { "rig " (run.environment.rig) ", " (run.environment.started) ", seed " (run.seed) }
        }
    }
}

/// Tables beyond these are for a screen.
const ON_PAPER: usize = 6;
/// Of more claims than these, only those are listed that did not hold.
const MANY: usize = 12;

fn tone(mark: Mark) -> &'static str {
    match mark {
        Mark::Good => "good",
        Mark::Bad => "bad",
        Mark::Unknown => "unknown",
        Mark::None => "plain",
    }
}
