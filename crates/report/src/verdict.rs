//! Do the scenario's claims hold? A broken measurement never looks like either answer: it is *unproven*.

mod proofs;
mod told;

use model::catalog::BalancerKind;
use model::claim::{Claim, Comparison, Metric, Operand};
use model::identity::CellId;
use model::plan::{SCHEMA, SavedPlan, Unavailable};
use model::records::Environment;
use serde::{Deserialize, Serialize};

use crate::reading::{
    claims_zero, compare, does_not_apply, dropped_kinds, inputs, is_cpu, is_latency, read, show,
};
use crate::summary::{CellSummary, Ending, missing};
use crate::tls::{self, HandshakeCost};
use crate::validity::Trust;

pub use proofs::{PooledZero, Proof};
pub use told::Told;

/// How a run went. The binary gives each its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every claim held.
    Passed,
    /// Something could not be measured well enough to judge.
    Invalid,
    /// A claim failed on a measurement that can be trusted.
    Failed,
    /// The user interrupted it.
    Interrupted,
}

/// Everything that a run showed: `summary.json`, and what every renderer starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The version of this format.
    pub schema: u32,
    /// The scenario.
    pub scenario: String,
    /// The question that it answers.
    pub question: String,
    /// The seed of arrivals, service times and the order of cells.
    pub seed: u64,
    /// How often each cell was run.
    pub repeats: u32,
    /// How it went.
    pub verdict: Verdict,
    /// Whether a claim rests on DEGRADED measurements; a strict user does not let that pass.
    pub degraded: bool,
    /// Each claim, per balancer and repeat.
    pub claims: Vec<ClaimVerdict>,
    /// Each claim, per balancer, over all repeats; empty for a run without repeats, where the claims say it all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<Proof>,
    /// What the numbers mean, in the scenario's words, for each balancer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Told>,
    /// What TLS handshakes cost, where the same was run without TLS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handshakes: Vec<HandshakeCost>,
    /// Variants that the runtime can't run.
    #[serde(default)]
    pub unavailable: Vec<Unavailable>,
    /// Each cell, in the order of the plan.
    pub cells: Vec<CellSummary>,
    /// What stood in the way.
    pub problems: Vec<Problem>,
    /// Where it was measured.
    pub environment: Environment,
}

/// Something that stood in the way of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// The user interrupted it, in or between cells.
    Interrupted,
    /// A cell has no results.
    CellMissing {
        /// Which.
        cell: CellId,
        /// Why.
        reason: String,
    },
    /// Something that a reader should know; it changes no verdict.
    Note(String),
}

/// Which list of the scenario a claim stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A negative control.
    Control,
    /// An expectation.
    Expect,
}

/// One claim, judged for one balancer and repeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimVerdict {
    /// As the scenario words it.
    pub text: String,
    /// Which list it stands in.
    pub role: Role,
    /// For which balancer.
    pub balancer: BalancerKind,
    /// For which repeat.
    pub repeat: u32,
    /// The variants that it is about.
    #[serde(default)]
    pub variants: Vec<String>,
    /// Whether it holds.
    pub holding: Holding,
    /// The numbers that it was judged by.
    pub observed: String,
}

/// Whether a claim holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "reason")]
pub enum Holding {
    /// It holds.
    Held,
    /// It does not hold, on measurements that can be trusted.
    Failed,
    /// A control that dropped nothing because the balancer's retries hid it.
    Masked,
    /// The measurement does not tell.
    Unproven(String),
    /// This balancer does not run the variant, or the runtime can't.
    NotApplicable(String),
}

