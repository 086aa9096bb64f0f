//! The table of faults: what a balancer's configuration promises, and what was seen.

use std::collections::BTreeMap;

use model::detection::DetectionBound;
use model::units::Span;

use super::tables::struck_unless;
use crate::analysis::faults::{FaultRecord, Removal};
use crate::compose::table::{Cell, Column, Table};
use crate::figure::spread::spread_of;
use crate::judge::verdict::RunSummary;
use crate::measure::summary::CellSummary;
use crate::numbers::{millis, number};

/// A time that is later than any.
const NEVER: f64 = f64::INFINITY;

/// Faults and their detection, over all repeats; `None` if no cell has a fault.
pub(super) fn faults(run: &RunSummary) -> Option<Table> {
    let mut columns = Vec::from(Column::left(["balancer", "variant", "fault"]));
    columns.extend(Column::right([
        "bound",
        "seen down",
        "removed",
        "tried again",
        "harmed in flight",
        "harmed after",
        "slow",
        "first harm",
        "end of harm",
        "seen up",
        "serves again",
    ]));
    let (mut rows, mut notes) = (Vec::new(), general_notes(run));
    let mut cells = run.cells.iter().peekable();
    while let Some(first) = cells.next() {
        let mut repeats = vec![first];
        while let Some(cell) =
            cells.next_if(|cell| (cell.balancer, &cell.variant) == (first.balancer, &first.variant))
        {
            repeats.push(cell);
        }
        for same in alike(&repeats) {
            rows.extend(row(first, &repeats, &same));
            notes.extend(same.first().map(|fault| bound_note(first, fault)));
        }
    }
    notes.dedup();
    (!rows.is_empty()).then(|| Table { title: "Faults and their detection".to_owned(), columns, rows, notes })
}

/// The faults of `repeats`, those of one entry together: what begins at the same moment has no order, so that they are
/// told apart by what befell whom, and by which time.
fn alike<'a>(repeats: &[&'a CellSummary]) -> Vec<Vec<&'a FaultRecord>> {
    let mut found: BTreeMap<(&str, &str, usize), Vec<&FaultRecord>> = BTreeMap::new();
    for cell in repeats {
        for (place, fault) in cell.faults.iter().enumerate() {
            let same =
                |other: &&FaultRecord| (&other.backend, &other.fault) == (&fault.backend, &fault.fault);
            let before = cell.faults[..place].iter().filter(same).count();
            found.entry((&fault.backend, &fault.fault, before)).or_default().push(fault);
        }
    }
    found.into_values().collect()
}

fn row(cell: &CellSummary, repeats: &[&CellSummary], faults: &[&FaultRecord]) -> Option<Vec<Cell>> {
    let first = faults.first()?;
    let counts =
        |count: fn(&FaultRecord) -> u64| spread_of(faults.iter().map(|fault| count(fault) as f64), number);
    let times = |time: fn(&FaultRecord) -> Option<f64>| told(faults.iter().map(|fault| time(fault)));
    let figures = [
        bound(&first.bound),
        times(|fault| match (&fault.seen_down, fault.looked_every_ms) {
            (Some(seen), _) => Some(seen.ms),
            (None, Some(_)) => Some(NEVER),
            (None, None) => None,
        }),
        times(|fault| match fault.removal {
            Removal::After { ms, .. } => Some(ms),
            Removal::Never => Some(NEVER),
            Removal::TooShort => None,
        }),
        counts(|fault| match fault.removal {
            Removal::After { tried_again, .. } => tried_again,
            Removal::Never | Removal::TooShort => 0,
        }),
        counts(|fault| fault.harmed_in_flight),
        counts(|fault| fault.harmed_after),
        counts(|fault| fault.slow),
        times(|fault| fault.first_harm_ms),
        times(|fault| fault.end_of_harm_ms),
        times(|fault| fault.seen_up.as_ref().map(|seen| seen.ms)),
        times(|fault| match (fault.healed_ms, fault.serves_again_ms) {
            (_, Some(ms)) => Some(ms),
            (Some(_), None) => Some(NEVER),
            (None, None) => None,
        }),
    ];
    let usable = repeats.iter().all(|cell| cell.is_usable());
    let names = [
        cell.balancer.as_str().to_owned(),
        cell.variant.clone(),
        format!("{}: {}", first.backend, first.fault),
    ];
    let figures = figures.map(Cell::plain).map(struck_unless(usable));
    Some(names.map(Cell::plain).into_iter().chain(figures).collect())
}

/// What there is of the times of several faults, in milliseconds; what never came is later than any.
fn told(times: impl Iterator<Item = Option<f64>>) -> String {
    spread_of(times.flatten(), |ms| if ms.is_infinite() { "never".to_owned() } else { millis(ms) })
}

fn bound(bound: &DetectionBound) -> String {
    let show = |span: &Span| millis(span.as_millis());
    match bound {
        DetectionBound::Within { least, most, .. } => format!("{} to {}", show(least), show(most)),
        DetectionBound::None { .. } => "none".to_owned(),
    }
}

fn bound_note(cell: &CellSummary, fault: &FaultRecord) -> String {
    let why = match &fault.bound {
        DetectionBound::Within { why, .. } => format!("bound {why}"),
        DetectionBound::None { reason } => format!("no bound: {reason}"),
    };
    format!("{} {}, {}: {why}.", cell.balancer, cell.variant, fault.fault)
}

fn general_notes(run: &RunSummary) -> Vec<String> {
    let every = run.cells.iter().flat_map(|cell| &cell.faults).find_map(|fault| fault.looked_every_ms);
    let looked = every.map_or(String::new(), |ms| format!(", which is looked at every {}", millis(ms)));
    let spread = if run.repeats > 1 {
        " Of several repeats: the median, with the smallest and the largest; of two, both."
    } else {
        ""
    };
    vec![
        format!(
            "From the fault's own time; seen up and serves again from its healing. Seen down and up: the balancer's own \
             view{looked}. Removed: the start of the last attempt before 2 s or more without any, by log and ledger; \
             tried again: attempts after that, before the healing.{spread}"
        ),
        "Harmed: dropped requests that log or ledger blame on the backend. Slow: ended well while it lasted, and \
         slower than 99.9 % of those before it."
            .to_owned(),
    ]
}
