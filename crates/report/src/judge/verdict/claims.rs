//! One claim, judged by the cells that it reads.

use model::claim::{Claim, Comparison, Metric, Operand};
use model::identity::BalancerName;

use super::{ClaimVerdict, Holding, Judge, PLAN_CHANGED, Role};
use crate::figure::bounds::shadows;
use crate::figure::reading::{compare, does_not_apply, inputs, is_latency, read, show, whole};
use crate::measure::counts::dropped_kinds;
use crate::measure::summary::CellSummary;
use crate::measure::zero::ZeroBound;

/// What came of a claim, and by which numbers.
struct Judgement {
    holding: Holding,
    observed: String,
    zero: Option<ZeroBound>,
}

impl Judgement {
    fn new(holding: Holding, observed: impl Into<String>) -> Judgement {
        Judgement { holding, observed: observed.into(), zero: None }
    }

    fn unproven(reason: impl Into<String>, observed: impl Into<String>) -> Judgement {
        Judgement::new(Holding::Unproven(reason.into()), observed)
    }
}

impl Judge<'_> {
    /// The controls first, since what was not lost counts only beside them.
    pub(super) fn claims(&self, balancer: BalancerName, repeat: u32) -> Vec<ClaimVerdict> {
        let one = |role, claim: &Claim, controls: &[ClaimVerdict]| {
            let Judgement { holding, observed, zero } = self.judge(role, claim, balancer, repeat, controls);
            let variants = claim.variants().map(str::to_owned).collect();
            let text = claim.text.clone();
            ClaimVerdict { text, role, balancer, repeat, variants, holding, observed, zero }
        };
        let controls: Vec<_> = self.plan.control.iter().map(|c| one(Role::Control, c, &[])).collect();
        let expect: Vec<_> = self.plan.expect.iter().map(|c| one(Role::Expect, c, &controls)).collect();
        controls.into_iter().chain(expect).collect()
    }

    fn judge(
        &self,
        role: Role,
        claim: &Claim,
        balancer: BalancerName,
        repeat: u32,
        controls: &[ClaimVerdict],
    ) -> Judgement {
        if self.changed {
            return Judgement::unproven(PLAN_CHANGED, "");
        }
        let does_not = |reason: String| Judgement::new(Holding::NotApplicable(reason), "");
        if let Some(reason) = self.unavailable(claim.variants()) {
            return does_not(reason.to_owned());
        }
        let mut cells = Vec::new();
        for name in claim.variants() {
            let planned = self.plan.variant(name).is_some_and(|v| v.balancers.contains(&balancer));
            if !planned {
                return does_not(format!("{name} does not run on {balancer}"));
            }
            let Some(cell) = self.cell(name, balancer, repeat) else {
                return Judgement::unproven(format!("{name} has no results"), "");
            };
            cells.push(cell);
        }
        let unreadable = claim
            .readings()
            .zip(&cells)
            .find_map(|(reading, cell)| does_not_apply(cell, reading.metric, reading.facet.as_deref()));
        if let Some(reason) = unreadable {
            return does_not(reason);
        }
        let left = &claim.left;
        let value = match read(cells[0], left.metric, left.facet.as_deref()) {
            Ok(value) => value,
            Err(none) => return Judgement::unproven(none.0, ""),
        };
        let mut observed = show(cells[0], left.metric, value);
        let mut trust: Vec<_> = inputs(cells[0], left.metric);
        let bound = match &claim.right {
            Operand::Count(count) => *count as f64,
            Operand::Number(number) => *number,
            Operand::Span(span) => span.as_millis(),
            Operand::Share(share) => share.0,
            Operand::All => match whole(cells[0], left.metric) {
                Some(all) => all as f64,
                None => {
                    let reason = format!("it was not counted how many {} could be", left.metric);
                    return Judgement::unproven(reason, observed);
                }
            },
            Operand::Multiple { times, reading } => {
                let other = match read(cells[1], reading.metric, reading.facet.as_deref()) {
                    Ok(other) => other,
                    // What never happened happened within no time, known or not.
                    Err(none)
                        if is_never(left.metric, value)
                            && promises_soon(claim.comparison)
                            && trust.iter().all(|validity| validity.is_usable()) =>
                    {
                        return Judgement::new(Holding::Failed, format!("{observed}; {}", none.0));
                    }
                    Err(none) => return Judgement::unproven(none.0, observed),
                };
                trust.extend(inputs(cells[1], reading.metric));
                let other_text = show(cells[1], reading.metric, other);
                observed = format!("{observed} against {times} × {other_text}");
                times * other
            }
        };
        let holds = compare(value, claim.comparison, bound);
        let broken = trust.iter().filter(|validity| !validity.is_usable()).flat_map(|v| &v.reasons).next();
        match (broken, holds, role) {
            (Some(_), false, Role::Expect) if is_plainly_broken(claim, cells[0], bound) => {
                Judgement::new(Holding::Failed, observed)
            }
            // That retries hid what was lost is seen whatever became of the deploy, which they may have kept from ending.
            (Some(_), false, Role::Control)
                if cells[0].validity.counts.is_usable() && is_masked(claim, cells[0]) =>
            {
                Judgement::new(
                    Holding::Masked,
                    format!("{observed}, {}", shadows(std::iter::once(&cells[0].books))),
                )
            }
            (Some(reason), ..) => Judgement::unproven(reason.clone(), observed),
            (None, false, Role::Expect) => Judgement::new(Holding::Failed, observed),
            (None, false, Role::Control) => Judgement::new(failed_control(claim, cells[0]), observed),
            (None, true, Role::Control) => Judgement::new(Holding::Held, observed),
            (None, true, Role::Expect) => match claim.promises_few() {
                Some(loss) => self.few(claim, loss, cells[0], observed, controls),
                None => Judgement::new(Holding::Held, observed),
            },
        }
    }

    /// A promise of few losses that holds, beside its control.
    fn few(
        &self,
        claim: &Claim,
        loss: Metric,
        cell: &CellSummary,
        mut observed: String,
        controls: &[ClaimVerdict],
    ) -> Judgement {
        let facet = claim.left.facet.as_deref();
        let none = read(cell, loss, facet) == Ok(0.0);
        if none && is_of_requests(loss) {
            observed = format!("{observed}, {}", shadows(std::iter::once(&cell.books)));
        }
        if let Some(why) = cell.target.as_ref().and_then(|target| target.not_shown.as_ref()) {
            return Judgement::unproven(why, observed);
        }
        let (loss, power) = match self.power(cell, loss, facet, Some(claim), controls) {
            // A gate asks for no proof of its own: who dropped nothing, where that is proved, lost none in this way either.
            Err(reason) if claim.gate && is_of_requests(loss) && cell.counts.dropped == 0 => {
                let power = self.power(cell, Metric::Dropped, None, None, controls);
                (Metric::Dropped, power.map_err(|_| reason))
            }
            power => (loss, power),
        };
        let power = match power {
            Ok(Some(power)) => power,
            Ok(None) => return Judgement::new(Holding::Held, observed),
            Err(reason) => return Judgement::unproven(reason, observed),
        };
        let bound = ZeroBound::over_replacements(cell.deploy.as_ref().map_or(0, |deploy| deploy.replaced));
        let bound = bound.beside(&power.control, power.lost);
        let beside = match bound.words(loss, &cell.variant).filter(|_| none) {
            Some(words) => words,
            None => format!("the control {}", power.words(loss)),
        };
        let observed = format!("{observed}; {beside}");
        Judgement { holding: Holding::Held, observed, zero: none.then_some(bound) }
    }
}

