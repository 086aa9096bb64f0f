//! What several runs showed, side by side: a row per scenario, an answer per balancer.

use std::collections::BTreeSet;

use model::claim::Claim;
use model::identity::BalancerName;

use crate::compose::document::Mark;
use crate::compose::table::{Cell, Column, Emphasis, Table};
use crate::judge::verdict::{ClaimVerdict, Holding, Role, RunSummary, Verdict};
use crate::numbers::NONE;

/// A row for each of `runs`, in their order.
pub(crate) fn table(runs: &[&RunSummary]) -> Table {
    let balancers: BTreeSet<BalancerName> =
        runs.iter().flat_map(|run| &run.cells).map(|cell| cell.balancer).collect();
    let mut columns = Vec::from(Column::left(["scenario", "question"]));
    columns.extend(balancers.iter().flat_map(|name| Column::left([name.as_str()])));
    columns.extend(Column::left(["verdict"]));
    let row = |run: &RunSummary| {
        let mut cells = vec![Cell::plain(&run.scenario), Cell::plain(&run.question)];
        cells.extend(balancers.iter().map(|kind| answer(run, *kind)));
        cells.push(verdict(run.verdict));
        cells
    };
    Table {
        title: "What the scenarios showed".into(),
        columns,
        rows: runs.iter().copied().map(row).collect(),
        notes: vec![
            "Of each balancer: claims that held of those that could be judged, and what was observed of the first \
             expectation."
                .into(),
        ],
    }
}

/// How a run went, in one word.
pub(super) fn verdict(verdict: Verdict) -> Cell {
    let emphasis = match verdict {
        Verdict::Passed => Emphasis::Good,
        Verdict::Invalid | Verdict::Failed | Verdict::Interrupted => Emphasis::Bad,
    };
    Cell::with(emphasis, verdict.word())
}

/// How the claims about a balancer stand.
fn answer(run: &RunSummary, balancer: BalancerName) -> Cell {
    let applies = |claim: &&ClaimVerdict| {
        claim.balancer == balancer && !matches!(claim.holding, Holding::NotApplicable(_))
    };
    let claims: Vec<&ClaimVerdict> = run.claims.iter().filter(applies).collect();
    if claims.is_empty() {
        return Cell::plain(NONE);
    }
    let held = claims.iter().filter(|claim| claim.holding == Holding::Held).count();
    let (mark, emphasis) = if held == claims.len() {
        (Mark::Good, Emphasis::Good)
    } else if claims.iter().any(|claim| matches!(claim.holding, Holding::Failed | Holding::Masked)) {
        (Mark::Bad, Emphasis::Bad)
    } else {
        (Mark::Unknown, Emphasis::Bad)
    };
    let first = claims.iter().find(|claim| claim.role == Role::Expect).unwrap_or(&claims[0]);
    // The text of a saved claim that this version can't read stands for itself.
    let subject =
        first.text.parse::<Claim>().map_or_else(|_| first.text.clone(), |claim| claim.left.to_string());
    Cell::with(emphasis, format!("{} {held}/{}: {subject} {}", mark.sign(), claims.len(), first.observed))
}
