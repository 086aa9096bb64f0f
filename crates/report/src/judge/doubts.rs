//! What of a run can't be trusted, or is missing, and why.

use model::identity::BalancerName;

use super::verdict::{PLAN_CHANGED, RunProblem, RunSummary};
use crate::measure::summary::CellSummary;
use crate::measure::validity::{Trust, cpu_window_suffices};

/// One reason to believe less.
pub(crate) struct Doubt {
    /// The balancer whose figures it is about; `None`: all of them.
    pub(crate) balancer: Option<BalancerName>,
    /// Whether it reports what was done, and leaves nothing open.
    pub(crate) known: bool,
    /// Whose cell it is about; `None`: the whole run, or a cell without results.
    pub(crate) label: Option<String>,
    /// What can't be trusted, and how far; or all there is to say.
    pub(crate) what: String,
    /// Why.
    pub(crate) reasons: Vec<String>,
}

impl Doubt {
    /// The whole of it in one line.
    pub(crate) fn text(&self) -> String {
        match &self.label {
            Some(label) => format!("{label}: {}", self.said()),
            None => self.said(),
        }
    }

    /// The same without whose cell it is about.
    pub(crate) fn said(&self) -> String {
        match self.reasons.as_slice() {
            [] => self.what.clone(),
            reasons => format!("{} ({})", self.what, reasons.join("; ")),
        }
    }
}

/// Every doubt about a run, with its reason; nothing about what is VALID.
pub(crate) fn of(run: &RunSummary) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for cell in &run.cells {
        let claims = [
            ("counts", Some(&cell.validity.counts)),
            ("latency", Some(&cell.validity.latency)),
            ("deploy", cell.validity.deploy.as_ref()),
            ("timeline", cell.validity.timeline.as_ref()),
            // Where CPU time is what a cell is about, or could be told; of short windows the table of CPU times says it.
            ("CPU time", cell.validity.cpu.as_ref().filter(|_| asks_for_cpu(cell))),
        ];
        for (name, validity) in claims {
            if let Some(validity) = validity.filter(|v| v.verdict != Trust::Valid) {
                doubts.push(Doubt {
                    balancer: Some(cell.balancer),
                    known: false,
                    label: Some(run.label(cell)),
                    what: format!("{name} {}", validity.verdict.word()),
                    reasons: validity.reasons.clone(),
                });
            }
        }
    }
    doubts.extend(run.problems.iter().filter_map(problem));
    doubts
}

fn problem(problem: &RunProblem) -> Option<Doubt> {
    let (balancer, known, what) = match problem {
        RunProblem::Interrupted => (None, true, "the run was interrupted".to_owned()),
        RunProblem::CellMissing { cell, reason } => {
            (Some(cell.balancer), false, format!("{cell}: no results: {reason}"))
        }
        RunProblem::PlanChanged => (None, false, PLAN_CHANGED.to_owned()),
        RunProblem::Note(_) => return None,
    };
    Some(Doubt { balancer, known, label: None, what, reasons: vec![] })
}

fn asks_for_cpu(cell: &CellSummary) -> bool {
    cell.tls.is_some() || cpu_window_suffices(&cell.cpu)
}
