//! The JUnit dialect, for whatever shows tests: a suite for each balancer of a run, a case for each claim and repeat.
//! What failed is a *failure*, what could not be judged an *error* (an INVALID measurement is no pass), what does not
//! apply is *skipped*. A cell that can't be trusted, and a run that ended otherwise, are errors of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use model::identity::BalancerName;
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::cases::{Case, CaseGrade, balancers, of_balancer, of_run};
use crate::judge::verdict::RunSummary;
use crate::measure::summary::CellSummary;

/// Lays out runs.
pub(crate) fn render(runs: &[&RunSummary]) -> String {
    let mut report = Report::new("rig");
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for run in runs {
        *times.entry(run.scenario.as_str()).or_default() += 1;
    }
    for run in runs {
        let times = times.get(run.scenario.as_str());
        let suffix = if times > Some(&1) { format!(" ({})", run.environment.started) } else { String::new() };
        report.add_test_suites(suites(run, &suffix));
    }
    report.to_string().expect("a string takes every report")
}

fn suites(run: &RunSummary, suffix: &str) -> Vec<TestSuite> {
    let mut suites: Vec<_> =
        balancers(run).into_iter().map(|balancer| suite(run, balancer, suffix)).collect();
    let told = suites.iter().any(|suite| suite.failures + suite.errors > 0);
    if let Some(case) = of_run(run, told) {
        let mut whole = TestSuite::new(format!("{}{suffix}", run.scenario));
        whole.add_test_case(test_case(case, &run.scenario));
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
    for case in of_balancer(run, balancer) {
        let observed = case.observed.clone();
        let mut case = test_case(case, &class);
        if !observed.is_empty() {
            case.set_system_out(observed);
        }
        suite.add_test_case(case);
    }
    suite
}

fn test_case(case: Case, class: &str) -> TestCase {
    let mut status = match case.grade {
        CaseGrade::Passed => TestCaseStatus::success(),
        CaseGrade::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        CaseGrade::Unproven => TestCaseStatus::non_success(NonSuccessKind::Error),
        CaseGrade::NotApplicable => TestCaseStatus::skipped(),
    };
    if case.grade != CaseGrade::Passed {
        status.set_type(case.kind).set_message(case.why);
    }
    let mut shown = TestCase::new(case.name, status);
    shown.set_classname(class);
    shown
}
