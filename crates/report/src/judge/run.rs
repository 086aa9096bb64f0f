//! A run with its plan and its name: what everything that looks at several runs starts from.

use model::plan::SavedPlan;

use crate::judge::verdict::{Problem, RunSummary, Verdict};
use crate::measure::summary::CellSummary;

/// One saved run.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// What the user calls it: its directory.
    pub label: &'a str,
    /// What was planned.
    pub plan: &'a SavedPlan,
    /// What it showed.
    pub summary: &'a RunSummary,
}

/// What a run lacks that was not passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacks {
    /// Nothing, or something failed.
    Nothing,
    /// Proof alone: everything was measured as it should, and every claim holds by its number, though nothing shows that it
    /// could have failed.
    Proof,
    /// A measurement that can be trusted.
    Measurement,
}

impl RunSummary {
    /// What it lacks.
    pub fn lacks(&self) -> Lacks {
        if self.verdict != Verdict::Invalid {
            return Lacks::Nothing;
        }
        let noted = |problem: &Problem| matches!(problem, Problem::Note(_));
        let measured = self.cells.iter().all(CellSummary::is_usable) && self.problems.iter().all(noted);
        match measured && !self.cells.is_empty() {
            true => Lacks::Proof,
            false => Lacks::Measurement,
        }
    }
}
