//! A run with its plan and its name: what everything that looks at several runs starts from.

use model::plan::SavedPlan;

use crate::document;
use crate::verdict::{RunSummary, Verdict};

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

impl Run<'_> {
    /// Its verdict in one word.
    pub(crate) fn verdict(&self) -> &'static str {
        match self.summary.verdict {
            Verdict::Passed => "PASSED",
            Verdict::Failed => "FAILED",
            Verdict::Invalid => "INVALID",
            Verdict::Interrupted => "INTERRUPTED",
        }
    }

    /// Every doubt about it, a line each.
    pub(crate) fn doubts(&self) -> Vec<String> {
        document::doubts(self.summary)
    }
}
