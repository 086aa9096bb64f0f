//! The control with power: the variant that shows, in the same run, that what was not lost could have been.

use model::claim::{Claim, Metric, Operand};
use model::control::{Says, is_alike, is_harmed, unfit};

use super::{ClaimVerdict, Holding, Judge, Role};
use crate::figure::bounds::Words;
use crate::figure::reading::{compare, read};
use crate::measure::summary::CellSummary;
use crate::measure::zero::ZeroBound;

/// What a control lost.
pub(super) struct Power {
    /// The variant.
    pub(super) control: String,
    /// How many.
    pub(super) lost: u64,
}

impl Power {
    /// "without-drain lost 298 by reset".
    pub(super) fn words(&self, loss: Metric) -> String {
        let Words { verb, how, .. } = Words::of(loss);
        format!("{} {verb} {}{how}", self.control, self.lost)
    }
}

impl Judge<'_> {
    /// What shows that `cell` could have lost some of `loss`, among `controls`, which are those of its balancer and
    /// repeat, in the order of the plan. Of several it is the one about `loss` itself, then the one that lost most; those
    /// about another program or URL count only where there are no others.
    /// `Ok(None)`: nothing happens to the cell, so nothing needs to be shown to harm. `Err`: why nothing shows it.
    pub(super) fn power(
        &self,
        cell: &CellSummary,
        loss: Metric,
        facet: Option<&str>,
        promise: Option<&Claim>,
        controls: &[ClaimVerdict],
    ) -> Result<Option<Power>, String> {
        let Some(about) = self.plan.variant(&cell.variant).filter(|variant| is_harmed(variant)) else {
            return Ok(None);
        };
        let mut best: Option<(bool, Power)> = None;
        let mut whys = Vec::new();
        let fits = |(control, verdict)| {
            let control: &Claim = control;
            let (Says::Loss(shown), Some(variant)) =
                (control.says(), self.plan.variant(&control.left.variant))
            else {
                return None;
            };
            (shown.shows(loss) && unfit(variant, about).is_none()).then_some((control, verdict, variant))
        };
        let fitting: Vec<_> = self.plan.control.iter().zip(controls).filter_map(fits).collect();
        let some_are_alike = fitting.iter().any(|(.., variant)| is_alike(variant, about));
        for (control, verdict, variant) in fitting {
            if some_are_alike && !is_alike(variant, about) {
                continue;
            }
            let text = &control.text;
            match &verdict.holding {
                Holding::Held => {}
                Holding::NotApplicable(_) => {
                    let unavailable = self.unavailable(control.variants());
                    whys.extend(
                        unavailable.map(|why| format!("the control `{text}` could not be run: {why}")),
                    );
                    continue;
                }
                Holding::Masked => {
                    whys.push(format!("masked: retries hid what `{text}` should show"));
                    continue;
                }
                _ => {
                    whys.push(format!("the control `{text}` did not hold"));
                    continue;
                }
            }
            let same = control.left.metric == loss;
            let facet = if same { control.left.facet.as_deref() } else { facet };
            let name = &variant.name;
            let lost = self
                .cell(name, cell.balancer, cell.repeat)
                .and_then(|control| read(control, loss, facet).ok())
                .unwrap_or(0.0);
            if lost <= 0.0 {
                let Words { verb, how, .. } = Words::of(loss);
                whys.push(format!("the control {name} {verb} none{how}"));
            } else if promise.is_some_and(|promise| allows(promise, lost)) {
                whys.push(format!(
                    "the control {name} lost only {lost}, and `{}` would hold for it too",
                    promise.map_or("", |p| &p.text)
                ));
            } else {
                let lost = lost as u64;
                let better = |(known_same, known): &(bool, Power)| (*known_same, known.lost) < (same, lost);
                if best.as_ref().is_none_or(better) {
                    best = Some((same, Power { control: name.clone(), lost }));
                }
            }
        }
        match best {
            Some((_, power)) => Ok(Some(power)),
            None => Err(whys.into_iter().next().unwrap_or_else(|| "no negative control".to_owned())),
        }
    }

    /// What it shows that `cell` dropped nothing; without a control, if it dropped something or can't be trusted.
    pub(super) fn zero(&self, cell: &CellSummary, claims: &[ClaimVerdict]) -> ZeroBound {
        let bound = ZeroBound::over_replacements(cell.deploy.as_ref().map_or(0, |deploy| deploy.replaced));
        if cell.counts.dropped > 0 || !cell.is_usable() {
            return bound;
        }
        let of_cell = |claim: &&ClaimVerdict| {
            (claim.role, claim.balancer, claim.repeat) == (Role::Control, cell.balancer, cell.repeat)
        };
        let controls: Vec<_> = claims.iter().filter(of_cell).cloned().collect();
        match self.power(cell, Metric::Dropped, None, None, &controls) {
            Ok(Some(power)) => bound.beside(&power.control, power.lost),
            _ => bound,
        }
    }
}

/// Whether `promise` would hold for a variant that lost so many: such a control tells the two from each other as little
/// as one that lost none. What a promise compares with another reading is judged by that.
fn allows(promise: &Claim, lost: f64) -> bool {
    let bound = match &promise.right {
        Operand::Count(count) => *count as f64,
        Operand::Number(number) => *number,
        Operand::Share(share) => share.0,
        Operand::Span(_) | Operand::All | Operand::Multiple { .. } => return false,
    };
    promise.left.metric.loss() == Some(promise.left.metric) && compare(lost, promise.comparison, bound)
}