fn is_never(metric: Metric, value: f64) -> bool {
    value.is_infinite() && !is_latency(metric)
}

fn promises_soon(comparison: Comparison) -> bool {
    matches!(comparison, Comparison::Less | Comparison::AtMost)
}

/// Whether `loss` counts requests that the client lost.
pub(super) fn is_of_requests(loss: Metric) -> bool {
    dropped_kinds(loss).is_some()
}

/// Whether a promise of few lost requests is broken by those alone that client and ledger agree on and that no lateness
/// of the generator can have caused: a reset is one, however late the request was. A timeout is none.
fn is_plainly_broken(claim: &Claim, cell: &CellSummary, bound: f64) -> bool {
    let Some(kinds) = dropped_kinds(claim.left.metric).filter(|_| claim.promises_few().is_some()) else {
        return false;
    };
    let plain = cell.surely_dropped(kinds);
    let is_constant = !matches!(claim.right, Operand::Multiple { .. });
    is_constant && plain > 0 && !compare(plain as f64, claim.comparison, bound)
}

/// Whether retries were seen to hide all that a control was to lose.
fn is_masked(claim: &Claim, cell: &CellSummary) -> bool {
    is_of_requests(claim.left.metric) && cell.counts.dropped == 0 && cell.books.masked > 0
}

/// A control that does not show the loss is no control. Retries that were seen to hide it explain that;
/// retries that were merely allowed, and anything else, do not.
fn failed_control(claim: &Claim, cell: &CellSummary) -> Holding {
    if !is_of_requests(claim.left.metric) {
        return Holding::Unproven("the control does not show what it should".to_owned());
    }
    if is_masked(claim, cell) {
        return Holding::Masked;
    }
    let in_flight: Option<u64> = cell.deploy.as_ref().map(|deploy| deploy.at_terminations().iter().sum());
    let although = match in_flight {
        Some(n) if n > 0 && cell.counts.dropped == 0 => {
            format!(", although {n} requests were in flight over the terminations")
        }
        _ => String::new(),
    };
    Holding::Unproven(format!("the control did not lose what it should{although}, and nothing explains why"))
}
