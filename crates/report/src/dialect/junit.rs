//! The JUnit dialect, for whatever shows tests: a suite for each balancer of a run, a case for each claim and repeat.
//! What failed is a *failure*, what could not be judged an *error* (an INVALID measurement is no pass), what does not
//! apply is *skipped*. A cell that can't be trusted, and a run that ended otherwise, are errors of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::claim::{Claim, Metric};
use model::identity::BalancerName;
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::judge::verdict::{ClaimVerdict, Holding, Problem, Role, RunSummary, Verdict};
use crate::measure::summary::CellSummary;
use crate::measure::validity::Validity;
use crate::numbers::words;

/// Lays out runs.
pub(crate) fn render<'a>(runs: impl IntoIterator<Item = &'a RunSummary>) -> String {
    let runs: Vec<&RunSummary> = runs.into_iter().collect();
    let mut report = Report::new("rig");
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for run in &runs {
        *times.entry(run.scenario.as_str()).or_default() += 1;
    }
    for run in &runs {
        let times = times.get(run.scenario.as_str());
        let suffix = if times > Some(&1) { format!(" ({})", run.environment.started) } else { String::new() };
        report.add_test_suites(suites(run, &suffix));
    }
    report.to_string().expect("a string takes every report")
}

fn suites(run: &RunSummary, suffix: &str) -> Vec<TestSuite> {
    let claimed = run.claims.iter().map(|claim| claim.balancer);
    let missing = run.problems.iter().filter_map(|problem| match problem {
        Problem::CellMissing { cell, .. } => Some(cell.balancer),
        _ => None,
    });
    let balancers: BTreeSet<_> =
        claimed.chain(run.cells.iter().map(|cell| cell.balancer)).chain(missing).collect();
    let mut suites: Vec<_> = balancers.into_iter().map(|balancer| suite(run, balancer, suffix)).collect();
    let told = suites.iter().any(|suite| suite.failures + suite.errors > 0);
    if run.verdict == Verdict::Interrupted || (run.verdict != Verdict::Passed && !told) {
        let mut whole = TestSuite::new(format!("{}{suffix}", run.scenario));
        let mut case =
            TestCase::new("the run", wrong(NonSuccessKind::Error, &words(run.verdict), "it did not pass"));
        case.set_classname(run.scenario.as_str());
        whole.add_test_case(case);
        suites.push(whole);
    }
    suites
}

fn suite(run: &RunSummary, balancer: BalancerName, suffix: &str) -> TestSuite {
    let mut suite = TestSuite::new(format!("{} {balancer}{suffix}", run.scenario));
    let class = format!("{}.{balancer}", run.scenario);
    let cells: Vec<&CellSummary> = run.cells.iter().filter(|cell| cell.balancer == balancer).collect();
    let version = cells.first().map(|cell| cell.balancer_version.as_str()).unwrap_or_default();
    let properties = [
        ("question", run.question.as_str()),
        ("balancer_version", version),
        ("rig", &run.environment.rig),
        ("started", &run.environment.started),
        ("seed", &run.seed.to_string()),
    ];
    let known = properties.into_iter().filter(|(_, value)| !value.is_empty());
    suite.add_properties(known.map(|(name, value)| Property::new(name, value)));
    suite.add_properties(cells.iter().map(|cell| {
        let name = format!("books of {} #{}", cell.variant, cell.repeat);
        let why = cell.books.blind().unwrap_or_else(|| cell.books.grade.name().to_owned());
        Property::new(name, why)
    }));
    let took: f64 = cells.iter().flat_map(|cell| cell.stages.values()).sum();
    if took > 0.0 {
        suite.set_time(Duration::from_secs_f64(took));
    }
    let mut add = |name: String, status: TestCaseStatus, said: &str| {
        let mut case = TestCase::new(name, status);
        case.set_classname(class.as_str());
        if !said.is_empty() {
            case.set_system_out(said);
        }
        suite.add_test_case(case);
    };
    let numbered = |name: &str, repeat: u32| match run.repeats {
        1 => name.to_owned(),
        _ => format!("{name} #{repeat}"),
    };
    let masking = expects_masking(run);
    for claim in run.claims.iter().filter(|claim| claim.balancer == balancer) {
        let role = if claim.role == Role::Control { "control: " } else { "" };
        let name = numbered(&format!("{role}{}", claim.text), claim.repeat);
        add(name, status(claim, masking), &claim.observed);
    }
    for cell in &cells {
        for death in &cell.deaths {
            let name = numbered(&format!("{} in {}", death.who, cell.variant), cell.repeat);
            add(name, wrong(NonSuccessKind::Failure, "died", &death.sentence()), "");
        }
        let doubts = doubts(cell);
        if !doubts.is_empty() {
            let name = numbered(&format!("measurement of {}", cell.variant), cell.repeat);
            add(name, wrong(NonSuccessKind::Error, "INVALID", &doubts.join("; ")), "");
        }
    }
    for problem in &run.problems {
        if let Problem::CellMissing { cell, reason } = problem
            && cell.balancer == balancer
        {
            let name = numbered(&format!("measurement of {}", cell.variant), cell.repeat);
            add(name, wrong(NonSuccessKind::Error, "missing", &format!("no results: {reason}")), "");
        }
    }
    suite
}

fn status(claim: &ClaimVerdict, masking_is_expected: bool) -> TestCaseStatus {
    match &claim.holding {
        Holding::Held => TestCaseStatus::success(),
        Holding::Masked if masking_is_expected => TestCaseStatus::success(),
        Holding::Failed => wrong(NonSuccessKind::Failure, "failed", &format!("observed {}", claim.observed)),
        Holding::Masked => {
            wrong(NonSuccessKind::Failure, "masked", "retries hid every failure: the zero is unproved")
        }
        Holding::Unproven(reason) => wrong(NonSuccessKind::Error, "unproven", reason),
        Holding::NotApplicable(reason) => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_type("n/a").set_message(reason.as_str());
            skipped
        }
    }
}

fn wrong(kind: NonSuccessKind, type_: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(type_).set_message(message);
    status
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
