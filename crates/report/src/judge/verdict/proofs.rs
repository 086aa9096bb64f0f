//! What the repeats of a run show together: one repeat has few replacements, and a zero over few proves little.

use model::claim::{Claim, Operand, Reading};
use model::identity::BalancerName;
use serde::{Deserialize, Serialize};

use super::claims::is_of_requests;
use super::{ClaimVerdict, Holding, Judge, Role};
use crate::figure::bounds::shadows;
use crate::figure::reading::{read, show};
use crate::figure::spread::spread;
use crate::measure::summary::CellSummary;
use crate::measure::zero::ZeroBound;

/// One claim, over all repeats of one balancer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// As the scenario words it.
    pub text: String,
    /// Which list it stands in.
    pub role: Role,
    /// For which balancer.
    pub balancer: BalancerName,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PooledZero {
    /// Out of so many requests.
    pub scheduled: u64,
    /// Of these, those that ended well although an attempt had failed.
    #[serde(default)]
    pub masked: u64,
    /// Of these, those that backends received more than once.
    #[serde(default)]
    pub duplicates: u64,
    /// What the negative controls of the same repeats lost.
    pub controls_dropped: u64,
    /// How small it shows the true loss to be, over what the controls lost and the replacements of all repeats.
    pub bound: ZeroBound,
    /// All of this in words.
    #[serde(default)]
    pub says: String,
}

impl Judge<'_> {
    /// Every claim over `rounds`, which are what [`Judge::claims`] says of each repeat of `balancer`.
    pub(super) fn proofs(&self, balancer: BalancerName, rounds: &[Vec<ClaimVerdict>]) -> Vec<Proof> {
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
                zero: if all {
                    self.pooled(claim, balancer, rounds.iter().filter_map(|round| round.get(n)))
                } else {
                    None
                },
            }
        };
        listed.enumerate().map(one).collect()
    }

    fn observed(&self, claim: &Claim, balancer: BalancerName, repeats: &[u32]) -> String {
        let left = self.spread(&claim.left, balancer, repeats);
        match &claim.right {
            Operand::Multiple { times, reading } if !repeats.is_empty() => {
                format!("{left} against {times} × {}", self.spread(reading, balancer, repeats))
            }
            _ => left,
        }
    }

    /// The numbers of some repeats, told together.
    pub(super) fn spread(&self, reading: &Reading, balancer: BalancerName, repeats: &[u32]) -> String {
        let number = |repeat: &u32| {
            let cell = self.cell(&reading.variant, balancer, *repeat)?;
            Some((read(cell, reading.metric, reading.facet.as_deref()).ok()?, cell))
        };
        let numbers = repeats.iter().filter_map(number).collect();
        spread(numbers, |cell, value| show(cell, reading.metric, value))
    }

    /// The zero over all repeats, of which `verdicts` are what was said; `None` if the claim is none beside a control.
    fn pooled<'v>(
        &self,
        claim: &Claim,
        balancer: BalancerName,
        verdicts: impl Iterator<Item = &'v ClaimVerdict>,
    ) -> Option<PooledZero> {
        let loss = claim.promises_few()?;
        let who = &claim.left.variant;
        let (mut bounds, mut cells) = (Vec::new(), Vec::new());
        for verdict in verdicts {
            bounds.push(verdict.zero.as_ref()?);
            cells.push(self.cell(who, balancer, verdict.repeat)?);
        }
        let bound = ZeroBound::over(bounds.into_iter());
        let sum = |count: fn(&CellSummary) -> u64| cells.iter().map(|cell| count(cell)).sum::<u64>();
        let scheduled = sum(|cell| cell.counts.scheduled);
        let (masked, duplicates) = (sum(|cell| cell.books.masked), sum(|cell| cell.books.duplicates));
        let mut says = match is_of_requests(loss) {
            true => format!(
                "0 of {scheduled} in {} repeats, {}",
                cells.len(),
                shadows(cells.iter().map(|cell| &cell.books))
            ),
            false => format!("0 in {} repeats", cells.len()),
        };
        says.extend(bound.words(loss, who).map(|words| format!("; {words}")));
        let controls_dropped = bound.lost;
        Some(PooledZero { scheduled, masked, duplicates, controls_dropped, bound, says })
    }
}
