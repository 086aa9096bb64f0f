//! Users, where they were sent, and what backends remembered of them.

use super::tables::{names, struck_unless};
use crate::compose::table::{Cell, Column, Emphasis, Table};
use crate::judge::verdict::RunSummary;
use crate::numbers::{NONE, number};

/// One row per cell that has users; `None` if none has.
pub(super) fn users(run: &RunSummary) -> Option<Table> {
    let mut columns = Vec::from(Column::left(["balancer", "variant"]));
    columns.extend(Column::right([
        "users",
        "moved",
        "imbalance",
        "sessions",
        "kept",
        "lost",
        "updates lost",
        "store away",
    ]));
    let rows = run.cells.iter().filter_map(|cell| {
        let users = cell.users?;
        let mut figures = vec![
            Cell::plain(users.users.to_string()),
            Cell::plain(users.moved.to_string()),
            Cell::plain(cell.imbalance.map_or_else(|| NONE.to_owned(), number)),
        ];
        match users.sessions {
            Some(it) => {
                let lost = if it.lost > 0 { Emphasis::Bad } else { Emphasis::Good };
                let plain = |n: u64| Cell::plain(n.to_string());
                figures.extend([plain(it.named), plain(it.kept), Cell::with(lost, it.lost.to_string())]);
                figures.extend([plain(it.updates_lost), plain(it.store_away)]);
            }
            None => figures.extend((0..5).map(|_| Cell::plain(NONE))),
        }
        let usable = struck_unless(cell.is_usable());
        Some(names(run, cell).into_iter().chain(figures.into_iter().map(usable)).collect())
    });
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| Table {
        title: "Users and their sessions".to_owned(),
        columns,
        rows,
        notes: vec![
            "moved: users that more than one backend answered. Sessions: those that measured requests named or began; \
             lost: a backend no longer had it when its user came back. Updates lost: requests that got a counter which \
             another one of their session got as well, so that one of the two updates is gone. Store away: requests \
             answered 503 for that."
                .to_owned(),
        ],
    })
}
