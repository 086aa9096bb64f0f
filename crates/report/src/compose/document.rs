//! What a report says, in which order; how it looks is the dialects' matter.

mod answers;
mod faults;
mod findings;
mod further;
mod lists;
mod load;
mod reloads;
mod repeats;
mod resources;
mod routing;
mod strata;
mod tables;
mod target;
mod tls;
mod users;

pub(crate) use findings::findings_of;
pub use further::ELSEWHERE;
pub(crate) use further::value;
pub(crate) use lists::{StandingClaim, notes_of, unavailable as unavailable_lines};
pub(crate) use routing::transcripts_of as transcripts;
pub(crate) use tables::{DROPPED, drains_expired, dropped, names, struck_unless, verdict, who_had_them};

use crate::compose::table::Table;
use crate::judge::verdict::{Holding, RunSummary, Verdict};
use crate::measure::latency::Quantile;
use crate::measure::summary::CellSummary;

/// A report, before it is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The scenario and the verdict.
    pub headline: Line,
    /// The question that the scenario answers.
    pub question: String,
    /// What was done to find out, in one sentence.
    pub experiment: String,
    /// What follows.
    pub blocks: Vec<Block>,
}

/// A part of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A table of what was measured.
    Table(Table),
    /// A table of how it was measured.
    Method(Table),
    /// Lines under a title.
    List {
        /// What they are about.
        topic: Topic,
        /// The lines.
        lines: Vec<Line>,
    },
    /// Texts of others, word for word, under a title.
    Quotes {
        /// What they are about.
        topic: Topic,
        /// The texts.
        quotes: Vec<Quote>,
    },
}

/// What a list or quotes are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "`title` says what each is")]
pub enum Topic {
    Books,
    Capabilities,
    Claims,
    Curl,
    Differences,
    Environment,
    Failures,
    Findings,
    Generator,
    Notes,
    Notices,
    NotCompared,
    NotRun,
    OwnTemplates,
    Reading,
    Reproduce,
    Sides,
    Sources,
    Trust,
    Windows,
}

impl Topic {
    /// The title above it.
    pub fn title(self) -> &'static str {
        match self {
            Topic::Books => "Books",
            Topic::Capabilities => "Capabilities",
            Topic::Claims => "Claims",
            Topic::Curl => "curl transcripts",
            Topic::Differences => "The runs differ in",
            Topic::Environment => "Environment",
            Topic::Failures => "Failures",
            Topic::Findings => "Findings",
            Topic::Generator => "Load generator",
            Topic::Notes => "Notes",
            Topic::Notices => "What the balancers' own logs say about their backends",
            Topic::NotCompared => "Not compared",
            Topic::NotRun => "Not run",
            Topic::OwnTemplates => "Own templates",
            Topic::Reading => "Reading",
            Topic::Reproduce => "Reproduce",
            Topic::Sides => "What is compared",
            Topic::Sources => "Where requests were dropped",
            Topic::Trust => "What can be trusted",
            Topic::Windows => "Drain windows",
        }
    }
}

/// A text of others: what a balancer said when it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Where it comes from.
    pub from: String,
    /// The text, of one line or many.
    pub text: String,
}

/// A line with its mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its mark.
    pub mark: Mark,
    /// What it says.
    pub text: String,
    /// How much of that names the cell that it is about, in bytes.
    label: usize,
}

impl Line {
    /// A line about a whole run, or about what it names itself.
    pub(crate) fn new(mark: Mark, text: impl Into<String>) -> Line {
        Line { mark, text: text.into(), label: 0 }
    }

    /// The same without a mark.
    pub(crate) fn plain(text: impl Into<String>) -> Line {
        Line::new(Mark::None, text)
    }

    /// A line about the cell `label`.
    pub(crate) fn about(label: &str, mark: Mark, text: &str) -> Line {
        Line { mark, text: format!("{label}: {text}"), label: label.len() }
    }

