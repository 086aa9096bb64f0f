//! Saved runs, one after another: which of them went how, a figure over all of them, and as OpenMetrics with times.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use model::history::Setting;
use model::plan::SavedPlan;
use model::units::Rate;
use report::over_time::{self, Followed};
use report::run::LabelledRun;
use report::validity::Trust;
use report::{CellSummary, Colour, RunSummary, Style, judge, recording, render_table, summarise};

use crate::build::*;

const PLAIN: Style = Style { width: 120, colour: Colour::Never };

/// A run that began on the `day`; its cells are `tamper`ed with.
fn run(plan: &SavedPlan, day: u32, tamper: impl Fn(&mut CellSummary)) -> RunSummary {
    let cells = [CONTROL, DRAINED].map(|variant| {
        let mut summary = summarise(plan, &cell(variant));
        tamper(&mut summary);
        summary
    });
    let mut environment = environment();
    environment.started = format!("2026-11-{day:02}T13:51:48Z");
    judge(plan, &environment, cells.into(), vec![])
}

fn labelled<'r>(label: &'r str, plan: &'r SavedPlan, summary: &'r RunSummary) -> LabelledRun<'r> {
    LabelledRun { label, plan, summary }
}

fn upgraded(cell: &mut CellSummary) {
    cell.balancer_version = "1.31.3".into();
    cell.settings = vec![Setting { name: "keepalive".into(), rendered: "keepalive 32 local".into() }];
    cell.counts.dropped += 60;
}

#[test]
fn a_list_of_runs_is_in_the_order_in_which_they_began() {
    let plan = plan();
    let [first, second] = [22, 23].map(|day| run(&plan, day, |_| {}));
    let runs = [labelled("results/drain/2", &plan, &second), labelled("results/drain/1", &plan, &first)];
    insta::assert_snapshot!(render_table(&over_time::listing(&over_time::list(&runs)), PLAIN));
}

#[test]
fn a_figure_is_followed_through_runs_with_what_changed() {
    let plan = plan();
    let mut faster = plan.clone();
    faster.variants.iter_mut().for_each(|variant| variant.traffic.rate = Rate(800.0));
    let [first, second, third] =
        [run(&plan, 22, |_| {}), run(&plan, 23, upgraded), run(&faster, 24, upgraded)];
    let runs = [
        labelled("results/drain/1", &plan, &first),
        labelled("results/drain/2", &plan, &second),
        labelled("results/drain/3", &faster, &third),
    ];
    let trends = over_time::follow(&runs, &format!("{CONTROL}.dropped").parse::<Followed>().unwrap());
    let [trend] = trends.as_slice() else { panic!("one variant is asked for: {trends:?}") };
    let changes: Vec<_> = trend.points.iter().map(|point| point.changes.clone()).collect();
    assert_eq!(changes[0], Vec::<String>::new());
    assert_eq!(changes[1][0], "nginx 1.22.1 → 1.31.3");
    assert_eq!(changes[1][2], "nginx keepalive: – → keepalive 32 local");
    assert_eq!(changes[2], ["load.rate: 400/s → 800/s"]);
    insta::assert_snapshot!(render_table(&over_time::table(trend), PLAIN));
    // Without a variant it is that of each.
    let all = over_time::follow(&runs, &"dropped".parse().unwrap());
    let variants: Vec<&str> = all.iter().map(|trend| trend.variant.as_str()).collect();
    assert_eq!(variants, [CONTROL, DRAINED]);
}

#[test]
fn a_number_that_cannot_be_trusted_is_struck_and_gets_no_bar() {
    let plan = plan();
    let untrusted = run(&plan, 22, |cell| cell.validity.counts.verdict = Trust::Invalid);
    let runs = [labelled("results/drain/1", &plan, &untrusted)];
    let trends = over_time::follow(&runs, &"without-drain.dropped".parse().unwrap());
    assert!(trends[0].points[0].balancers[0].figure.repeats.is_empty());
    let text = render_table(&over_time::table(&trends[0]), PLAIN);
    assert!(!text.contains(['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']), "{text}");
}

#[test]
fn a_figure_that_does_not_exist_is_refused_with_the_nearest() {
    for (asked, says) in [("droped", "dropped"), ("with-drain.p98", "p9"), ("share", "share[web-1]")] {
        let error = asked.parse::<Followed>().unwrap_err();
        let text = format!("{} {}", error.message, error.help.unwrap_or_default());
        assert!(text.contains(says), "{asked}: {text}");
    }
}

#[test]
fn a_recording_has_every_run_with_its_time_and_each_name_once() {
    let plan = plan();
    let [first, second] = [run(&plan, 22, |_| {}), run(&plan, 23, upgraded)];
    let text = recording(&[&second, &first]);
    let dropped: Vec<&str> = text.lines().filter(|line| line.starts_with("rig_dropped{")).collect();
    assert_eq!(dropped.len(), 4, "two variants of two runs: {text}");
    let of_control: Vec<&str> = dropped.into_iter().filter(|line| line.contains(CONTROL)).collect();
    let time = |line: &str| line.rsplit(' ').next().unwrap().parse::<i64>().unwrap();
    assert_eq!(of_control.iter().map(|line| time(line)).collect::<Vec<_>>(), [1_795_355_508, 1_795_441_908]);
    let mut typed = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("# TYPE")) {
        *typed.entry(line).or_insert(0) += 1;
    }
    assert!(typed.len() > 20 && typed.values().all(|times| *times == 1), "{typed:?}");
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Names that begin with `rig_`.
fn names(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|it| it.starts_with("rig_"))
        .collect()
}

#[test]
fn the_dashboard_asks_only_for_what_a_recording_has() {
    let dashboard = std::fs::read_to_string(root().join("docs/grafana/rig.json")).unwrap();
    let parsed: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    assert!(parsed["panels"].as_array().unwrap().len() > 5);
    let kept = std::fs::read_to_string(root().join("results/reference/drain/summary.json")).unwrap();
    let run: RunSummary = serde_json::from_str(&kept).unwrap();
    let text = recording(&[&run]);
    let recorded: BTreeSet<&str> =
        text.lines().filter(|line| !line.starts_with('#')).flat_map(names).collect();
    let asked = names(&dashboard);
    assert!(asked.len() > 5 && asked.is_subset(&recorded), "not recorded: {:?}", asked.difference(&recorded));
}
