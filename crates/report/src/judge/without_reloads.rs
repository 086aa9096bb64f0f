//! Cells with reloads, beside the same load without them.

use model::plan::SavedPlan;
use model::timeline::{Action, Entry};

use crate::measure::reloads::WithoutReloads;
use crate::measure::summary::CellSummary;

/// Sets each cell with reloads beside that of the variant which differs in nothing but them.
pub(crate) fn compare(plan: &SavedPlan, cells: &mut [CellSummary]) {
    let found: Vec<Option<WithoutReloads>> = cells.iter().map(|cell| without(plan, cells, cell)).collect();
    for (cell, without) in cells.iter_mut().zip(found) {
        cell.without_reloads = without;
    }
}

fn without(plan: &SavedPlan, cells: &[CellSummary], cell: &CellSummary) -> Option<WithoutReloads> {
    cell.reloads?;
    let variant = plan.variant(&cell.variant)?;
    let calm = |entry: &&Entry| !matches!(entry.action, Action::Reload(_));
    let same = |other: &&CellSummary| {
        (other.balancer, other.repeat) == (cell.balancer, cell.repeat)
            && plan.variant(&other.variant).is_some_and(|other| {
                other.name != variant.name
                    && (&other.topology, &other.traffic) == (&variant.topology, &variant.traffic)
                    && other.timeline.iter().eq(variant.timeline.iter().filter(calm))
            })
    };
    let other = cells.iter().find(same).filter(|other| other.is_usable() && cell.is_usable())?;
    Some(WithoutReloads { variant: other.variant.clone(), dropped: other.counts.dropped })
}
