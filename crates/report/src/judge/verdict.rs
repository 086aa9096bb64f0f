//! Do the scenario's claims hold? A broken measurement never looks like either answer: it is *unproven*.

mod chance;
mod claims;
mod control;
mod proofs;
mod told;

use std::collections::BTreeSet;

use model::claim::{AnswerPicture, Claim, Metric, Operand};
use model::experiment::experiment;
use model::identity::BalancerName;
use model::identity::CellId;
use model::plan::{SCHEMA, SavedPlan, SkippedBalancer, Unavailable};
use model::records::Environment;
use serde::{Deserialize, Serialize};

use crate::analysis::frame::Ending;
use crate::figure::reading::is_cpu;
use crate::judge::handshakes::{self, HandshakeCost};
use crate::judge::without_reloads;
use crate::measure::latency::Quantile;
use crate::measure::summary::CellSummary;
use crate::measure::validity::Trust;
use crate::measure::zero::ZeroBound;

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

impl Verdict {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Passed => "PASSED",
            Verdict::Invalid => "INVALID",
            Verdict::Failed => "FAILED",
            Verdict::Interrupted => "INTERRUPTED",
        }
    }
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
    /// What was done to find out, in one sentence.
    #[serde(default)]
    pub experiment: String,
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
    /// What the picture of the answer shows.
    #[serde(default = "AnswerPicture::of_losses")]
    pub figure: AnswerPicture,
    /// What the numbers mean, in the scenario's words, for each balancer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Told>,
    /// What TLS handshakes cost, where the same was run without TLS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handshakes: Vec<HandshakeCost>,
    /// Variants that the runtime can't run.
    #[serde(default)]
    pub unavailable: Vec<Unavailable>,
    /// Balancers that are not installed and were skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedBalancer>,
    /// Each cell, in the order of the plan.
    pub cells: Vec<CellSummary>,
    /// What stood in the way.
    pub problems: Vec<RunProblem>,
    /// Where it was measured.
    pub environment: Environment,
}

impl RunSummary {
    /// The variant's name, with the repeat where there are several.
    pub(crate) fn variant_label(&self, cell: &CellSummary) -> String {
        if self.repeats > 1 { format!("{} #{}", cell.variant, cell.repeat) } else { cell.variant.clone() }
    }

    /// Whose it is: `nginx with-drain #2`.
    pub(crate) fn label(&self, cell: &CellSummary) -> String {
        format!("{} {}", cell.balancer, self.variant_label(cell))
    }

    /// Where the cells ran: `process`, `docker`.
    pub(crate) fn runtimes(&self) -> String {
        let runtimes: BTreeSet<_> = self.cells.iter().map(|cell| cell.runtime.as_str()).collect();
        runtimes.into_iter().collect::<Vec<_>>().join(", ")
    }
}

/// Something that stood in the way of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunProblem {
    /// The user interrupted it, in or between cells.
    Interrupted,
    /// A cell has no results.
    CellMissing {
        /// Which.
        cell: CellId,
        /// Why.
        reason: String,
    },
    /// The plan is not the one that was run: no claim can be judged by it.
    PlanChanged,
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
    pub balancer: BalancerName,
    /// For which repeat.
    pub repeat: u32,
    /// The variants that it is about.
    #[serde(default)]
    pub variants: Vec<String>,
    /// Whether it holds.
    pub holding: Holding,
    /// The numbers that it was judged by.
    pub observed: String,
    /// What these numbers were compared with beside the claim itself: what a control lost.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub beside: String,
    /// What it shows, if it says that none was lost and holds beside a control which lost some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zero: Option<ZeroBound>,
}

