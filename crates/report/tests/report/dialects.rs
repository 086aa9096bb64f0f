//! The dialects for other tools: JUnit and OpenMetrics.

use model::plan::Unavailable;
use quick_junit::Report;
use report::verdict::Problem;
use report::{Colour, Format, RunSummary, Style, judge, render, render_overview, summarise};

use crate::build::*;
use crate::renderings::{held, in_containers, invalid};

const PLAIN: Style = Style { width: 120, colour: Colour::Never };

/// Its expectation is wrong, and one balancer does not run it.
fn failed() -> RunSummary {
    let mut plan = plan();
    plan.expect[1].right = model::claim::Operand::Count(4);
    plan.expect[1].text = "with-drain.replaced == 4".into();
    plan.variants[0].balancers.push(model::catalog::BalancerKind::Envoy.into());
    let cells = [CONTROL, DRAINED].map(|variant| summarise(&plan, &cell(variant)));
    judge(&plan, &environment(), cells.into(), vec![])
}

fn junit(run: &RunSummary) -> String {
    render(run, Format::Junit, PLAIN)
}

#[test]
fn as_junit() {
    insta::assert_snapshot!(junit(&held()));
}

#[test]
fn as_junit_with_what_failed_and_what_does_not_apply() {
    insta::assert_snapshot!(junit(&failed()));
}

#[test]
fn as_junit_with_what_cannot_be_trusted() {
    insta::assert_snapshot!(junit(&invalid()));
}

/// Failures and errors of a report.
fn counted(text: &str) -> (usize, usize, usize) {
    let report = Report::deserialize_from_str(text).expect("it is JUnit");
    (report.tests, report.failures, report.errors)
}

#[test]
fn what_did_not_pass_is_never_all_green() {
    assert_eq!(counted(&junit(&held())), (3, 0, 0));
    assert_eq!(counted(&junit(&failed())).1, 1);
    assert_eq!(counted(&junit(&invalid())), (4, 0, 3));
    // A verdict that no claim and no cell explains.
    let mut nothing = plan();
    nothing.unavailable = [CONTROL, DRAINED]
        .map(|variant| Unavailable { variant: variant.into(), reason: "no `partition`".into() })
        .into();
    let run = judge(&nothing, &environment(), vec![], vec![]);
    assert_eq!(counted(&junit(&run)), (4, 0, 1));
    let mut interrupted = held();
    interrupted.verdict = report::Verdict::Interrupted;
    interrupted.problems.push(Problem::Interrupted);
    assert_eq!(counted(&junit(&interrupted)), (4, 0, 1));
}

#[test]
fn text_that_looks_like_markup_stays_text_in_junit() {
    let mut run = held();
    run.question = "a < b & \"c\" ]]> \u{1}".into();
    let report = Report::deserialize_from_str(&junit(&run)).expect("it is JUnit");
    let question = report.test_suites[0].properties.iter().find(|p| p.name.as_str() == "question").unwrap();
    assert_eq!(question.value.as_str(), "a < b & \"c\" ]]> ");
}

#[test]
fn as_openmetrics() {
    insta::assert_snapshot!(render(&held(), Format::Openmetrics, PLAIN));
}

#[test]
fn what_cannot_be_trusted_is_left_out_of_openmetrics_and_said_to_be() {
    let text = render(&invalid(), Format::Openmetrics, PLAIN);
    let of = |name: &str| text.lines().filter(|l| l.starts_with(name) && l.contains("with-drain")).count();
    assert_eq!((of("rig_requests"), of("rig_dropped"), of("rig_p50_seconds")), (0, 0, 0));
    assert!(text.contains("variant=\"with-drain\",repeat=\"1\",figures=\"counts\",trust=\"INVALID\"} 1.0"));
}

#[test]
fn cpu_time_that_cannot_be_trusted_is_left_out_of_openmetrics_and_named_in_csv() {
    let run = in_containers();
    let text = render(&run, Format::Openmetrics, PLAIN);
    let of = |variant: &str, name: &str| {
        text.lines().filter(|line| line.starts_with(name) && line.contains(variant)).count()
    };
    assert_eq!((of(CONTROL, "rig_cpu_seconds"), of(DRAINED, "rig_cpu_seconds")), (3, 0), "{text}");
    for (variant, trust) in [(CONTROL, "VALID"), (DRAINED, "INVALID")] {
        let said = format!("variant=\"{variant}\",repeat=\"1\",figures=\"cpu\",trust=\"{trust}\"");
        assert!(text.contains(&said), "{said} in {text}");
    }
    let csv = render(&run, Format::Csv, PLAIN);
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let place = lines.next().unwrap().iter().position(|name| *name == "cpu_validity").unwrap();
    assert_eq!(lines.map(|line| line[place]).collect::<Vec<_>>(), ["VALID", "INVALID"]);
}

#[test]
fn a_zero_whose_deploy_was_no_test_has_no_bound_in_openmetrics() {
    let mut run = held();
    let bounds = |run: &RunSummary| {
        let text = render(run, Format::Openmetrics, PLAIN);
        text.lines().filter(|line| line.starts_with("rig_zero_bound_ratio{")).count()
    };
    assert_eq!(bounds(&run), 1);
    let deploy = run.cells[1].validity.deploy.as_mut().expect("it was judged");
    deploy.verdict = report::validity::Trust::Invalid;
    assert_eq!(bounds(&run), 0);
}

#[test]
fn a_quantile_among_failures_is_infinite_and_labels_are_escaped() {
    let mut run = held();
    run.claims[0].text = "a \"b\" \\ c\nd".into();
    let text = render(&run, Format::Openmetrics, PLAIN);
    assert!(
        text.lines().any(|l| l.starts_with("rig_p999_seconds{") && l.ends_with("repeat=\"1\"} inf")),
        "{text}"
    );
    assert!(text.contains(r#"claim="a \"b\" \\ c\nd""#), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn several_runs_of_one_scenario_have_suites_of_their_own_and_no_common_metrics() {
    let run = held();
    let junit = render_overview(&[&run, &run], Format::Junit, PLAIN).expect("suites have names of their own");
    assert_eq!(counted(&junit).0, 6);
    assert!(junit.contains("drain nginx (2026-11-22T13:51:48Z)"), "{junit}");
    let error = render_overview(&[&run, &run], Format::Openmetrics, PLAIN).unwrap_err().to_string();
    assert!(error.contains("`drain`") && error.contains("one at a time"), "{error}");
    let other = RunSummary { scenario: "other".into(), ..run.clone() };
    render_overview(&[&run, &other], Format::Openmetrics, PLAIN).expect("they can be told apart");
}
