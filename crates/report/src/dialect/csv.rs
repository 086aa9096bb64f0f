//! The CSV dialect: a row per cell, plain numbers, times in milliseconds, nothing where there is no number.

use model::claim::Unit;
use model::component::Component;
use model::outcome::OutcomeKind;

use crate::figure::catalogue::{Figure, figures};
use crate::judge::verdict::RunSummary;
use crate::measure::summary::CellSummary;
use crate::numbers::words;

/// Lays out runs, all of them in the same columns.
pub(crate) fn render(runs: &[&RunSummary]) -> String {
    let cells = || runs.iter().flat_map(|run| &run.cells);
    let figures = figures(cells());
    let mut out = csv::Writer::from_writer(Vec::new());
    for (n, cell) in cells().enumerate() {
        let (names, values): (Vec<_>, Vec<_>) = fields(cell, &figures).into_iter().unzip();
        if n == 0 {
            out.write_record(names).expect(FITS);
        }
        out.write_record(values).expect(FITS);
    }
    String::from_utf8(out.into_inner().expect(FITS)).expect("every field is UTF-8")
}

const FITS: &str = "a vector takes every row, and each has the same fields";

/// What is known of the cell, then each figure by its name, then outcomes one by one and CPU times as they were read.
fn fields(cell: &CellSummary, figures: &[Figure]) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut add = |name: &str, value: String| fields.push((name.to_owned(), value));
    add("scenario", cell.scenario.clone());
    add("balancer", cell.balancer.to_string());
    add("balancer_version", cell.balancer_version.clone());
    add("variant", cell.variant.clone());
    add("repeat", cell.repeat.to_string());
    add("counts_validity", words(cell.validity.counts.verdict));
    add("latency_validity", words(cell.validity.latency.verdict));
    add("deploy_validity", cell.validity.deploy.as_ref().map_or(String::new(), |v| words(v.verdict)));
    add("cpu_validity", cell.cpu_trust().map_or(String::new(), words));
    add("books", cell.books.grade.name().to_owned());
    for figure in figures {
        let unit = if figure.metric.unit() == Unit::Span { "_ms" } else { "" };
        // What never came has no number.
        let value = figure.read(cell).filter(|value| value.is_finite());
        add(&format!("{}{unit}", figure.name()), value.map_or(String::new(), plain));
    }
    for kind in OutcomeKind::ALL.iter().copied() {
        add(&format!("outcome_{}", words(kind).replace(' ', "_")), cell.counts.of(kind).to_string());
    }
    let waiting = cell.waiting.as_ref();
    add("waited_for_connection", waiting.map_or(0, |waiting| waiting.requests).to_string());
    add("wait_p99_ms", waiting.map_or(String::new(), |waiting| plain(waiting.p99_ms)));
    let cpu = &cell.cpu;
    let seconds = [
        ("balancer_cpu_s", cpu.seconds(&Component::Balancer)),
        ("generator_cpu_s", cpu.generator_seconds()),
        ("backends_cpu_s", cpu.backends_seconds),
    ];
    for (name, seconds) in seconds {
        add(name, seconds.map_or(String::new(), plain));
    }
    fields
}

/// To a millionth, and without zeros that say nothing.
fn plain(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
