//! Every metric is in every format, and on the page about them.

use std::collections::BTreeSet;
use std::path::Path;

use model::access_log::{LogGap, Reason};
use model::catalog::Catalog;
use model::claim::{Kind, Metric};
use model::detection::DetectionBound;
use model::history::Happening;
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::timeline::{Termination, ToldAfter};
use model::tls::{Handshakes, Tls};
use model::units::Span;
use report::after_signal::AfterSignal;
use report::compare::{self, figures::LEFT_OUT};
use report::document::ELSEWHERE;
use report::ejections::Ejections;
use report::faults::{FaultRecord, Seen, TimeToEject};
use report::routing::Routing;
use report::run::LabelledRun;
use report::sessions::{SessionRecord, UserRecord};
use report::tls::TlsRecord;
use report::{CellSummary, Colour, Format, RunSummary, Style, catalogue, judge, render, summarise};

use crate::build::*;

const PLAIN: Style = Style { width: 160, colour: Colour::Never };

fn fault() -> FaultRecord {
    let seen = |ms| Some(Seen { ms, after_ms: ms - 20.0, words: "DOWN".into() });
    FaultRecord {
        backend: "web-1".into(),
        fault: "crash".into(),
        at_ms: 4000.0,
        healed_ms: Some(9000.0),
        bound: DetectionBound::Within {
            least: Span::millis(200),
            most: Span::millis(400),
            why: "2 × 200 ms".into(),
        },
        looked_every_ms: Some(20.0),
        seen_down: seen(310.0),
        time_to_eject: TimeToEject::After { ms: 320.0, tried_again: 0 },
        failed_in_flight: 3,
        failed_after: 9,
        first_failure_ms: Some(1.0),
        last_failure_ms: Some(330.0),
        slow: 0,
        seen_up: seen(150.0),
        time_to_restore_ms: Some(160.0),
    }
}

/// A cell of `variant` in which everything can be measured was.
fn whole(plan: &SavedPlan, variant: &str) -> CellSummary {
    let mut cell = summarise(plan, &cell(variant));
    cell.faults = vec![fault()];
    let sessions = SessionRecord { named: 90, kept: 80, lost: 10, updates_lost: 2, store_away: 1 };
    cell.users = Some(UserRecord { users: 50, moved: 7, sessions: Some(sessions) });
    let handshakes = Handshakes { full: 30, resumed: 20 };
    cell.tls = Some(TlsRecord { ends: Tls::Terminate, handshakes, failed: 0, at_backends: Some(handshakes) });
    cell.routing = Some(Routing {
        expected: Some(1000),
        misrouted: 3,
        pools: [("web".to_owned(), cell.backends["web-1"])].into(),
        compared: Some(1000),
        disagreements: 2,
        ..Routing::default()
    });
    cell.answers.flags = Some([("no live upstreams".to_owned(), 4)].into());
    cell.answers.statuses.insert(504, 4);
    cell.balancer_log = Some(report::balancer_log::BalancerLog {
        requests: 1000,
        refused_by_limit: Some(4),
        queued: Some(report::balancer_log::Queued {
            requests: 900,
            p50_ms: Some(0.5),
            p99_ms: Some(20.0),
            max_ms: 90.0,
        }),
        tried: 1000,
        attempts: Some(1100),
    });
    cell.tells_health = true;
    cell.ejections = [("web-1".to_owned(), Ejections { downs: 2, ups: 1, down_ms: 900.0 })].into();
    cell.reloads = None;
    if let Some(deploy) = &mut cell.deploy {
        let told_after = ToldAfter::Between(Span::millis(300), Span::millis(300));
        deploy.termination = Some(Termination { told_after, pre_stop: Span::default() });
        let after = AfterSignal {
            told_ms: Some(310.0),
            sent: 9,
            sent_after_exit: 7,
            last_ms: Some(290.0),
            killed: true,
        };
        for replacement in &mut deploy.replacements {
            replacement.after_signal = Some(after);
            replacement.last_at_old_ms = Some(1900.0);
        }
    }
    for figure in [
        &mut cell.cpu.balancer_us_per_request,
        &mut cell.cpu.backends_us_per_request,
        &mut cell.cpu.balancer_us_per_handshake,
        &mut cell.cpu.backends_us_per_handshake,
    ] {
        *figure = Some(12.5);
    }
    cell.validity.cpu = Some(cell.validity.counts.clone());
    for load in cell.load.values_mut() {
        load.in_hand = Some(report::backend_load::InHand {
            samples: 200,
            missing: 0,
            in_flight_mean: 5.5,
            in_flight_max: 9,
            queue_mean: 1.5,
            queue_max: 4,
            queue_growth: Some(0.5),
            balancer_in_flight_mean: None,
        });
    }
    cell
}

