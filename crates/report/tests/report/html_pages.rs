//! The HTML dialect, and the series that its pictures are drawn from.

use model::history::{Event, Happening};
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::units::Span;
use report::series::{BackendState, Group};
use report::{
    Colour, Format, Illustrated, RunSummary, Series, Style, judge, render_several, series, summarise,
};

use crate::build::*;
use crate::renderings::invalid;

fn render(runs: &[Illustrated<'_>], format: Format) -> String {
    render_several(runs, format, Style { width: 120, colour: Colour::Never }).expect("it is of any runs")
}

fn html(runs: &[Illustrated<'_>]) -> String {
    render(runs, Format::Html)
}

fn drawn(plan: &SavedPlan, records: &[CellRecords]) -> (RunSummary, Vec<Series>) {
    let cells = records.iter().map(|records| summarise(plan, records)).collect();
    let series = records.iter().filter_map(|records| series(plan, records)).collect();
    (judge(plan, &environment(), cells, vec![]), series)
}

fn page(plan: &SavedPlan, records: &[CellRecords]) -> String {
    let (run, series) = drawn(plan, records);
    html(&[Illustrated { run: &run, series: &series }])
}

fn both() -> [CellRecords; 2] {
    [CONTROL, DRAINED].map(cell)
}

fn of(variant: &str) -> Series {
    series(&plan(), &cell(variant)).expect("the load began")
}

/// A page with a line for each element, without what is the same in every page.
fn readable(page: &str) -> String {
    let (head, rest) = page.split_once("<style>").expect("it has a style");
    let (_, rest) = rest.split_once("</style>").expect("it ends");
    format!("{head}{rest}").replace("><", ">\n<")
}

#[test]
fn as_html() {
    insta::assert_snapshot!(readable(&page(&plan(), &both())));
}

#[test]
fn the_same_records_give_the_same_page() {
    assert_eq!(page(&plan(), &both()), page(&plan(), &both()));
}

#[test]
fn a_page_needs_no_network_and_every_picture_has_a_title_and_words() {
    let page = page(&plan(), &both());
    for reference in ["src=", "url(", "@import", "<script", "<link", "http://", "https://"] {
        assert!(!page.contains(reference), "{reference}");
    }
    let pictures = page.matches("role=\"img\"").count();
    // Two cells, but the latency of one is level, which its words say; one distribution, and what the page leads with.
    assert_eq!(pictures, 2 * 4 - 1 + 2);
    // And one that shows nothing, with the axes that they share.
    assert_eq!(page.matches("<svg").count(), pictures + 1);
    assert_eq!(page.matches(" role=\"img\" aria-label=\"").count(), pictures);
    let figures = page.matches("<figure").count();
    assert_eq!(
        (figures, page.matches("<figcaption>").count()),
        (pictures, pictures),
        "each has words beside it"
    );
    assert!(!page.contains("<figcaption></figcaption>"));
    assert!(!page.contains("#0100"), "a colour that stands for an ink was not replaced");
}

#[test]
fn axes_that_pictures_share_are_drawn_once() {
    let page = page(&plan(), &both());
    let (pictures, frames) = page.split_once("<svg class=\"frames\"").expect("it has frames");
    // Both cells have the same axes for requests, backends, latency and shares; the distribution has its own.
    assert_eq!(frames.matches("<g id=\"f").count(), 4);
    assert_eq!(pictures.matches("<use href=\"#f").count(), 2 * 4 - 1);
    assert_eq!(pictures.matches(">0 s</text>").count(), 0);
}

#[test]
fn requests_that_were_lost_alike_are_one_row_of_a_page() {
    let page = page(&plan(), &[cell(CONTROL)]);
    let (_, drops) = page.split_once("<details class=\"drops\">").expect("it lists the dropped requests");
    let (rows, _) = drops.split_once("</details>").expect("it ends");
    let counted = rows.split("<tr><td>").skip(1).filter_map(|row| row.split('<').next()?.parse::<u64>().ok());
    let counted: Vec<u64> = counted.collect();
    assert_eq!(counted.iter().sum::<u64>(), 39, "{rows}");
    assert!(counted.len() < 10, "{rows}");
}

#[test]
fn text_that_looks_like_markup_stays_text_on_a_page() {
    let (mut run, series) = drawn(&plan(), &both());
    run.question = "<script>alert(1)</script> & \"more\"".into();
    run.environment.balancers.clear();
    run.cells[0].balancer_version = "<b>1</b>".into();
    let page = html(&[Illustrated { run: &run, series: &series }]);
    assert!(!page.contains("<script") && !page.contains("<b>1"));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;"));
}

#[test]
fn what_cannot_be_trusted_is_struck_on_a_page_too() {
    let run = invalid();
    let mut broken = cell(DRAINED);
    broken.requests.remove(100);
    let series = [series(&plan(), &cell(CONTROL)), series(&plan(), &broken)].map(|s| s.expect("it began"));
    let page = html(&[Illustrated { run: &run, series: &series }]);
    assert!(page.contains("<s>7999</s>"));
    assert_eq!(page.matches("class=\"cell struck\"").count(), 1);
    assert!(page.contains("INVALID: 1 × no record of the client (ids 100)."));
}

#[test]
fn latency_that_cannot_be_trusted_strikes_its_picture_alone() {
    let (mut run, series) = drawn(&plan(), &both());
    run.cells[1].validity.latency.lower(report::validity::Trust::Invalid, "the generator was late");
    let page = html(&[Illustrated { run: &run, series: &series }]);
    // It is level, so that its words stand for the picture.
    assert_eq!(page.matches("<p class=\"note struck\"><b>latency</b>").count(), 1);
    assert_eq!(page.matches("class=\"cell struck\"").count(), 0);
    assert!(page.contains("INVALID: the generator was late."));
}

#[test]
fn a_latency_curve_that_cannot_be_trusted_is_not_drawn_among_the_others() {
    let (mut run, series) = drawn(&plan(), &both());
    let mut lower = |place: usize| {
        run.cells[place].validity.latency.lower(report::validity::Trust::Invalid, "the generator was late");
        html(&[Illustrated { run: &run, series: &series }])
    };
    let names = |page: &str| {
        let (_, legend) = page.split_once("aria-label=\"latency by percentile\"")?;
        let (legend, _) = legend.split_once("</ul>")?;
        Some([CONTROL, DRAINED].map(|variant| legend.contains(variant)))
    };
    let one = lower(1);
    assert_eq!(names(&one), Some([true, false]));
    assert_eq!(one.matches("(INVALID, not drawn)").count(), 1, "below the picture");
    let none = lower(0);
    assert_eq!((names(&none), none.matches("role=\"img\"").count()), (None, 2 * 4));
}

#[test]
fn a_cell_whose_load_never_began_has_no_pictures_and_does_not_break_the_page() {
    let mut records = cell(DRAINED);
    records.history.retain(|event| !matches!(event.what, Happening::Scheduled { .. }));
    records.requests.clear();
    assert_eq!(series(&plan(), &records), None);
    let page = page(&plan(), &[cell(CONTROL), records]);
    assert_eq!(page.matches("role=\"img\"").count(), 4 + 2);
}

#[test]
fn several_runs_are_one_page_with_an_overview() {
    let (run, series) = drawn(&plan(), &both());
    let told = Illustrated { run: &run, series: &series };
    let page = html(&[told, told]);
    assert!(page.contains("What the scenarios showed"));
    assert!(page.contains("href=\"#run-2\"") && page.contains("<article id=\"run-2\">"));
    assert_eq!(page.matches("<!DOCTYPE html>").count(), 1);
}

#[test]
fn as_svg() {
    let (run, series) = drawn(&plan(), &both());
    let picture = render(&[Illustrated { run: &run, series: &series }], Format::Svg);
    insta::assert_snapshot!(picture.replace("><", ">\n<"));
}

#[test]
fn a_picture_has_a_heading_for_each_cell_and_strikes_what_cannot_be_trusted() {
    let (mut run, series) = drawn(&plan(), &both());
    run.question = "not in a picture".into();
    run.cells[1].variant = "a & b".into();
    run.cells[1].validity.counts.lower(report::validity::Trust::Invalid, "a record is missing");
    let mut series = series;
    series[1].cell.variant = "a & b".into();
    let told = Illustrated { run: &run, series: &series };
    let one = render(&[told], Format::Svg);
    assert!(one.contains(">nginx, without-drain: 39 dropped</text>"), "{one}");
    assert!(one.contains("text-decoration=\"line-through\">nginx, a &amp; b: "), "{one}");
    assert!(one.contains(", INVALID</text><g opacity=\"0.45\">"), "{one}");
    assert_eq!(one.matches("opacity=\"0.45\"").count(), 1);
    let several = render(&[told, told], Format::Svg);
    assert_eq!(several.matches(">drain: nginx, without-drain: 39 dropped</text>").count(), 2);
    let height = |picture: &str| -> u32 {
        let (_, view) = picture.split_once("viewBox=\"0 0 1960 ").expect("two columns");
        view.split('"').next().and_then(|height| height.parse().ok()).expect("a number")
    };
    assert_eq!(height(&several) - 50, 2 * (height(&one) - 50), "a row for each run, and one legend");
}

#[test]
fn a_picture_of_nothing_says_so() {
    let (run, _) = drawn(&plan(), &both());
    let picture = render(&[(&run).into()], Format::Svg);
    assert!(picture.contains("No picture: the records of the load are missing</text>"), "{picture}");
}

#[test]
fn outcomes_add_up_to_the_counts_of_the_summary() {
    for variant in [CONTROL, DRAINED] {
        let (series, summary) = (of(variant), summarise(&plan(), &cell(variant)));
        let total: u64 = Group::ALL.iter().map(|group| series.outcomes.total(*group)).sum();
        let dropped = Group::ALL.iter().filter(|group| group.is_dropped());
        let dropped: u64 = dropped.map(|group| series.outcomes.total(*group)).sum();
        assert_eq!((total, dropped), (summary.counts.scheduled, summary.counts.dropped));
        assert_eq!(series.drops.total, summary.counts.dropped);
        assert_eq!((series.outcomes.width, series.outcomes.bins.len()), (0.1, 200));
    }
}

#[test]
fn a_long_load_has_no_more_bins_than_can_be_seen() {
    let mut plan = plan();
    for variant in &mut plan.variants {
        variant.traffic.duration = Span::millis(600_000);
    }
    let series = series(&plan, &cell(CONTROL)).expect("the load began");
    assert_eq!((series.outcomes.width, series.outcomes.bins.len()), (1.0, 600));
    assert!(series.latency.windows.len() <= 100);
}

#[test]
fn bands_are_the_phases_of_each_backend() {
    let bands = of(DRAINED).bands;
    let states: Vec<BackendState> =
        bands.iter().filter(|band| band.backend == "web-1").map(|band| band.state).collect();
    assert_eq!(states, [BackendState::Draining, BackendState::Stopped, BackendState::Returning]);
    let drain = &bands[0];
    assert!((drain.from, drain.to) == (4.0, 4.105), "{drain:?}");
    assert!(of(CONTROL).bands.iter().all(|band| band.state != BackendState::Draining));
}

#[test]
fn what_the_balancers_view_says_is_a_band_of_its_own() {
    let mut records = cell(CONTROL);
    let words = || "DOWN".to_owned();
    let seen = [
        Event {
            at: ms(4200.0),
            what: Happening::SeenDown { backend: "web-1".into(), words: words(), before: ms(4100.0) },
        },
        Event {
            at: ms(4600.0),
            what: Happening::SeenUp { backend: "web-1".into(), words: words(), before: ms(4500.0) },
        },
        Event {
            at: ms(5000.0),
            what: Happening::SeenDown { backend: "web-2".into(), words: words(), before: ms(4900.0) },
        },
    ];
    records.history.extend(seen);
    let bands = series(&plan(), &records).expect("the load began").bands;
    let down: Vec<_> = bands.iter().filter(|band| band.state == BackendState::MarkedDown).collect();
    let told: Vec<_> = down.iter().map(|band| (band.backend.as_str(), band.from, band.to)).collect();
    assert_eq!(told, [("web-1", 4.2, 4.6), ("web-2", 5.0, 20.0)]);
}

#[test]
fn a_curve_ends_where_requests_failed() {
    let curve = of(CONTROL).curve;
    assert_eq!(curve.failed_from, Some(8000.0 / 39.0));
    assert!(curve.points.last().expect("it has points").0 < 8000.0 / 39.0);
    assert_eq!(of(DRAINED).curve.failed_from, None);
}

#[test]
fn each_dropped_request_is_listed_with_where_it_was_lost() {
    let (drops, summary) = (of(CONTROL).drops, summarise(&plan(), &cell(CONTROL)));
    assert_eq!(drops.listed.len(), 39);
    let first = &drops.listed[0];
    assert_eq!(first.source, summary.dropped[0].source);
    assert!((3.9..4.0).contains(&first.due), "{first:?}");
}
