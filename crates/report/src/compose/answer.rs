//! What one reads after a run: the question, one short table, a sentence for each finding, and the verdict at the end. Whatever
//! limits trust in it is said; everything else is in the full report.

mod columns;

use crate::compose::document::{self, Line, Mark};
use crate::compose::once::{Remark, once};
use crate::compose::table::{Cell, Table};
use crate::figure::bounds;
use crate::figure::catalogue::Figure;
use crate::judge::doubts::{self, Doubt};
use crate::judge::verdict::{Holding, RunProblem, RunSummary};
use crate::measure::summary::CellSummary;
use crate::numbers::first_line;

/// The answer of a run, before it is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShortReport {
    /// The scenario, and the question that it answers.
    pub(crate) question: String,
    /// What was done to find out, in one sentence.
    pub(crate) experiment: String,
    /// The figures that answer it; `None`: no cell has any.
    pub(crate) table: Option<Table>,
    /// What was found, and what limits trust in it.
    pub(crate) lines: Vec<Line>,
    /// The verdict.
    pub(crate) verdict: Line,
}

/// The answer of `run`.
pub(crate) fn compose(run: &RunSummary) -> ShortReport {
    ShortReport {
        question: format!("{}: {}", run.scenario, run.question),
        experiment: shortened(&run.experiment),
        table: table(run),
        lines: [readings(run), findings(run), document::unavailable_lines(run), open_claims(run), trust(run)]
            .concat(),
        verdict: verdict(run),
    }
}

/// The table that answers the question; `None`: no cell has any figure.
pub(crate) fn table(run: &RunSummary) -> Option<Table> {
    (!run.cells.is_empty()).then(|| columns::table(run))
}

/// A figure over the repeats of a variant, as the table has it: a zero of dropped requests with its bound.
pub(crate) fn told(figure: &Figure, cells: &[CellSummary]) -> Cell {
    columns::figure(figure, cells)
}

/// An experiment of many variants takes longer to tell than its answer.
const LETTERS: usize = 480;

/// Whether it is so long.
pub(crate) fn is_long(experiment: &str) -> bool {
    experiment.chars().count() > LETTERS
}

/// Its beginning, if it is long: whole parts of the sentence.
fn shortened(experiment: &str) -> String {
    let Some((end, _)) = experiment.char_indices().nth(LETTERS) else { return experiment.to_owned() };
    let part = [", or ", "; "].iter().filter_map(|between| experiment[..end].rfind(between)).max();
    format!("{}; and more (--full)", &experiment[..part.unwrap_or(end)])
}

/// The scenario's own words, sentence by sentence, each once for all balancers of which it says the same.
pub(crate) fn readings(run: &RunSummary) -> Vec<Line> {
    let sentences = run.readings.iter().flat_map(|told| {
        let each = told.text.split_inclusive(". ").map(str::trim);
        each.map(|sentence| Remark {
            of: told.balancer.to_string(),
            mark: Mark::None,
            text: sentence.to_owned(),
        })
    });
    once(&sentences.collect::<Vec<_>>(), |of| match of.len() == run.readings.len() {
        true => String::new(),
        false => format!("{}: ", of.join(", ")),
    })
}

/// What a reader should know beside the answer.
pub(crate) fn findings(run: &RunSummary) -> Vec<Line> {
    let of = |cell: &CellSummary| {
        let lines = document::findings_of(cell).into_iter();
        lines.map(|line| said(run, cell, line.mark, line.text)).collect::<Vec<_>>()
    };
    once(&run.cells.iter().flat_map(of).collect::<Vec<_>>(), |of| cells(of, run))
}

/// The claims that did not hold.
pub(crate) fn open_claims(run: &RunSummary) -> Vec<Line> {
    let mut claims = document::claim_lines(run);
    claims.retain(|line| matches!(line.mark, Mark::Bad | Mark::Unknown));
    claims
}