fn run() -> (SavedPlan, RunSummary) {
    let plan = plan();
    let cells = [CONTROL, DRAINED].map(|variant| whole(&plan, variant));
    let run = judge(&plan, &environment(), cells.into(), vec![]);
    (plan, run)
}

/// What some cell of the run has, by name.
fn figures_of(run: &RunSummary) -> Vec<catalogue::Figure> {
    let known = |figure: &catalogue::Figure| run.cells.iter().any(|cell| figure.read(cell).is_some());
    catalogue::figures(&run.cells).into_iter().filter(known).collect()
}

#[test]
fn the_run_of_these_tests_has_every_metric() {
    let (_, run) = run();
    let known: BTreeSet<Metric> = figures_of(&run).into_iter().map(|figure| figure.metric).collect();
    let missing: Vec<&Metric> = Metric::ALL.iter().filter(|metric| !known.contains(metric)).collect();
    assert_eq!(missing, Vec::<&Metric>::new());
}

#[test]
fn csv_json_and_openmetrics_have_every_figure() {
    let (_, run) = run();
    let csv = render(&run, Format::Csv, PLAIN);
    let columns: BTreeSet<&str> = csv.lines().next().unwrap().split(',').collect();
    let json: serde_json::Value = serde_json::from_str(&render(&run, Format::Json, PLAIN)).unwrap();
    let openmetrics = render(&run, Format::Openmetrics, PLAIN);
    let cells = json["figures"].as_array().unwrap();
    for figure in figures_of(&run) {
        let name = figure.name();
        assert!(columns.contains(name.as_str()) || columns.contains(format!("{name}_ms").as_str()), "{name}");
        assert!(cells.iter().any(|cell| cell["values"].get(&name).is_some()), "{name}");
        let family = format!("# HELP rig_{}", figure.metric.name());
        assert!(openmetrics.contains(&family), "{family} in {openmetrics}");
        let label = figure
            .facet
            .map_or_else(String::new, |facet| format!("{}=\"{facet}\"", figure.metric.facet().unwrap()));
        let sample =
            |line: &str| line.starts_with(&format!("rig_{}", figure.metric)) && line.contains(&label);
        assert!(openmetrics.lines().any(sample), "{name} in {openmetrics}");
    }
}

#[test]
fn a_comparison_has_every_metric_or_says_why_not() {
    let (plan, run) = run();
    let catalog = Catalog { signs: vec![], missing: vec![] };
    let kinds = [model::catalog::BalancerKind::Nginx.into()];
    let compared =
        compare::balancers(LabelledRun { label: "", plan: &plan, summary: &run }, &kinds, &plan, &catalog);
    for metric in Metric::ALL {
        let row = |row: &compare::Row| row.figure.split('[').next() == Some(metric.name());
        let left_out = LEFT_OUT.iter().any(|(it, why)| it == metric && !why.is_empty());
        // A zero of what describes, and does not judge, has no row.
        let zero = figures_of(&run)
            .iter()
            .filter(|figure| figure.metric == *metric)
            .all(|figure| run.cells.iter().all(|cell| figure.read(cell).unwrap_or(0.0) == 0.0));
        assert!(compared.rows.iter().any(row) != left_out || zero, "{metric}");
    }
}

#[test]
fn a_report_has_every_metric_in_a_table_of_its_own_or_in_the_last() {
    let (_, run) = run();
    let text = render(&run, Format::Markdown, PLAIN);
    let further = text.split("## ").find(|part| part.starts_with("Further figures")).expect("a last table");
    for metric in Metric::ALL {
        let places = ELSEWHERE.iter().filter(|(metrics, _)| metrics.contains(metric)).count();
        let here = further.contains(&format!("| {} |", metric.heading()));
        assert_eq!(places + usize::from(here), 1, "{metric}: {further}");
    }
}

