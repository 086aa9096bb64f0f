//! The picture of an answer: what a page leads with, and an SVG by itself.

use model::claim::AnswerPicture;
use report::validity::Trust;
use report::{
    Colour, Format, Illustrated, RunSummary, Style, judge, render_figure, render_several, summarise,
};

use crate::build::*;
use crate::referenced::reference;

fn run() -> RunSummary {
    let plan = plan();
    let cells = [CONTROL, DRAINED].map(|variant| summarise(&plan, &cell(variant)));
    judge(&plan, &environment(), cells.into(), vec![])
}

fn picture(run: &RunSummary, figure: &str) -> Result<String, String> {
    let figure: AnswerPicture = figure.parse().expect("it is a figure");
    render_figure(&[run], Some(&figure)).map_err(|no| no.0)
}

fn page(run: &RunSummary) -> String {
    let style = Style { width: 120, colour: Colour::Never };
    render_several(&[run.into()], Format::Html, style).expect("it is of any runs")
}

/// The length of each bar.
fn bars(picture: &str) -> Vec<u32> {
    let rects = picture.split("<rect x=").skip(1).filter(|rect| rect.contains("height=\"14\" fill=\"#"));
    let width = |rect: &str| rect.split("width=\"").nth(1)?.split('"').next()?.parse().ok();
    rects.filter_map(width).collect()
}

#[test]
fn a_page_leads_with_the_picture_then_findings_then_one_table_and_folds_the_evidence() {
    let page = page(&run());
    let places = [
        "<h1>",
        "class=\"lead\"",
        "<h2>Findings",
        "<h2>In every row",
        "Evidence</h2>",
        "<details class=\"evidence\">",
    ];
    let places = places.map(|part| page.find(part).unwrap_or_else(|| panic!("{part} is missing")));
    assert!(places.is_sorted(), "{places:?}");
    assert!(
        page.contains("aria-label=\"nginx 1.22.1: without-drain 39; with-drain 0 (&lt; 7.7 %)\""),
        "{page}"
    );
}

#[test]
fn a_figure_is_an_svg_by_itself() {
    insta::assert_snapshot!(picture(&run(), "dropped").unwrap().replace("><", ">\n<"));
}

#[test]
fn bars_are_as_long_as_what_they_show() {
    let drawn = bars(&picture(&run(), "dropped").unwrap());
    assert_eq!((drawn.len(), drawn[1]), (2, 1), "a zero is a line: {drawn:?}");
    assert!(drawn[0] > 100, "{drawn:?}");
    let shares = picture(&run(), "share[*]").unwrap();
    for backend in BACKENDS {
        assert_eq!(shares.matches(&format!(">{backend}</text>")).count(), 2, "{shares}");
    }
    assert_eq!(bars(&shares).len(), 6);
}

#[test]
fn two_figures_are_a_bar_with_a_mark_or_two_bars() {
    let one_scale = picture(&run(), "ok against scheduled").unwrap();
    assert_eq!(bars(&one_scale).len(), 2);
    assert_eq!(one_scale.matches("stroke=\"#3c4858\" stroke-width=\"3\"").count(), 2, "{one_scale}");
    assert!(one_scale.contains(">7961 | 8000</text>"), "{one_scale}");
    let two = picture(&run(), "dropped against longest_drain").unwrap();
    // Nothing was drained in the control.
    assert_eq!(bars(&two).len(), 3);
    assert!(two.contains(">–</text>") && two.contains(">longest drain</text>"), "{two}");
}

#[test]
fn what_no_cell_has_is_refused_with_the_reason() {
    assert_eq!(
        picture(&run(), "sessions_lost").unwrap_err(),
        "drain: the load of nginx.without-drain.1 has no users"
    );
    // A page then has no picture, rather than an empty one.
    let other = RunSummary { figure: "sessions_lost".parse().expect("it is a figure"), ..run() };
    assert_eq!([run(), other].map(|run| page(&run).matches("class=\"lead\"").count()), [1, 0]);
}

#[test]
fn what_cannot_be_trusted_is_struck_and_what_never_came_has_no_end() {
    let mut run = run();
    run.cells[1].validity.counts.lower(Trust::Invalid, "a record is missing");
    let drawn = picture(&run, "dropped").unwrap();
    assert_eq!(drawn.matches("text-decoration=\"line-through\"").count(), 1, "{drawn}");
    // Among the failed requests.
    let drawn = picture(&run, "p999").unwrap();
    assert!(drawn.contains("stroke-dasharray") && drawn.contains("(39 failed)"), "{drawn}");
}

#[test]
fn the_committed_results_have_their_pictures() {
    for (scenario, figure) in [
        ("health-check", "detection[web-1] against bound[web-1]"),
        ("half-dead", "failed_requests[*]"),
        ("sticky-sessions", "sessions_lost against imbalance"),
        ("tls", "balancer_cpu_per_request against backend_cpu_per_request"),
        ("discovery", "dropped against last_at_old_address"),
    ] {
        let drawn = picture(&reference(scenario).run, figure).unwrap();
        assert!(drawn.matches("<svg").count() > 3, "{scenario}");
    }
    // Caddy has no view of its backends.
    let drawn = picture(&reference("health-check").run, "detection[web-1]").unwrap();
    assert!(drawn.contains("not measured: caddy does not say which backends are down</desc>"), "{drawn}");
}

#[test]
fn the_page_of_the_largest_scenario_stays_small() {
    let sticky = reference("sticky-sessions");
    let told = Illustrated { run: &sticky.run, series: &sticky.series };
    let style = Style { width: 120, colour: Colour::Never };
    let page = render_several(&[told], Format::Html, style).expect("it is of any runs");
    if let Some(path) = std::env::var_os("RIG_KEEP_PAGE") {
        std::fs::write(path, &page).expect("it can be written");
    }
    assert!(page.len() < 300 * 1024, "{} bytes for {} cells", page.len(), sticky.run.cells.len());
}
