//! `rig runbook`: a page for on-call, per balancer.

use std::collections::BTreeSet;

use engine::balancer::adapter;
use model::catalog::BalancerKind;
use model::operations::Whereabouts;
use model::plan::Variant;
use report::run::Run;
use report::{render_page, runbook};

use super::saved;
use crate::cli::Runbook;
use crate::exit::{Exit, Failure, print};

/// Prints a page for the named balancer, or for each balancer in the runs, or for all balancers.
pub(crate) fn perform(wanted: &Runbook) -> Result<Exit, Failure> {
    let read = saved::read(&wanted.runs)?;
    let runs: Vec<Run<'_>> = read.iter().map(saved::Read::run).collect();
    let ran: BTreeSet<BalancerKind> =
        runs.iter().flat_map(|run| &run.plan.variants).flat_map(Variant::kinds).collect();
    let kinds: Vec<BalancerKind> = match wanted.balancer {
        Some(kind) => vec![kind],
        None if ran.is_empty() => BalancerKind::ALL.to_vec(),
        None => ran.into_iter().collect(),
    };
    let page = |kind: &BalancerKind| {
        let operations = adapter(*kind).operated()?.operations(&Whereabouts::placeholders());
        Some(render_page(&runbook::compose(*kind, &operations, &runs)))
    };
    print(&kinds.iter().filter_map(page).collect::<Vec<_>>().join("\n"))?;
    Ok(Exit::Held)
}
