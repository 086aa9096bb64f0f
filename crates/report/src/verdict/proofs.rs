//! What the repeats of a run show together: one repeat has few replacements, and a zero over few proves little.

use model::catalog::BalancerKind;
use model::claim::{Claim, Operand, Reading};
use serde::{Deserialize, Serialize};

use super::{ClaimVerdict, Holding, Judge, Role, is_zero_of_drops};
use crate::reading::{read, show};
use crate::spread::spread;
use crate::zero::ZeroBound;

/// One claim, over all repeats of one balancer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// As the scenario words it.
    pub text: String,
    /// Which list it stands in.
    pub role: Role,
    /// For which balancer.
    pub balancer: BalancerKind,
    /// In how many repeats it held.
    pub held: u32,
    /// The numbers of all repeats in which it held or failed: of three and more the median, with the smallest and the
    /// largest.
    pub observed: String,
    /// What a zero excludes, if it held in every repeat: a bound over the good ones alone would flatter it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zero: Option<PooledZero>,
}

/// A zero over several repeats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PooledZero {
    /// Out of so many requests.
    pub scheduled: u64,
    /// What the negative controls of the same repeats dropped.
    pub controls_dropped: u64,
    /// How small it shows the true loss to be, over the requests and replacements of all repeats.
    pub bound: ZeroBound,
}

impl Judge<'_> {
    /// Every claim over `rounds`, which are what [`Judge::claims`] says of each repeat of `balancer`.
    pub(super) fn proofs(&self, balancer: BalancerKind, rounds: &[Vec<ClaimVerdict>]) -> Vec<Proof> {
        let listed = self.plan.control.iter().map(|claim| (Role::Control, claim));
        let listed = listed.chain(self.plan.expect.iter().map(|claim| (Role::Expect, claim)));
        let one = |(n, (role, claim)): (usize, (Role, &Claim))| {
            let verdicts = || rounds.iter().filter_map(|round| round.get(n));
            let held: Vec<u32> =
                verdicts().filter(|v| v.holding == Holding::Held).map(|v| v.repeat).collect();
            let judged = verdicts().filter(|v| matches!(v.holding, Holding::Held | Holding::Failed));
            let judged: Vec<u32> = judged.map(|v| v.repeat).collect();
            let all = held.len() == rounds.len();
            Proof {
                text: claim.text.clone(),
                role,
                balancer,
                held: held.len() as u32,
                observed: self.observed(claim, balancer, &judged),
                zero: if all { self.pooled(claim, balancer, &held) } else { None },
            }
        };
        listed.enumerate().map(one).collect()
    }

    fn observed(&self, claim: &Claim, balancer: BalancerKind, repeats: &[u32]) -> String {
        let left = self.spread(&claim.left, balancer, repeats);
        match &claim.right {
            Operand::Multiple { times, reading } if !repeats.is_empty() => {
                format!("{left} against {times} × {}", self.spread(reading, balancer, repeats))
            }
            _ => left,
        }
    }

    /// The numbers of some repeats, told together.
    pub(super) fn spread(&self, reading: &Reading, balancer: BalancerKind, repeats: &[u32]) -> String {
        let number = |repeat: &u32| {
            let cell = self.cell(&reading.variant, balancer, *repeat)?;
            Some((read(cell, reading.metric, reading.facet.as_deref()).ok()?, cell))
        };
        let numbers = repeats.iter().filter_map(number).collect();
        spread(numbers, |cell, value| show(cell, reading.metric, value))
    }

    /// The zero over all of `repeats`; `None` if the claim is no zero about a deploy.
    fn pooled(&self, claim: &Claim, balancer: BalancerKind, repeats: &[u32]) -> Option<PooledZero> {
        let cells: Vec<_> = repeats
            .iter()
            .filter_map(|repeat| self.cell(&claim.left.variant, balancer, *repeat))
            .filter(|cell| is_zero_of_drops(claim) && cell.deploy.is_some())
            .collect();
        let controls = repeats.iter().filter_map(|repeat| self.control_cell(balancer, *repeat));
        (!cells.is_empty()).then(|| PooledZero {
            scheduled: cells.iter().map(|cell| cell.counts.scheduled).sum(),
            controls_dropped: controls.map(|cell| cell.counts.dropped).sum(),
            bound: ZeroBound::over(cells.iter().map(|cell| &cell.zero)),
        })
    }
}
