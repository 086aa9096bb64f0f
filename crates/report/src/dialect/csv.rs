//! The CSV dialect: a row per cell, plain numbers, times in milliseconds, nothing where there is no number.

use model::outcome::OutcomeKind;

use crate::judge::verdict::RunSummary;
use crate::measure::summary::CellSummary;
use crate::numbers::words;

/// Lays out a run.
pub(crate) fn render(run: &RunSummary) -> String {
    let mut out = String::new();
    for (n, cell) in run.cells.iter().enumerate() {
        let (names, values): (Vec<_>, Vec<_>) = fields(cell).into_iter().unzip();
        if n == 0 {
            out.push_str(&line(&names));
        }
        out.push_str(&line(&values));
    }
    out
}

fn fields(cell: &CellSummary) -> Vec<(String, String)> {
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
    add("scheduled", cell.counts.scheduled.to_string());
    add("dropped", cell.counts.dropped.to_string());
    for kind in OutcomeKind::ALL {
        add(&words(kind).replace(' ', "_"), cell.counts.of(kind).to_string());
    }
    for status in [502, 503, 504] {
        let count = cell.answers.statuses.get(&status).copied().unwrap_or(0);
        add(&format!("status_{status}"), count.to_string());
    }
    let books = &cell.books;
    add("books", books.grade.name().to_owned());
    for (name, count) in [("masked", books.masked), ("duplicates", books.duplicates)] {
        // Nobody knows: that is no zero.
        add(name, if books.blind().is_some() { String::new() } else { count.to_string() });
    }
    let latency = &cell.latency_ms;
    let quantiles = [
        ("p50_ms", latency.p50),
        ("p90_ms", latency.p90),
        ("p99_ms", latency.p99),
        ("p999_ms", latency.p999),
        ("max_ms", latency.max),
    ];
    for (name, quantile) in quantiles {
        add(name, quantile.map_or(String::new(), |ms| format!("{ms:.3}")));
    }
    let waiting = cell.waiting.as_ref();
    add("waited_for_connection", waiting.map_or(0, |waiting| waiting.requests).to_string());
    add("wait_p99_ms", waiting.map_or(String::new(), |waiting| format!("{:.3}", waiting.p99_ms)));
    let deploy = cell.deploy.as_ref();
    add("replaced", deploy.map_or(String::new(), |d| d.replaced.to_string()));
    let longest = deploy.and_then(|d| d.longest_drain);
    add("longest_drain_ms", longest.map_or(String::new(), |d| format!("{:.3}", d.as_millis())));
    let expected = cell.routing.as_ref().filter(|routing| routing.expected.is_some());
    add("misrouted", expected.map_or(String::new(), |routing| routing.misrouted.to_string()));
    let cpu = &cell.cpu;
    let figures = [
        ("balancer_cpu_s", cpu.seconds("balancer")),
        ("balancer_cpu_us_per_request", cpu.balancer_us_per_request),
        ("generator_cpu_s", cpu.seconds("generator")),
        ("backends_cpu_s", cpu.backends_seconds),
    ];
    for (name, figure) in figures {
        add(name, figure.map_or(String::new(), |figure| format!("{figure:.3}")));
    }
    fields
}

fn line(fields: &[String]) -> String {
    let quoted: Vec<_> = fields.iter().map(|field| quote(field)).collect();
    quoted.join(",") + "\n"
}

fn quote(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