impl ClaimVerdict {
    /// All numbers that it was judged by.
    pub fn evidence(&self) -> String {
        let parts = [self.observed.as_str(), self.beside.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
    }
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
    mut problems: Vec<RunProblem>,
) -> RunSummary {
    let order = plan.cells();
    without_reloads::compare(plan, &mut cells);
    cells.sort_by_key(|cell| order.iter().position(|planned| *planned == cell.cell()));
    for cell in missing(plan, &cells) {
        let known = |p: &RunProblem| matches!(p, RunProblem::CellMissing { cell: c, .. } if *c == cell);
        if !problems.iter().any(known) {
            let reason = "it was not run".to_owned();
            problems.push(RunProblem::CellMissing { cell, reason });
        }
    }
    let changed = problems.contains(&RunProblem::PlanChanged);
    let judge = Judge { plan, cells: &cells, changed };
    let (mut claims, mut proofs) = (Vec::new(), Vec::new());
    for balancer in plan.balancers() {
        let rounds: Vec<_> = (1..=plan.repeats).map(|repeat| judge.claims(balancer, repeat)).collect();
        if rounds.len() > 1 {
            proofs.extend(judge.proofs(balancer, &rounds));
        }
        claims.extend(rounds.into_iter().flatten());
    }
    let zeros: Vec<_> = cells.iter().map(|cell| judge.zero(cell, &claims)).collect();
    let (verdict, degraded) = (verdict(&claims, &cells, &problems, &judge), judge.degraded());
    let (readings, handshakes) = (judge.readings(), handshakes::costs(plan, &cells));
    for (cell, zero) in cells.iter_mut().zip(zeros) {
        cell.zero = zero;
    }
    RunSummary {
        schema: SCHEMA,
        scenario: plan.scenario.clone(),
        question: plan.question.clone(),
        experiment: experiment(plan),
        seed: plan.seed,
        repeats: plan.repeats,
        verdict,
        degraded,
        claims,
        proofs,
        figure: plan.figure.clone(),
        readings,
        handshakes,
        unavailable: plan.unavailable.clone(),
        skipped: plan.skipped.clone(),
        problems,
        environment: environment.clone(),
        cells,
    }
}

/// The worst of it, by the precedence of exit codes. A cell whose counts, deploy or timeline are INVALID spoils the run even
/// if no claim reads it: the measurement was asked for. Latency that no claim reads is struck out, no more. Claims
/// that don't apply neither pass nor fail, but a run of which no cell was planned showed nothing at all.
fn verdict(
    claims: &[ClaimVerdict],
    cells: &[CellSummary],
    problems: &[RunProblem],
    judge: &Judge<'_>,
) -> Verdict {
    let claims = claims.iter().map(|claim| match &claim.holding {
        Holding::Held | Holding::NotApplicable(_) => Verdict::Passed,
        Holding::Failed => Verdict::Failed,
        Holding::Masked if judge.expects_masking() => Verdict::Passed,
        Holding::Masked => Verdict::Failed,
        Holding::Unproven(_) => Verdict::Invalid,
    });
    let cells = cells.iter().map(|cell| match cell.ending {
        Ending::Interrupted => Verdict::Interrupted,
        // Whatever else is known of it.
        _ if !cell.deaths.is_empty() => Verdict::Failed,
        _ if cell.is_usable() => Verdict::Passed,
        _ => Verdict::Invalid,
    });
    let problems = problems.iter().map(|problem| match problem {
        RunProblem::Interrupted => Verdict::Interrupted,
        RunProblem::CellMissing { .. } | RunProblem::PlanChanged => Verdict::Invalid,
        RunProblem::Note(_) => Verdict::Passed,
    });
    if judge.changed {
        // Such a plan can't even show a failure.
        let interrupted = cells.chain(problems).any(|verdict| verdict == Verdict::Interrupted);
        return if interrupted { Verdict::Interrupted } else { Verdict::Invalid };
    }
    let nothing = judge.plan.cells().is_empty().then_some(Verdict::Invalid);
    claims.chain(cells).chain(problems).chain(nothing).max().unwrap_or(Verdict::Invalid)
}

/// Cells that the plan has and `cells` has not.
fn missing(plan: &SavedPlan, cells: &[CellSummary]) -> Vec<CellId> {
    let present: BTreeSet<CellId> = cells.iter().map(CellSummary::cell).collect();
    let planned = plan.cells().into_iter();
    planned.filter(|cell| !present.contains(cell)).collect()
}

/// Fewer repeats than this don't tell a difference of CPU times from chance.
const CPU_REPEATS: u32 = 3;

struct Judge<'a> {
    plan: &'a SavedPlan,
    cells: &'a [CellSummary],
    /// Whether the plan is not the one that was run.
    changed: bool,
}

/// Why nothing is judged by a plan that is not the one that was run.
pub(crate) const PLAN_CHANGED: &str = "plan.json was changed after the run: it does not have the digest that the run recorded in environment.json";

impl Judge<'_> {
    fn cell(&self, variant: &str, balancer: BalancerName, repeat: u32) -> Option<&CellSummary> {
        self.cells
            .iter()
            .find(|cell| cell.variant == variant && cell.balancer == balancer && cell.repeat == repeat)
    }

    /// Why the runtime can't run one of `variants`; `None`: it can run all of them.
    fn unavailable<'v>(&self, mut variants: impl Iterator<Item = &'v str>) -> Option<&str> {
        variants.find_map(|variant| self.plan.why_unavailable(variant))
    }

    /// A scenario that expects retries to hide failures says so by a claim about `masked`.
    fn expects_masking(&self) -> bool {
        self.plan.expect.iter().any(|claim| claim.left.metric == Metric::Masked)
    }

    /// Whether a claim compares CPU times of too few repeats: a difference needs three.
    fn compares_few_cpu_times(&self) -> bool {
        let compares =
            |claim: &Claim| is_cpu(claim.left.metric) && matches!(claim.right, Operand::Multiple { .. });
        self.plan.repeats < CPU_REPEATS && self.plan.expect.iter().any(compares)
    }

    /// Whether anything that a claim reads is DEGRADED.
    fn degraded(&self) -> bool {
        let reads = |variant: &str, kind: fn(Metric) -> bool| {
            let claims = self.plan.control.iter().chain(&self.plan.expect);
            claims.flat_map(Claim::readings).any(|reading| reading.variant == variant && kind(reading.metric))
        };
        let read_percentiles = |variant: &str| {
            let claims = self.plan.control.iter().chain(&self.plan.expect);
            let readings: Vec<_> =
                claims.flat_map(Claim::readings).filter(|r| r.variant == variant).collect();
            readings.into_iter().filter_map(|reading| Quantile::of(reading.metric))
        };
        self.compares_few_cpu_times()
            || self.cells.iter().any(|cell| {
                let latency =
                    read_percentiles(&cell.variant).map(|quantile| cell.validity.percentile(quantile));
                let cpu = cell.validity.cpu.as_ref().filter(|_| reads(&cell.variant, is_cpu));
                [Some(&cell.validity.counts), cell.validity.deploy.as_ref(), cpu]
                    .into_iter()
                    .flatten()
                    .chain(latency)
                    .any(|validity| validity.verdict == Trust::Degraded)
            })
    }
}