/// The claims that held, each once with all balancers of which the same is true.
pub(crate) fn held_claims(run: &RunSummary) -> Vec<Line> {
    let mut alike: Vec<(String, Vec<Remark>)> = Vec::new();
    for held in document::standing_claims(run).into_iter().filter(|it| it.mark == Mark::Good) {
        let remark = Remark { of: held.of.clone(), mark: held.mark, text: held.text() };
        match alike.iter_mut().find(|(known, _)| *known == held.claim) {
            Some((_, remarks)) => remarks.push(remark),
            None => alike.push((held.claim, vec![remark])),
        }
    }
    let named = |of: &[&str]| format!("{}  ", of.join(", "));
    alike.iter().flat_map(|(_, remarks)| once(remarks, named)).collect()
}

/// Lines of a report about single cells, those that differ in numbers alone as one.
pub(crate) fn shorter(run: &RunSummary, lines: &[Line]) -> Vec<Line> {
    let remark = |line: &Line| {
        let (of, text) = line.parts();
        Remark { of: of.to_owned(), mark: line.mark, text: text.to_owned() }
    };
    once(&lines.iter().map(remark).collect::<Vec<_>>(), |of| cells(of, run))
}

/// Why something can't be trusted, or what a reader should know of it.
fn trust(run: &RunSummary) -> Vec<Line> {
    let doubt = |doubt: Doubt| {
        let mark = if doubt.known { Mark::None } else { Mark::Unknown };
        let Doubt { label, what, reasons, .. } = doubt;
        // What stands in parentheses at the end of a reason says where to look in the full report.
        let short =
            |reason: &String| reason.split_once(" (").map_or(reason.as_str(), |(short, _)| short).to_owned();
        let mut texts: Vec<String> =
            reasons.iter().map(|reason| format!("{what}: {}", short(reason))).collect();
        if texts.is_empty() {
            texts.push(what);
        }
        texts.into_iter().map(move |text| Remark { of: label.clone().unwrap_or_default(), mark, text })
    };
    let mut said_of_cells: Vec<Remark> = doubts::of(run).into_iter().flat_map(doubt).collect();
    for cell in &run.cells {
        let failures = cell.failures.iter().map(|failure| (Mark::Unknown, first_line(failure).to_owned()));
        let notes = document::notes_of(cell).into_iter().map(|note| (Mark::None, note));
        said_of_cells.extend(failures.chain(notes).map(|(mark, text)| said(run, cell, mark, text)));
    }
    let notes = run.problems.iter().filter_map(|problem| match problem {
        RunProblem::Note(note) => Some(Remark { of: String::new(), mark: Mark::None, text: note.clone() }),
        _ => None,
    });
    said_of_cells.extend(notes);
    once(&said_of_cells, |of| cells(of, run))
}

fn said(run: &RunSummary, cell: &CellSummary, mark: Mark, text: String) -> Remark {
    Remark { of: run.label(cell), mark, text }
}

/// Cells beyond these are counted, not named.
const NAMED: usize = 3;

/// Whose sentence it is.
fn cells(of: &[&str], run: &RunSummary) -> String {
    let all = run.cells.len();
    match of {
        [""] => String::new(),
        several if several.len() > NAMED && several.len() == all => format!("all {all} cells: "),
        several if several.len() > NAMED => format!("{} of {all} cells: ", several.len()),
        few => format!("{}: ", few.join(", ")),
    }
}

fn verdict(run: &RunSummary) -> Line {
    let Line { mark, mut text, .. } = document::headline(run);
    let judged = run.claims.iter().filter(|claim| !matches!(claim.holding, Holding::NotApplicable(_)));
    let held = judged.clone().filter(|claim| claim.holding == Holding::Held).count();
    match judged.count() {
        0 => {}
        1 => text.push_str(&format!(", {held} of 1 claim held")),
        all => text.push_str(&format!(", {held} of {all} claims held")),
    }
    Line::new(mark, text)
}

/// What may lie behind zeros, of all cells together.
fn shadows(run: &RunSummary) -> String {
    bounds::shadows(run.cells.iter().map(|cell| &cell.books))
}
