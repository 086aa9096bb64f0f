//! What each backend got, and what it had in hand.

use super::Detail;
use super::tables::{names, struck_unless};
use crate::compose::table::{Cell, Column, Table};
use crate::judge::verdict::RunSummary;
use crate::measure::backend_load::{BackendLoad, InHand};
use crate::numbers::{NONE, number};

/// One row per backend; `None` if there is no sample. The brief report has it where requests were seen to wait.
pub(super) fn backends(run: &RunSummary, detail: Detail) -> Option<Table> {
    let mut seen =
        run.cells.iter().flat_map(|cell| cell.load.values()).filter_map(|load| load.in_hand).peekable();
    seen.peek()?;
    if detail == Detail::Brief && seen.all(|in_hand| in_hand.queue_max == 0) {
        return None;
    }
    let mut columns = Vec::from(Column::left(["balancer", "variant", "backend"]));
    columns.extend(Column::right([
        "received",
        "queue mean",
        "queue max",
        "in flight mean",
        "in flight max",
        "by the balancer",
        "samples",
        "imbalance",
    ]));
    let rows = run.cells.iter().flat_map(|cell| {
        let usable = struck_unless(cell.is_usable());
        let mut imbalance = cell.imbalance;
        let row = move |(backend, load): (&String, &BackendLoad)| {
            // It is the whole cell's: told once.
            let imbalance = imbalance.take().map_or(String::new(), number);
            let figures = figures(load).into_iter().chain([imbalance]).map(Cell::plain).map(&usable);
            names(run, cell).into_iter().chain([Cell::plain(backend.clone())]).chain(figures).collect()
        };
        cell.load.iter().map(row).collect::<Vec<Vec<Cell>>>()
    });
    Some(Table {
        title: "Requests, queue and in-flight count of each backend".to_owned(),
        columns,
        rows: rows.collect(),
        notes: vec![format!(
            "received: measured requests, by {}. Queue and in flight (which includes the queue): by \
             samples of the backend's own count, 10 a second; a maximum is what samples saw. By the balancer: its own \
             mean count in flight, twice a second. Imbalance: requests of the busiest backend over the mean of its pool.",
            if run.cells.iter().any(|cell| cell.books.own_services) {
                "the balancer's log"
            } else {
                "the backend's ledger"
            }
        )],
    })
}

fn figures(load: &BackendLoad) -> [String; 7] {
    let received = load.received.to_string();
    let Some(in_hand) = load.in_hand else {
        let none = || NONE.to_owned();
        return [received, none(), none(), none(), none(), none(), "0".to_owned()];
    };
    let InHand { samples, missing, .. } = in_hand;
    [
        received,
        number(in_hand.queue_mean),
        in_hand.queue_max.to_string(),
        number(in_hand.in_flight_mean),
        in_hand.in_flight_max.to_string(),
        in_hand.balancer_in_flight_mean.map_or_else(|| NONE.to_owned(), number),
        if missing == 0 { samples.to_string() } else { format!("{samples} ({missing} missing)") },
    ]
}
