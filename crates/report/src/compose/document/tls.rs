//! What TLS cost: handshakes, and the CPU time of balancer and backends for each request and each handshake.

use model::tls::Handshakes;

use super::tables::{names, struck_unless};
use crate::compose::table::{Cell, Column, Table};
use crate::judge::handshakes::HandshakeCost;
use crate::judge::verdict::RunSummary;
use crate::measure::summary::CellSummary;
use crate::numbers::{NONE, micros};

/// A row for each cell of a run in which one speaks TLS.
pub(super) fn tls(run: &RunSummary) -> Option<Table> {
    let mut columns = Vec::from(Column::left(["balancer", "variant", "TLS ends"]));
    columns.extend(Column::right([
        "full",
        "resumed",
        "failed",
        "at backends",
        "balancer, per request",
        "backends, per request",
        "balancer, a handshake",
        "backends, a handshake",
    ]));
    let row = |cell: &CellSummary| {
        let ends = cell.tls.map_or("nowhere", |tls| match tls.ends.at_balancer() {
            true if tls.ends.at_backends() => "balancer, and again at backends",
            true => "balancer",
            false => "backends",
        });
        let count = |n: Option<u64>| n.map_or_else(|| NONE.to_owned(), |n| n.to_string());
        let both = |handshakes: Handshakes| format!("{} + {}", handshakes.full, handshakes.resumed);
        let counts = [
            count(cell.tls.map(|tls| tls.handshakes.full)),
            count(cell.tls.map(|tls| tls.handshakes.resumed)),
            count(cell.tls.map(|tls| tls.failed)),
            cell.tls.and_then(|tls| tls.at_backends).map_or_else(|| NONE.to_owned(), both),
        ];
        let counts = counts.map(Cell::plain).map(struck_unless(cell.is_usable()));
        let cost = cost_of(run, cell);
        let time = |us: Option<f64>| us.map_or_else(|| NONE.to_owned(), micros);
        let more = |us: Option<f64>| {
            us.map_or_else(
                || NONE.to_owned(),
                |us| format!("{}{}", if us < 0.0 { "−" } else { "+" }, micros(us.abs())),
            )
        };
        let times = [
            time(cell.cpu.balancer_us_per_request),
            time(cell.cpu.backends_us_per_request),
            more(cost.and_then(|cost| cost.balancer_us)),
            more(cost.and_then(|cost| cost.backends_us)),
        ];
        let trusted = [&Some(cell.validity.counts.clone()), &cell.validity.cpu];
        let usable = trusted.iter().copied().flatten().all(|validity| validity.is_usable());
        let times = times.map(Cell::plain).map(struck_unless(usable));
        names(run, cell).into_iter().chain([Cell::plain(ends)]).chain(counts).chain(times).collect()
    };
    run.cells.iter().any(|cell| cell.tls.is_some()).then(|| Table {
        title: "TLS".to_owned(),
        columns,
        rows: run.cells.iter().map(row).collect(),
        notes: notes(run),
    })
}

fn cost_of<'r>(run: &'r RunSummary, cell: &CellSummary) -> Option<&'r HandshakeCost> {
    let is = |cost: &&HandshakeCost| {
        (cost.balancer, cost.repeat, &cost.variant) == (cell.balancer, cell.repeat, &cell.variant)
    };
    run.handshakes.iter().find(is)
}

fn notes(run: &RunSummary) -> Vec<String> {
    let mut beside: Vec<_> = run.handshakes.iter().map(|cost| cost.beside.as_str()).collect();
    beside.sort_unstable();
    beside.dedup();
    let mut notes = vec![
        "full, resumed: handshakes that measured requests waited for, as the client recorded them; at backends: full + \
         resumed between their first and last sample, the balancer's probes included. CPU time is user and system time; \
         that of the backends is rig's own (rustls), all of them together."
            .to_owned(),
    ];
    if !beside.is_empty() {
        notes.push(format!(
            "A handshake: CPU time for a request less that in {}, which differs in nothing but TLS, over the handshakes \
             for a request; not told where fewer than half of the requests needed one.",
            beside.join(", ")
        ));
    }
    notes
}
