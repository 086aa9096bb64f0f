//! A run with its plan and its name: what everything that looks at several runs starts from.

use model::plan::SavedPlan;

use crate::judge::verdict::RunSummary;

/// One saved run.
#[derive(Clone, Copy, Debug)]
pub struct LabelledRun<'a> {
    /// What the user calls it: its directory.
    pub label: &'a str,
    /// What was planned.
    pub plan: &'a SavedPlan,
    /// What it showed.
    pub summary: &'a RunSummary,
}