#[test]
fn losses_have_a_beginning_and_a_longest_stretch() {
    let plan = plan();
    let mut records = cell(CONTROL);
    records.requests.iter_mut().for_each(|request| request.outcome = answered(200));
    let read =
        |records: &CellRecords, metric| report::reading::read(&summarise(&plan, records), metric, None).ok();
    assert_eq!(read(&records, Metric::TimeToFirstLoss), None);
    assert_eq!(read(&records, Metric::LongestOutage), Some(0.0));
    assert_eq!(read(&records, Metric::ErrorRate), Some(0.0));
    let scheduled = read(&records, Metric::Scheduled).expect("it is known");
    records.requests.sort_by_key(|request| request.due);
    // The warm-up comes first.
    let first = records.requests.len() - scheduled as usize;
    let due: Vec<_> = records.requests[first..].iter().map(|request| request.due).collect();
    for n in [10, 20, 21, 22] {
        records.requests[first + n].outcome = answered(502);
    }
    let at = |n: usize| due[n].millis_from(due[0]);
    assert_eq!(read(&records, Metric::TimeToFirstLoss), Some(at(10)));
    assert_eq!(read(&records, Metric::LongestOutage), Some(due[23].millis_from(due[20])));
    assert_eq!(read(&records, Metric::ErrorRate), Some(4.0 / scheduled));
}

#[test]
fn refusals_waits_and_retries_are_read_from_the_log_and_what_it_does_not_say_is_no_zero() {
    let plan = plan();
    let read =
        |records: &CellRecords, metric| report::reading::read(&summarise(&plan, records), metric, None);
    let mut records = cell(CONTROL);
    assert_eq!(read(&records, Metric::RefusedByLimit), Ok(0.0));
    assert_eq!(read(&records, Metric::RetriesPerRequest), Ok(0.0));
    assert!(read(&records, Metric::QueuedP50).is_err(), "the log has no times");
    assert!(read(&records, Metric::Ejections).is_err(), "nginx has no view");
    // Each that was measured waited 8 ms, was tried twice, or was refused.
    for line in &mut records.access {
        line.queued = Some(Span::millis(8));
        line.reason = line.attempts.is_empty().then_some(Reason::QueueTimeout);
        retell(line, |attempts| attempts.extend(attempts.clone()));
    }
    assert_eq!(read(&records, Metric::QueuedP50), Ok(8.0));
    assert_eq!(read(&records, Metric::RetriesPerRequest), Ok(1.0));
    let last = records.access.last_mut().expect("there is a log");
    last.reason = Some(Reason::LimitReached);
    assert!(read(&records, Metric::RefusedByLimit).expect("it is told") >= 1.0);
    for event in &mut records.history {
        if let Happening::AccessLog { gaps, .. } = &mut event.what {
            gaps.push(LogGap::LimitUntold);
        }
    }
    assert!(read(&records, Metric::RefusedByLimit).is_err(), "it may as well have been a dead backend");
    assert!(read(&records, Metric::Masked).is_ok());
    for event in &mut records.history {
        if let Happening::AccessLog { gaps, .. } = &mut event.what {
            gaps.push(LogGap::RetriesUntold);
        }
    }
    for metric in [Metric::RetriesPerRequest, Metric::Masked] {
        assert!(read(&records, metric).is_err(), "the log counts no attempts: {metric:?}");
    }
}

#[test]
fn an_error_rate_of_zero_needs_a_control_like_any_zero() {
    let claim: model::claim::Claim = "with-drain.error_rate == 0%".parse().unwrap();
    assert_eq!(claim.promises_few(), Some(Metric::Dropped));
    let outage: model::claim::Claim = "with-drain.longest_outage < 10ms".parse().unwrap();
    assert_eq!(outage.promises_few(), Some(Metric::Dropped));
    let mut plan = plan();
    plan.expect = vec![claim];
    let cells = |plan: &SavedPlan| [CONTROL, DRAINED].map(|variant| summarise(plan, &cell(variant))).into();
    let held = judge(&plan, &environment(), cells(&plan), vec![]);
    assert_eq!(held.verdict, report::Verdict::Passed, "{:?}", held.claims);
    plan.control.clear();
    let unproven = judge(&plan, &environment(), cells(&plan), vec![]);
    assert_eq!(unproven.verdict, report::Verdict::Invalid, "{:?}", unproven.claims);
}

#[test]
fn the_page_about_the_metrics_is_what_the_rows_say() {
    let page = report::render_page(&report::metrics::page());
    for kind in Kind::ALL.iter().copied() {
        assert!(Metric::ALL.iter().any(|metric| metric.kind() == kind), "{kind:?} has no metric");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    if std::env::var_os("RIG_WRITE_METRICS").is_some() {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let saved = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(saved == page, "docs/metrics.md is not what the rows say: RIG_WRITE_METRICS=1 renews it");
}