    /// The cell that it is about, or nothing, and what it says of that.
    pub(crate) fn parts(&self) -> (&str, &str) {
        let (label, said) = self.text.split_at(self.label);
        (label, if label.is_empty() { said } else { said.strip_prefix(": ").unwrap_or(said) })
    }
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
        blocks.extend(target::periods(run).map(Block::Table));
        blocks.extend(target::identities(run).map(Block::Table));
        blocks.extend(target::commands(run).map(Block::Table));
        blocks.extend(answers::answers(run).map(Block::Table));
        blocks.extend(latency(run, detail));
        blocks.extend(strata::strata(run).map(Block::Table));
        blocks.extend(load::backends(run, detail).map(Block::Table));
        blocks.extend(users::users(run).map(Block::Table));
        blocks.extend(routing::classes(run).map(Block::Table));
        blocks.extend(routing::splits(run).map(Block::Table));
        blocks.extend(tables::deploys(run).map(Block::Table));
        blocks.extend(faults::faults(run).map(Block::Table));
        blocks.extend(reloads::reloads(run).map(Block::Table));
        blocks.extend(tls::tls(run).map(Block::Table));
        blocks.extend(resources::cpu(run).map(Block::Table));
        blocks.extend(further::after_signals(run).map(Block::Table));
        blocks.extend(further::further(run).map(Block::Table));
    }
    let lists = [
        (Topic::NotRun, lists::unavailable(run)),
        (Topic::Findings, findings::findings(run)),
        (Topic::Claims, lists::claims(run)),
        (Topic::Reading, lists::readings(run)),
        (Topic::Sources, lists::sources(run)),
        (Topic::Notices, answers::notices(run)),
        (Topic::Windows, lists::windows(run)),
        (Topic::Trust, lists::doubts(run)),
    ];
    blocks.extend(lists.into_iter().filter_map(list));
    blocks.extend(failures(run));
    blocks.extend(list((Topic::Books, lists::books(run))));
    let quotes = routing::transcripts(run);
    if !quotes.is_empty() {
        blocks.push(Block::Quotes { topic: Topic::Curl, quotes });
    }
    blocks.extend(tables::settings(run).map(Block::Method));
    blocks.extend(list((Topic::Notes, lists::notes(run))));
    if detail == Detail::Full {
        blocks.extend(resources::stages(run).map(Block::Method));
        let lists = [
            (Topic::Generator, lists::generator(run)),
            (Topic::Environment, lists::environment(run)),
            (Topic::Reproduce, lists::reproduce(run)),
        ];
        let quotes = lists::own_templates(run);
        if !quotes.is_empty() {
            blocks.push(Block::Quotes { topic: Topic::OwnTemplates, quotes });
        }
        blocks.extend(lists.into_iter().filter_map(list));
    }
    let (question, experiment) = (run.question.clone(), run.experiment.clone());
    Document { headline: headline(run), question, experiment, blocks }
}

/// Of a few repeats, each; of more, what they say together, and each beside that where there is room.
fn latency(run: &RunSummary, detail: Detail) -> Vec<Block> {
    let together = repeats::latency(run);
    let each = (together.is_none() || detail == Detail::Full).then(|| tables::latency(run));
    together.into_iter().chain(each).map(Block::Table).collect()
}

fn list((topic, lines): (Topic, Vec<Line>)) -> Option<Block> {
    (!lines.is_empty()).then_some(Block::List { topic, lines })
}

/// Why cells could not be run to their end, in full; elsewhere only the first line is told.
fn failures(run: &RunSummary) -> Option<Block> {
    let quotes: Vec<_> = run
        .cells
        .iter()
        .flat_map(|cell| {
            cell.failures.iter().map(move |text| Quote { from: run.label(cell), text: text.clone() })
        })
        .collect();
    (!quotes.is_empty()).then_some(Block::Quotes { topic: Topic::Failures, quotes })
}

/// The scenario and the verdict.
pub(crate) fn headline(run: &RunSummary) -> Line {
    let degraded = if run.degraded { " (DEGRADED)" } else { "" };
    let word = run.verdict.word();
    let mark = match run.verdict {
        Verdict::Passed => Mark::Good,
        Verdict::Failed => Mark::Bad,
        Verdict::Invalid | Verdict::Interrupted => Mark::Unknown,
    };
    let left_out = match run.unavailable.len() {
        0 => String::new(),
        1 => " (1 variant n/a)".to_owned(),
        n => format!(" ({n} variants n/a)"),
    };
    let skipped: Vec<_> = run.skipped.iter().map(|it| it.balancer.as_str()).collect();
    let skipped = match skipped.is_empty() {
        true => String::new(),
        false => format!(" (without {})", skipped.join(", ")),
    };
    Line::new(mark, format!("{}: {word}{degraded}{left_out}{skipped}", run.scenario))
}

/// The table of faults, if there is any.
pub(crate) fn faults_table(run: &RunSummary) -> Vec<Table> {
    faults::faults(run).into_iter().collect()
}

/// The tables of splits and of classes, if there are any.
pub(crate) fn routing_tables(run: &RunSummary) -> Vec<Table> {
    routing::splits(run).into_iter().chain(routing::classes(run)).collect()
}

/// The table of deploys, or of scaling, if there is any.
pub(crate) fn deploys_table(run: &RunSummary) -> Vec<Table> {
    tables::deploys(run).into_iter().collect()
}

/// The table of reloads, if there is any.
pub(crate) fn reloads_table(run: &RunSummary) -> Vec<Table> {
    reloads::reloads(run).into_iter().collect()
}

/// What the scenario says that its figures mean.
pub(crate) fn reading_lines(run: &RunSummary) -> Vec<Line> {
    lists::readings(run)
}

/// How its claims stand.
pub(crate) fn claim_lines(run: &RunSummary) -> Vec<Line> {
    lists::claims(run)
}

/// The same in parts.
pub(crate) fn standing_claims(run: &RunSummary) -> Vec<StandingClaim> {
    lists::standing(run)
}

/// p50, p90, p99 and p99.9 over the repeats of one variant.
pub(crate) fn quantiles(cells: &[CellSummary]) -> [String; 4] {
    let quantiles = [Quantile::P50, Quantile::P90, Quantile::P99, Quantile::P999];
    quantiles.map(|of| repeats::over(cells.iter(), of))
}

/// How a claim stands.
fn mark(holding: &Holding) -> Mark {
    match holding {
        Holding::Held => Mark::Good,
        Holding::Failed | Holding::Masked => Mark::Bad,
        Holding::Unproven(_) => Mark::Unknown,
        Holding::NotApplicable(_) => Mark::None,
    }
}