/// Judges a run.
pub fn judge(
    plan: &SavedPlan,
    environment: &Environment,
    mut cells: Vec<CellSummary>,
    mut problems: Vec<Problem>,
) -> RunSummary {
    let order = plan.cells();
    cells.sort_by_key(|cell| order.iter().position(|planned| *planned == cell.cell()));
    for cell in missing(plan, &cells) {
        let known = |p: &Problem| matches!(p, Problem::CellMissing { cell: c, .. } if *c == cell);
        if !problems.iter().any(known) {
            let reason = "it was not run".to_owned();
            problems.push(Problem::CellMissing { cell, reason });
        }
    }
    let judge = Judge { plan, cells: &cells };
    let (mut claims, mut proofs) = (Vec::new(), Vec::new());
    for balancer in BalancerKind::ALL {
        if plan.variants.iter().any(|v| v.balancers.contains(&balancer)) {
            let rounds: Vec<_> = (1..=plan.repeats).map(|repeat| judge.claims(balancer, repeat)).collect();
            if rounds.len() > 1 {
                proofs.extend(judge.proofs(balancer, &rounds));
            }
            claims.extend(rounds.into_iter().flatten());
        }
    }
    RunSummary {
        schema: SCHEMA,
        scenario: plan.scenario.clone(),
        question: plan.question.clone(),
        seed: plan.seed,
        repeats: plan.repeats,
        verdict: verdict(&claims, &cells, &problems, &judge),
        degraded: judge.degraded(),
        claims,
        proofs,
        readings: judge.readings(),
        handshakes: tls::costs(plan, &cells),
        unavailable: plan.unavailable.clone(),
        problems,
        environment: environment.clone(),
        cells,
    }
}

/// The worst of it, by the precedence of exit codes. A cell whose counts or deploy are INVALID spoils the run even
/// if no claim reads it: the measurement was asked for. Latency that no claim reads is struck out, no more. Claims
/// that don't apply neither pass nor fail, but a run of which no cell was planned showed nothing at all.
fn verdict(
    claims: &[ClaimVerdict],
    cells: &[CellSummary],
    problems: &[Problem],
    judge: &Judge<'_>,
) -> Verdict {
    let claims = claims.iter().map(|claim| match &claim.holding {
        Holding::Held | Holding::NotApplicable(_) => Verdict::Passed,
        Holding::Failed => Verdict::Failed,
        Holding::Masked if judge.expects_masking() => Verdict::Passed,
        Holding::Masked => Verdict::Failed,
        Holding::Unproven(_) => Verdict::Invalid,
    });
    let cells = cells.iter().map(|cell| {
        let deploy_usable = cell.validity.deploy.as_ref().is_none_or(|d| d.is_usable());
        match cell.ending {
            Ending::Interrupted => Verdict::Interrupted,
            _ if cell.validity.counts.is_usable() && deploy_usable => Verdict::Passed,
            _ => Verdict::Invalid,
        }
    });
    let problems = problems.iter().map(|problem| match problem {
        Problem::Interrupted => Verdict::Interrupted,
        Problem::CellMissing { .. } => Verdict::Invalid,
        Problem::Note(_) => Verdict::Passed,
    });
    let nothing = judge.plan.cells().is_empty().then_some(Verdict::Invalid);
    claims.chain(cells).chain(problems).chain(nothing).max().unwrap_or(Verdict::Invalid)
}

struct Judge<'a> {
    plan: &'a SavedPlan,
    cells: &'a [CellSummary],
}

