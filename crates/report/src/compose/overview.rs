//! What several runs showed, side by side: a row per scenario, an answer per balancer.

use std::collections::BTreeSet;

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
        let emphasis = match run.verdict {
            Verdict::Passed => Emphasis::Good,
            Verdict::Invalid | Verdict::Failed | Verdict::Interrupted => Emphasis::Bad,
        };
        cells.push(Cell::with(emphasis, run.verdict.word()));
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
    let observed = first.observed.split(';').next().unwrap_or_default();
    let subject = first.text.split_whitespace().next().unwrap_or_default();
    Cell::with(emphasis, format!("{} {held}/{}: {subject} {observed}", mark.sign(), claims.len()))
}
