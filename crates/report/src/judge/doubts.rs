//! What of a run can't be trusted, or is missing, and why.

use model::identity::BalancerName;

use super::verdict::{PLAN_CHANGED, Problem, RunSummary};
use crate::measure::summary::CellSummary;
use crate::measure::validity::{Trust, cpu_window_suffices};

/// One reason to believe less.
pub(crate) struct Doubt {
    /// Whose figures it is about; `None`: everybody's.
    pub(crate) balancer: Option<BalancerName>,
    /// Whether it says what somebody did, and leaves nothing open.
    pub(crate) known: bool,
    /// The whole of it in one line.
    pub(crate) text: String,
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
                let (label, word) = (run.label(cell), validity.verdict.word());
                let text = format!("{label}: {name} {word} ({})", validity.reasons.join("; "));
                doubts.push(Doubt { balancer: Some(cell.balancer), known: false, text });
            }
        }
    }
    doubts.extend(run.problems.iter().filter_map(problem));
    doubts
}

fn problem(problem: &Problem) -> Option<Doubt> {
    let (balancer, known, text) = match problem {
        Problem::Interrupted => (None, true, "the run was interrupted".to_owned()),
        Problem::CellMissing { cell, reason } => {
            (Some(cell.balancer), false, format!("{cell}: no results: {reason}"))
        }
        Problem::PlanChanged => (None, false, PLAN_CHANGED.to_owned()),
        Problem::Note(_) => return None,
    };
    Some(Doubt { balancer, known, text })
}

fn asks_for_cpu(cell: &CellSummary) -> bool {
    cell.tls.is_some() || cpu_window_suffices(&cell.cpu)
}
