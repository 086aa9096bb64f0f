//! Refuses controls that can hold where nothing is lost, and promises of few losses that no control stands beside: both
//! could only end in a run that proves nothing.

use super::claims::{Known, Placed};
use super::problem::{Found, Problem};
use crate::claim::{Claim, Metric};
use crate::control::{Says, is_harmed, unfit};
use crate::identity::BalancerName;
use crate::plan::{SavedPlan, Variant};

/// How many controls a message says the faults of.
const TOLD: usize = 3;

/// A control of losses has to fail where there are none. One about something else is a condition, and may say anything.
pub(crate) fn check_controls(controls: &[Placed], found: &Found) {
    for Placed { claim, place } in controls {
        if let Says::Perhaps(loss) = claim.says() {
            let message =
                format!("`{claim}` can hold where nothing is lost, so it is no control", claim = claim.text);
            let help = format!("write `{} > 0`, or move the claim to `expect`", reading(claim, loss));
            found.add(Problem::new(message, place).help(help));
        }
    }
}

/// Each promise needs a control that fits, on each balancer that it is about.
pub(crate) fn check_promises(promises: &[Placed], controls: &[Claim], variants: &[Known<'_>], found: &Found) {
    for Placed { claim, place } in promises {
        let Some((loss, about)) = claim.promises_few().zip(variant(variants, &claim.left.variant)) else {
            continue;
        };
        let lacking: Vec<_> = about
            .balancers
            .iter()
            .filter(|kind| !has_control(about, loss, **kind, controls, variants))
            .collect();
        if lacking.is_empty() || !is_harmed(about) {
            continue;
        }
        let on = match lacking.len() == about.balancers.len() {
            true => String::new(),
            false => {
                format!(" on {}", lacking.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" and "))
            }
        };
        let message = format!(
            "no control shows that `{}` could lose anything{on}: `{}` would prove nothing",
            about.name, claim.text
        );
        let mut help = faults(about, loss, controls, variants);
        help.push(advice(claim, loss, about, lacking[0], variants));
        found.add(Problem::new(message, place).help(help.join("; ")));
    }
}

fn variant<'v>(variants: &[Known<'v>], name: &str) -> Option<&'v Variant> {
    variants.iter().find(|(known, _)| *known == name).and_then(|(_, variant)| *variant)
}

/// A variant with problems of its own may be one that fits.
fn has_control(
    about: &Variant,
    loss: Metric,
    balancer: BalancerName,
    controls: &[Claim],
    variants: &[Known<'_>],
) -> bool {
    let fits = |control: &Claim| match variant(variants, &control.left.variant) {
        Some(variant) => variant.balancers.contains(&balancer) && unfit(variant, about).is_none(),
        None => true,
    };
    let shows = |control: &&Claim| matches!(control.says(), Says::Loss(shown) if shown.shows(loss));
    controls.iter().filter(shows).any(fits)
}

/// Whether `control` has to be run for the sake of the variants that are `named`. One that shows a loss is asked for by
/// claims that rest on it or compare with it; any other is a condition of the whole scenario.
pub(crate) fn is_asked_for(control: &Claim, plan: &SavedPlan, named: impl Fn(&str) -> bool) -> bool {
    let Some(variant) = plan.variant(&control.left.variant).filter(|variant| is_harmed(variant)) else {
        return true;
    };
    let Says::Loss(shown) = control.says() else { return true };
    let rests = |claim: &Claim| {
        let about = plan.variant(&claim.left.variant);
        let about = about.filter(|_| claim.promises_few().is_some_and(|loss| shown.shows(loss)));
        about.is_some_and(|about| unfit(variant, about).is_none())
    };
    let asks = |claim: &&Claim| rests(claim) || claim.variants().any(|name| name == variant.name);
    // A claim that compares with a variant which isn't run is left out, and asks for nothing.
    let is_read = |claim: &&Claim| {
        claim.variants().any(&named) && claim.variants().all(|name| named(name) || plan.is_control(name))
    };
    plan.expect.iter().filter(is_read).any(|claim| asks(&claim))
}

/// Why the scenario's controls are none of `about`.
fn faults(about: &Variant, loss: Metric, controls: &[Claim], variants: &[Known<'_>]) -> Vec<String> {
    let fault = |control: &Claim| {
        let variant = variant(variants, &control.left.variant)?;
        match (control.says(), unfit(variant, about)) {
            (Says::Nothing, _) => Some(format!("the control `{}` is not about losses", control.text)),
            (_, Some(unfit)) => Some(format!("the control `{}` {unfit}", variant.name)),
            (Says::Loss(shown), None) if !shown.shows(loss) => {
                Some(format!("the control `{}` shows nothing of `{loss}`", control.text))
            }
            _ => None,
        }
    };
    controls.iter().filter_map(fault).take(TOLD).collect()
}

/// What to write instead, with a variant that the scenario has, if one fits.
fn advice(
    claim: &Claim,
    loss: Metric,
    about: &Variant,
    balancer: &BalancerName,
    variants: &[Known<'_>],
) -> String {
    let fits = |variant: &&Variant| variant.balancers.contains(balancer) && unfit(variant, about).is_none();
    let control = variants.iter().filter_map(|(_, variant)| *variant).find(fits);
    match control {
        Some(control) => {
            let mut left = claim.left.clone();
            left.variant.clone_from(&control.name);
            left.metric = loss;
            format!("if `{}` loses some, add `control: [ \"{left} > 0\" ]`", control.name)
        }
        None => format!(
            "add a variant with the same load and the same deploy or fault that does lose some, such as one without \
             draining or retries, and name it: `control: [ that-variant.{loss} > 0 ]`"
        ),
    }
}

/// The losses that a control should be about.
fn reading(control: &Claim, loss: Metric) -> String {
    let mut left = control.left.clone();
    left.metric = loss;
    left.to_string()
}