impl Judge<'_> {
    /// The controls first, since a zero counts only beside them.
    fn claims(&self, balancer: BalancerKind, repeat: u32) -> Vec<ClaimVerdict> {
        let one = |role, claim: &Claim, controls: &[ClaimVerdict]| {
            let (holding, observed) = self.judge(role, claim, balancer, repeat, controls);
            let variants = claim.variants().map(str::to_owned).collect();
            ClaimVerdict { text: claim.text.clone(), role, balancer, repeat, variants, holding, observed }
        };
        let controls: Vec<_> = self.plan.control.iter().map(|c| one(Role::Control, c, &[])).collect();
        let expect: Vec<_> = self.plan.expect.iter().map(|c| one(Role::Expect, c, &controls)).collect();
        controls.into_iter().chain(expect).collect()
    }

    fn cell(&self, variant: &str, balancer: BalancerKind, repeat: u32) -> Option<&CellSummary> {
        self.cells
            .iter()
            .find(|cell| cell.variant == variant && cell.balancer == balancer && cell.repeat == repeat)
    }

    fn judge(
        &self,
        role: Role,
        claim: &Claim,
        balancer: BalancerKind,
        repeat: u32,
        controls: &[ClaimVerdict],
    ) -> (Holding, String) {
        if let Some(reason) = self.unavailable(claim.variants()) {
            return (Holding::NotApplicable(reason.to_owned()), String::new());
        }
        let mut cells = Vec::new();
        for name in claim.variants() {
            let planned = self.plan.variant(name).is_some_and(|v| v.balancers.contains(&balancer));
            if !planned {
                let reason = format!("{name} does not run on {balancer}");
                return (Holding::NotApplicable(reason), String::new());
            }
            let Some(cell) = self.cell(name, balancer, repeat) else {
                return (Holding::Unproven(format!("{name} has no results")), String::new());
            };
            cells.push(cell);
        }
        let unreadable = claim
            .readings()
            .zip(&cells)
            .find_map(|(reading, cell)| does_not_apply(cell, reading.metric, reading.facet.as_deref()));
        if let Some(reason) = unreadable {
            return (Holding::NotApplicable(reason), String::new());
        }
        let left = &claim.left;
        let value = match read(cells[0], left.metric, left.facet.as_deref()) {
            Ok(value) => value,
            Err(none) => return (Holding::Unproven(none.0), String::new()),
        };
        let mut observed = show(cells[0], left.metric, value);
        let mut trust: Vec<_> = inputs(cells[0], left.metric);
        let bound = match &claim.right {
            Operand::Count(count) => *count as f64,
            Operand::Number(number) => *number,
            Operand::Span(span) => span.as_millis(),
            Operand::Share(share) => share.0,
            Operand::Multiple { times, reading } => {
                let other = match read(cells[1], reading.metric, reading.facet.as_deref()) {
                    Ok(other) => other,
                    // What never happened happened within no time, known or not.
                    Err(none) if is_never(left.metric, value) && promises_soon(claim.comparison) => {
                        return (Holding::Failed, format!("{observed}; {}", none.0));
                    }
                    Err(none) => return (Holding::Unproven(none.0), observed),
                };
                trust.extend(inputs(cells[1], reading.metric));
                let other_text = show(cells[1], reading.metric, other);
                observed = format!("{observed} against {times} × {other_text}");
                times * other
            }
        };
        let holds = compare(value, claim.comparison, bound);
        let zero_of_drops = is_zero_of_drops(claim);
        if zero_of_drops && value > 0.0 && cells[0].books.balance() {
            // A drop that client and ledger agree on is a drop, however late the generator was.
            return (Holding::Failed, observed);
        }
        if role == Role::Control {
            trust.extend(cells.iter().filter_map(|cell| cell.validity.deploy.as_ref()));
        }
        let broken: Vec<_> = trust.iter().filter(|v| !v.is_usable()).flat_map(|v| &v.reasons).collect();
        if let Some(reason) = broken.first() {
            return (Holding::Unproven((*reason).clone()), observed);
        }
        if holds
            && zero_of_drops
            && let Some(unproven) = self.missing_control(&left.variant, controls)
        {
            return (unproven, observed);
        }
        match (holds, role) {
            (true, _) if zero_of_drops && cells[0].deploy.is_some() => {
                observed.push_str(&self.beside(cells[0], controls));
                (zero_holding(cells[0], controls), observed)
            }
            (true, _) => (Holding::Held, observed),
            (false, Role::Expect) => (Holding::Failed, observed),
            (false, Role::Control) => (failed_control(claim, cells[0]), observed),
        }
    }

    /// Why the runtime can't run one of `variants`; `None`: it can run all of them.
    fn unavailable<'v>(&self, mut variants: impl Iterator<Item = &'v str>) -> Option<&str> {
        variants.find_map(|variant| self.plan.why_unavailable(variant))
    }

    /// The first of `controls` that the runtime can't run, if a zero about `variant` rests on it: where nothing
    /// happens, nothing needs to be shown to harm.
    fn missing_control(&self, variant: &str, controls: &[ClaimVerdict]) -> Option<Holding> {
        self.plan.variant(variant).filter(|variant| !variant.timeline.is_empty())?;
        controls.iter().find_map(|control| {
            let reason = self.unavailable(control.variants.iter().map(String::as_str))?;
            let text = &control.text;
            Some(Holding::Unproven(format!("the control `{text}` could not be run: {reason}")))
        })
    }

    /// What gives a zero its weight: the control's loss, and how much the zero excludes.
    fn beside(&self, cell: &CellSummary, controls: &[ClaimVerdict]) -> String {
        let mut text = String::new();
        let held = controls.iter().any(|control| control.holding == Holding::Held);
        let control = self.control_cell(cell.balancer, cell.repeat);
        if let (true, Some(control)) = (held, control) {
            text.push_str(&format!("; control dropped {}", control.counts.dropped));
        }
        if let Some(size) = cell.zero.words() {
            text.push_str(&format!("; {size}"));
        }
        text
    }

    /// The negative control of a balancer and repeat.
    fn control_cell(&self, balancer: BalancerKind, repeat: u32) -> Option<&CellSummary> {
        let mut controls = self.plan.control.iter();
        controls.find_map(|claim| self.cell(&claim.left.variant, balancer, repeat))
    }

    /// A scenario that expects retries to hide failures says so by a claim about `masked`.
    fn expects_masking(&self) -> bool {
        self.plan.expect.iter().any(|claim| claim.left.metric == Metric::Masked)
    }

    /// Whether anything that a claim reads is DEGRADED.
    fn degraded(&self) -> bool {
        let reads = |variant: &str, kind: fn(Metric) -> bool| {
            let claims = self.plan.control.iter().chain(&self.plan.expect);
            claims.flat_map(Claim::readings).any(|reading| reading.variant == variant && kind(reading.metric))
        };
        self.cells.iter().any(|cell| {
            let latency = reads(&cell.variant, is_latency).then_some(&cell.validity.latency);
            let cpu = cell.validity.cpu.as_ref().filter(|_| reads(&cell.variant, is_cpu));
            [Some(&cell.validity.counts), latency, cell.validity.deploy.as_ref(), cpu]
                .into_iter()
                .flatten()
                .any(|validity| validity.verdict == Trust::Degraded)
        })
    }
}

