//! What a report says, in which order; how it looks is the dialects' matter.

mod lists;
mod tables;

use crate::summary::CellSummary;
use crate::table::Table;
use crate::validity::Trust;
use crate::verdict::{RunSummary, Verdict};

/// A report, before it is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The scenario and the verdict.
    pub headline: Line,
    /// The question that the scenario answers.
    pub question: String,
    /// What follows.
    pub blocks: Vec<Block>,
}

/// A part of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A table.
    Table(Table),
    /// Lines under a title.
    List {
        /// The title.
        title: &'static str,
        /// The lines.
        lines: Vec<Line>,
    },
}

/// A line with its mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its mark.
    pub mark: Mark,
    /// What it says.
    pub text: String,
}

/// What stands before a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// ✓
    Good,
    /// ✗
    Bad,
    /// ?
    Unknown,
    /// Nothing in particular.
    None,
}

impl Mark {
    /// The sign for it.
    pub fn sign(self) -> &'static str {
        match self {
            Mark::Good => "✓",
            Mark::Bad => "✗",
            Mark::Unknown => "?",
            Mark::None => "·",
        }
    }
}

/// How much a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What one reads after a run.
    Brief,
    /// All that a write-up needs: the environment and how to reproduce it.
    Full,
}

/// Composes the report of a run.
pub fn compose(run: &RunSummary, detail: Detail) -> Document {
    let mut blocks = Vec::new();
    if !run.cells.is_empty() {
        blocks.push(Block::Table(tables::requests(run)));
        blocks.push(Block::Table(tables::latency(run)));
        blocks.extend(tables::deploys(run).map(Block::Table));
    }
    let mut list = |title, lines: Vec<Line>| {
        if !lines.is_empty() {
            blocks.push(Block::List { title, lines });
        }
    };
    list("Claims", lists::claims(run));
    list("Where the dropped requests come from", lists::sources(run));
    list("Drain windows", lists::windows(run));
    list("What can be trusted", lists::validity(run));
    list("Books", lists::books(run));
    list("Settings", lists::settings(run));
    list("Notes", lists::notes(run));
    if detail == Detail::Full {
        list("Load generator", lists::generator(run));
        list("Environment", lists::environment(run));
        list("Reproduce", lists::reproduce(run));
    }
    Document { headline: headline(run), question: run.question.clone(), blocks }
}

fn headline(run: &RunSummary) -> Line {
    let degraded = if run.degraded { " (DEGRADED)" } else { "" };
    let (mark, word) = match run.verdict {
        Verdict::Passed => (Mark::Good, "PASSED"),
        Verdict::Failed => (Mark::Bad, "FAILED"),
        Verdict::Invalid => (Mark::Unknown, "INVALID"),
        Verdict::Interrupted => (Mark::Unknown, "INTERRUPTED"),
    };
    Line { mark, text: format!("{}: {word}{degraded}", run.scenario) }
}

/// The variant's name, with the repeat where there are several.
fn variant_label(run: &RunSummary, cell: &CellSummary) -> String {
    if run.repeats > 1 { format!("{} #{}", cell.variant, cell.repeat) } else { cell.variant.clone() }
}

fn label(run: &RunSummary, cell: &CellSummary) -> String {
    format!("{} {}", cell.balancer, variant_label(run, cell))
}

fn trust_word(trust: Trust) -> &'static str {
    match trust {
        Trust::Valid => "VALID",
        Trust::Degraded => "DEGRADED",
        Trust::Invalid => "INVALID",
    }
}
