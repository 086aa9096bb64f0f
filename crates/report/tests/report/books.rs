use model::identity::RequestId;
use model::records::CellRecords;
use report::fate::{Exception, Finding};
use report::summarise;
use report::validity::Trust;

use crate::build::*;

fn summary(tamper: impl FnOnce(&mut CellRecords)) -> report::CellSummary {
    let mut records = cell(CONTROL);
    tamper(&mut records);
    summarise(&plan(), &records)
}

fn findings(cell: &report::CellSummary) -> Vec<(Finding, u64, Vec<RequestId>)> {
    let unmatched = cell.books.unmatched.iter();
    unmatched.map(|u| (u.finding, u.count, u.ids.clone())).collect()
}

#[test]
fn the_books_of_an_honest_cell_balance() {
    let cell = summary(|_| {});
    assert_eq!(findings(&cell), []);
    assert!(cell.books.balance());
    assert_eq!(cell.validity.counts.reasons, Vec::<String>::new());
    assert_eq!(cell.books.exceptions[&Exception::KilledInService], cell.counts.dropped);
}

#[test]
fn a_removed_execution_invalidates_the_counts_and_is_named() {
    let cell = summary(|records| {
        records.executions.remove(100);
    });
    assert_eq!(findings(&cell)[0], (Finding::OkNotFinished, 1, vec![RequestId(100)]));
    assert_eq!(cell.validity.counts.verdict, Trust::Invalid);
    assert!(cell.validity.counts.reasons[0].contains("ids 100"), "{:?}", cell.validity.counts);
}

#[test]
fn a_removed_record_invalidates_the_counts_and_is_named() {
    let cell = summary(|records| {
        records.requests.remove(100);
    });
    assert_eq!(findings(&cell), [(Finding::NoRecord, 1, vec![RequestId(100)])]);
    assert_eq!(cell.validity.counts.verdict, Trust::Invalid);
}

#[test]
fn a_doubled_record_and_an_id_from_nowhere_invalidate_the_counts() {
    let doubled = summary(|records| records.requests.push(records.requests[5].clone()));
    assert_eq!(findings(&doubled), [(Finding::SeveralRecords, 1, vec![RequestId(5)])]);
    assert_eq!(doubled.counts.scheduled, 8000);
    assert_eq!(doubled.validity.counts.verdict, Trust::Invalid);
    let alien = execution(99_999, inc("web-1", 1), 1.0, Some(2.0));
    let alien = summary(|records| records.executions.push(alien));
    assert_eq!(findings(&alien), [(Finding::NeverScheduled, 1, vec![RequestId(99_999)])]);
    assert_eq!(alien.validity.counts.verdict, Trust::Invalid);
}

#[test]
fn a_lost_log_line_warns_and_does_not_invalidate_yet() {
    let cell = summary(|records| {
        records.access.remove(7);
    });
    assert_eq!(findings(&cell), [(Finding::NotLogged, 1, vec![RequestId(7)])]);
    assert_eq!(cell.validity.counts.verdict, Trust::Valid);
}

#[test]
fn only_the_first_twenty_ids_of_a_finding_are_listed() {
    let cell = summary(|records| {
        records.access.drain(0..50);
    });
    assert_eq!(cell.books.unmatched[0].count, 50);
    assert_eq!(cell.books.unmatched[0].ids.len(), 20);
}

#[test]
fn lines_without_an_id_are_counted_and_excluded() {
    let cell = summary(|records| {
        let mut probe = logged(0, 200, &["web-1"]);
        probe.id = None;
        records.access.push(probe);
    });
    assert_eq!(cell.books.exceptions[&Exception::NoId], 1);
    assert!(cell.books.balance());
}

#[test]
fn the_warm_up_is_reconciled_but_not_counted() {
    let cell = summary(|records| {
        for event in &mut records.history {
            if let model::history::Happening::Scheduled { origin, .. } = &mut event.what {
                *origin = ms(1000.0);
            }
        }
    });
    assert_eq!((cell.warmup.scheduled, cell.counts.scheduled), (400, 7600));
    assert_eq!(cell.books.recorded, 8000);
    assert!(cell.books.balance());
}

#[test]
fn a_history_that_claims_an_absurd_schedule_is_answered_at_once() {
    let cell = summarise(&plan(), &without_requests(CONTROL, u64::MAX));
    assert_eq!(cell.books.unmatched[0].count, u64::MAX);
    assert_eq!(cell.books.unmatched[0].ids.len(), 20);
}