fn is_never(metric: Metric, value: f64) -> bool {
    value.is_infinite() && !is_latency(metric)
}

fn promises_soon(comparison: Comparison) -> bool {
    matches!(comparison, Comparison::Less | Comparison::AtMost)
}

fn is_zero_of_drops(claim: &Claim) -> bool {
    claims_zero(claim.comparison, &claim.right) && dropped_kinds(claim.left.metric).is_some()
}

/// A zero about a deploy counts beside a held control of the same balancer and repeat, and beside the proof
/// that the deploy happened.
fn zero_holding(cell: &CellSummary, controls: &[ClaimVerdict]) -> Holding {
    if let Some(deploy) = cell.validity.deploy.as_ref().filter(|deploy| !deploy.is_usable()) {
        return Holding::Unproven(deploy.reasons.join("; "));
    }
    let mut applicable =
        controls.iter().filter(|control| !matches!(control.holding, Holding::NotApplicable(_))).peekable();
    if applicable.peek().is_none() {
        return Holding::Unproven("no negative control".to_owned());
    }
    match applicable.find(|control| control.holding != Holding::Held) {
        None => Holding::Held,
        Some(control) if control.holding == Holding::Masked => {
            Holding::Unproven(format!("masked: retries hid what `{}` should show", control.text))
        }
        Some(control) => Holding::Unproven(format!("the control `{}` did not hold", control.text)),
    }
}

/// A control that does not show the loss is no control. Retries that were seen to hide it explain that;
/// retries that were merely allowed, and anything else, do not.
fn failed_control(claim: &Claim, cell: &CellSummary) -> Holding {
    let masked = cell.counts.dropped == 0 && cell.books.masked > 0;
    if dropped_kinds(claim.left.metric).is_some() && masked {
        return Holding::Masked;
    }
    Holding::Unproven("the control did not show what it should, and nothing explains why".to_owned())
}
