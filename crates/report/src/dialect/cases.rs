//! A run as cases that passed or didn't, for programs that show tests or findings: a case for each claim and repeat, for each
//! component that died, and for each cell that can't be trusted or is missing.

use std::collections::BTreeSet;

use model::claim::{Claim, Metric};
use model::identity::BalancerName;

use crate::judge::verdict::{ClaimVerdict, Holding, Role, RunProblem, RunSummary, Verdict};
use crate::measure::summary::CellSummary;
use crate::measure::validity::Validity;
use crate::numbers::words;

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CaseGrade {
    Passed,
    /// Something was measured, and it is wrong.
    Failed,
    /// It could not be judged, which is no pass.
    Unproven,
    NotApplicable,
}

/// One thing that passed or didn't.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) grade: CaseGrade,
    /// The kind of failure, in a word; empty if it passed.
    pub(super) kind: String,
    /// Why it did not pass.
    pub(super) why: String,
    /// What was measured.
    pub(super) observed: String,
}

impl Case {
    fn new(name: String, grade: CaseGrade, kind: &str, why: String) -> Case {
        Case { name, grade, kind: kind.to_owned(), why, observed: String::new() }
    }
}

/// The balancers that a run is about, those included whose cells are missing.
pub(super) fn balancers(run: &RunSummary) -> BTreeSet<BalancerName> {
    let claimed = run.claims.iter().map(|claim| claim.balancer);
    let missing = run.problems.iter().filter_map(|problem| match problem {
        RunProblem::CellMissing { cell, .. } => Some(cell.balancer),
        _ => None,
    });
    claimed.chain(run.cells.iter().map(|cell| cell.balancer)).chain(missing).collect()
}

/// The cases of one balancer.
pub(super) fn of_balancer(run: &RunSummary, balancer: BalancerName) -> Vec<Case> {
    let numbered = |name: String, repeat: u32| match run.repeats {
        1 => name,
        _ => format!("{name} #{repeat}"),
    };
    let masking = expects_masking(run);
    let claims = run.claims.iter().filter(|claim| claim.balancer == balancer).map(|claim| {
        let role = if claim.role == Role::Control { "control: " } else { "" };
        let name = numbered(format!("{role}{}", claim.text), claim.repeat);
        let (grade, kind, why) = judged(claim, masking);
        Case { observed: claim.evidence(), ..Case::new(name, grade, kind, why) }
    });
    let mut cases: Vec<Case> = claims.collect();
    let measurement = |variant: &str, repeat: u32| numbered(format!("measurement of {variant}"), repeat);
    for cell in run.cells.iter().filter(|cell| cell.balancer == balancer) {
        cases.extend(cell.deaths.iter().map(|death| {
            let name = numbered(format!("{} in {}", death.who, cell.variant), cell.repeat);
            Case::new(name, CaseGrade::Failed, "died", death.sentence())
        }));
        let doubts = doubts(cell);
        if !doubts.is_empty() {
            let name = measurement(&cell.variant, cell.repeat);
            cases.push(Case::new(name, CaseGrade::Unproven, "INVALID", doubts.join("; ")));
        }
    }
    cases.extend(run.problems.iter().filter_map(|problem| match problem {
        RunProblem::CellMissing { cell, reason } if cell.balancer == balancer => {
            let name = measurement(&cell.variant, cell.repeat);
            Some(Case::new(name, CaseGrade::Unproven, "missing", format!("no results: {reason}")))
        }
        _ => None,
    }));
    cases
}

/// The run as a whole, where it did not pass and no case of a balancer says why.
pub(super) fn of_run(run: &RunSummary, explained: bool) -> Option<Case> {
    let alone = run.verdict == Verdict::Interrupted || (run.verdict != Verdict::Passed && !explained);
    alone.then(|| {
        let why = match run.verdict {
            Verdict::Interrupted => "it was interrupted",
            _ => "it did not pass",
        };
        Case::new("the run".to_owned(), CaseGrade::Unproven, &words(run.verdict), why.to_owned())
    })
}

fn judged(claim: &ClaimVerdict, masking_is_expected: bool) -> (CaseGrade, &'static str, String) {
    match &claim.holding {
        Holding::Held => (CaseGrade::Passed, "", String::new()),
        Holding::Masked if masking_is_expected => (CaseGrade::Passed, "", String::new()),
        Holding::Failed => (CaseGrade::Failed, "failed", format!("observed {}", claim.evidence())),
        Holding::Masked => {
            (CaseGrade::Failed, "masked", "retries hid every failure: the zero is unproven".to_owned())
        }
        Holding::Unproven(reason) => (CaseGrade::Unproven, "unproven", reason.clone()),
        Holding::NotApplicable(reason) => (CaseGrade::NotApplicable, "n/a", reason.clone()),
    }
}

/// Why what a cell measured can't be trusted, or be had. Latency that no claim reads makes nothing invalid.
fn doubts(cell: &CellSummary) -> Vec<String> {
    let of = |name: &str, validity: &Validity| {
        (!validity.is_usable()).then(|| format!("{name} INVALID: {}", validity.reasons.join(", ")))
    };
    let deploy = cell.validity.deploy.as_ref().and_then(|validity| of("deploy", validity));
    let timeline = cell.validity.timeline.as_ref().and_then(|validity| of("timeline", validity));
    of("counts", &cell.validity.counts)
        .into_iter()
        .chain(deploy)
        .chain(timeline)
        .chain(cell.failures.iter().cloned())
        .collect()
}

/// A scenario that expects retries to hide failures says so by a claim about `masked`.
fn expects_masking(run: &RunSummary) -> bool {
    let expected = run.claims.iter().filter(|claim| claim.role == Role::Expect);
    expected
        .filter_map(|claim| claim.text.parse::<Claim>().ok())
        .any(|claim| claim.left.metric == Metric::Masked)
}
