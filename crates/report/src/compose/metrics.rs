//! The page about every metric, from the same rows that everything else goes through.

use model::claim::{Better, Kind, Metric, RestsOn, Unit};

use crate::compose::document::Line;
use crate::compose::page::{Page, PageSection, Part};
use crate::judge::compare::figures::LEFT_OUT;

/// The page.
pub fn page() -> Page {
    let opening = "Every figure that a claim can read. All of them are in every format: a claim and a `reading` call a \
                   figure by its name (`with-drain.dropped`), and a part of it by its facet (`with-drain.share[web-1]`). \
                   Every figure rests on the counts, and on what was planned for the cell having happened.";
    Page {
        title: "Metrics".to_owned(),
        opening: vec![Part::Text(opening.to_owned()), Part::Lines(formats())],
        sections: Kind::ALL.iter().copied().map(section).collect(),
    }
}

/// Where and how the formats have them.
fn formats() -> Vec<Line> {
    let left_out = LEFT_OUT.map(|(metric, why)| format!("`{metric}` ({why})")).join(", ");
    let lines = [
        "JSON: under `figures`, by name. Times are in milliseconds; `null` is infinite, because what is timed never came. \
         Figures that can't be trusted are named beside them"
            .to_owned(),
        "CSV: a column per figure, times with the suffix `_ms`; empty if there is no number".to_owned(),
        "OpenMetrics: a gauge per metric, `rig_` and its name, times in seconds with the suffix `_seconds`, shares with \
         `_ratio`, facets as a label. Figures that can't be trusted are absent"
            .to_owned(),
        "SVG: `rig report RUN --format svg --figure 'p99'` draws one of every cell, `'share[*]'` each of its parts, and \
         `'detection[web-1] against bound[web-1]'` one beside another; `figure` of a scenario has the same form, and its \
         picture leads the page"
            .to_owned(),
        "Terminal, Markdown, HTML: in the tables of the report; what has no place in one of them is in the last, \
         `Further figures`"
            .to_owned(),
        format!("`rig compare`: a row per figure, without {left_out}"),
    ];
    lines.map(Line::plain).into()
}

fn section(kind: Kind) -> PageSection {
    let metrics = Metric::ALL.iter().filter(|metric| metric.kind() == kind);
    let lines = metrics.map(|metric| Line::plain(line(*metric))).collect();
    PageSection { title: kind.title().to_owned(), parts: vec![Part::Lines(lines)] }
}

/// What it is, in what, and how it is judged.
fn line(metric: Metric) -> String {
    let name = match (metric.facet(), metric.without_facet()) {
        (None, _) => format!("`{metric}`"),
        (Some(facet), None) => format!("`{metric}[{facet}]`"),
        (Some(facet), Some(greatest)) => format!("`{metric}[{facet}]`, or `{metric}` {greatest}"),
    };
    let unit = match metric.unit() {
        Unit::Count => "count",
        Unit::Number => "number",
        Unit::Span => "time",
        Unit::Share => "share",
    };
    let whole = metric.whole().map_or(String::new(), |whole| format!(" of the {whole}"));
    let better = match metric.better() {
        Better::Lower => ", lower is better",
        Better::Higher => ", higher is better",
        Better::Neither => "",
    };
    let rests_on = match metric.rests_on() {
        RestsOn::Counts | RestsOn::Pace => "",
        RestsOn::Percentile => ", trusted if this percentile is",
        RestsOn::CpuTime => ", trusted if CPU time is",
    };
    format!("{name}: {} (A {unit}{whole}{better}{rests_on}.)", metric.what())
}
