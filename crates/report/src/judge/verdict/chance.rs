//! What the machine may have decided in a balancer's place: then a claim neither fails nor holds by it.

use model::claim::{Claim, Comparison, Operand, RestsOn};

use super::{CPU_REPEATS, Judge};
use crate::figure::reading::{added_by_machine, compare, is_cpu, read};
use crate::measure::summary::CellSummary;
use crate::numbers::millis;

/// The two numbers of a claim in one repeat.
#[derive(Clone, Copy)]
pub(super) struct Sides {
    pub(super) left: f64,
    pub(super) right: f64,
}

impl Judge<'_> {
    /// Why the machine, or chance, may have decided whether `claim` holds by the `sides` of `cells`; `None`: neither did.
    pub(super) fn decided_by_the_machine(
        &self,
        claim: &Claim,
        cells: &[&CellSummary],
        sides: Sides,
    ) -> Option<String> {
        let holds = compare(sides.left, claim.comparison, sides.right);
        let too_late = || too_late(claim, cells).filter(|_| !fails_anyway(claim, cells, sides));
        let fails = || too_late().or_else(|| self.by_chance(claim, cells[0]));
        (!holds).then(fails).flatten().or_else(|| turned(claim, cells, sides))
    }

    /// A difference of CPU times fails by several repeats: one alone is a draw.
    fn by_chance(&self, claim: &Claim, cell: &CellSummary) -> Option<String> {
        let Operand::Multiple { times, reading } = &claim.right else { return None };
        if !is_cpu(claim.left.metric) {
            return None;
        }
        let holds = |repeat: u32| {
            let [left, right] = [&claim.left, reading].map(|reading| {
                let cell = self.cell(&reading.variant, cell.balancer, repeat)?;
                cell.cpu_is_usable().then(|| read(cell, reading.metric, reading.facet.as_deref()).ok())?
            });
            Some(compare(left?, claim.comparison, times * right?))
        };
        let judged: Vec<bool> = (1..=self.plan.repeats).filter_map(holds).collect();
        let failed = judged.iter().filter(|holds| !**holds).count();
        let enough = failed >= CPU_REPEATS as usize && 2 * failed > judged.len();
        (!enough).then(|| {
            format!(
                "it fails in {failed} of {} repeats with usable CPU times, and a difference of CPU times takes {CPU_REPEATS}",
                judged.len()
            )
        })
    }
}

/// What was measured had to wait for the machine for so long that it may have missed a time limit by that.
fn too_late(claim: &Claim, cells: &[&CellSummary]) -> Option<String> {
    let late = |cell: &CellSummary| {
        let (whom, late) = cell.much_late()?;
        let late = if late.is_finite() { format!("up to {}", millis(late)) } else { "too long".to_owned() };
        let (variant, limit) = (&cell.variant, millis(cell.lateness.limit_ms));
        Some(format!(
            "the machine let {whom} of {variant} wait for {late} at p99, which decides whether a time limit of {limit} is kept"
        ))
    };
    let read = claim.readings().zip(cells);
    read.filter(|(reading, _)| reading.metric.rests_on() == RestsOn::Pace).find_map(|(_, cell)| late(cell))
}

/// Whether a claim that few requests were lost fails by those alone of which the machine decided nothing: they take longer
/// than a deploy left their backends.
fn fails_anyway(claim: &Claim, cells: &[&CellSummary], sides: Sides) -> bool {
    let most = match (&claim.right, claim.comparison) {
        (Operand::Multiple { .. }, _) => return false,
        (_, Comparison::Equal) => Comparison::AtMost,
        (_, comparison @ (Comparison::Less | Comparison::AtMost)) => comparison,
        _ => return false,
    };
    let certain = cells.first().and_then(|cell| cell.certainly_lost(claim.left.metric));
    certain.is_some_and(|certain| !compare(certain as f64, most, sides.right))
}

/// Without what the machine may have added to its times, the claim would be judged the other way.
fn turned(claim: &Claim, cells: &[&CellSummary], sides: Sides) -> Option<String> {
    let Sides { left, right } = sides;
    if !left.is_finite() || !right.is_finite() {
        return None;
    }
    let to_left = added_by_machine(cells[0], claim.left.metric);
    let to_right = match &claim.right {
        Operand::Multiple { times, reading } => times * added_by_machine(cells[1], reading.metric),
        _ => 0.0,
    };
    let holds = compare(left, claim.comparison, right);
    let others = [(to_left, 0.0), (0.0, to_right)];
    let turned = others.iter().any(|(l, r)| compare(left - l, claim.comparison, right - r) != holds);
    turned.then(|| {
        let added = millis(f64::max(to_left, to_right));
        format!("the machine may have added up to {added} to these times, and that decides")
    })
}
