use model::access_log::{LogGap, Logged, Reason};
use model::history::Happening;
use model::identity::RequestId;
use model::ledger::Execution;
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::topology::Retries;
use report::books::{AccessLog, Grade};
use report::fate::{Exception, Finding};
use report::validity::Trust;
use report::verdict::Holding;
use report::{judge, summarise};

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
fn a_log_line_that_is_missing_doubled_or_of_another_status_invalidates_the_counts_and_is_named() {
    let missing = summary(|records| records.access.retain(|line| line.id != Some(RequestId(7))));
    let doubled = summary(|records| records.access.push(records.access[7].clone()));
    let other = summary(|records| records.access[7].status = 404);
    let nameless = summary(|records| records.access[7].id = None);
    for (cell, finding) in [
        (missing, Finding::NotLogged),
        (doubled, Finding::LoggedSeveralTimes),
        (other, Finding::StatusDiffers),
        (nameless, Finding::NotLogged),
    ] {
        assert_eq!(findings(&cell), [(finding, 1, vec![RequestId(7)])]);
        assert_eq!(cell.validity.counts.verdict, Trust::Invalid);
        assert!(!cell.books.balance());
    }
}

/// The gaps of the log, as its adapter and what was read of it tell them.
fn log_with(records: &mut CellRecords, told: Happening) {
    let log = records.history.iter_mut().find(|e| matches!(e.what, Happening::AccessLog { .. }));
    log.expect("a log was read").what = told;
}

#[test]
fn a_log_without_any_ids_makes_two_way_books_and_one_that_lacks_some_is_invalid() {
    let without = |gaps: Vec<LogGap>| {
        summary(|records| {
            records.access.iter_mut().for_each(|line| line.id = None);
            log_with(records, access_log_with(true, gaps));
        })
    };
    for (gap, log) in
        [(LogGap::WithoutIds, AccessLog::WithoutIds), (LogGap::PerConnection, AccessLog::PerConnection)]
    {
        let cell = without(vec![gap]);
        assert_eq!((cell.books.access_log, cell.books.grade), (log, Grade::TwoWay));
        assert_eq!(findings(&cell), []);
        assert_eq!(cell.books.exceptions.get(&Exception::LogLost), None, "it never had their lines");
        assert_eq!(cell.validity.counts.verdict, Trust::Valid);
    }
    // The history does not say that the log had none: its ids were removed.
    let stripped = without(vec![]);
    assert_eq!(findings(&stripped)[0].0, Finding::NotLogged);
    assert_eq!((stripped.books.grade, stripped.validity.counts.verdict), (Grade::Full, Trust::Invalid));
}

#[test]
fn a_line_that_could_not_be_read_excuses_no_id() {
    let cell = summary(|records| {
        records.access.remove(7);
        let mut told = access_log(true);
        if let Happening::AccessLog { unreadable, .. } = &mut told {
            *unreadable = 1;
        }
        log_with(records, told);
    });
    assert_eq!(findings(&cell), [(Finding::NotLogged, 1, vec![RequestId(7)])]);
}

#[test]
fn as_many_lines_may_be_missing_as_the_balancer_says_it_could_not_write() {
    let of = |missing: usize, lost: u64| {
        summary(|records| {
            records.access.drain(7..7 + missing);
            let mut told = access_log(true);
            if let Happening::AccessLog { unwritten, .. } = &mut told {
                *unwritten = lost;
            }
            log_with(records, told);
        })
    };
    let excused = of(2, 2);
    assert_eq!((findings(&excused), excused.books.exceptions[&Exception::LogLost]), (vec![], 2));
    assert_eq!(excused.validity.counts.verdict, Trust::Valid);
    assert_eq!(
        findings(&of(3, 2)),
        [(Finding::NotLogged, 3, vec![RequestId(7), RequestId(8), RequestId(9)])]
    );
}

#[test]
fn a_line_that_could_not_be_written_may_have_told_of_a_retry() {
    let masked = |retries: Retries| {
        let mut plan = plan();
        plan.variants.iter_mut().for_each(|variant| variant.topology.retries = retries.clone());
        let mut records = cell(CONTROL);
        records.access.drain(7..9);
        let mut told = access_log(true);
        if let Happening::AccessLog { unwritten, .. } = &mut told {
            *unwritten = 2;
        }
        log_with(&mut records, told);
        let books = summarise(&plan, &records).books;
        (books.masked, books.masked_unknown())
    };
    let unknown = "the balancer could not write its lines about 2 requests".to_owned();
    assert_eq!(masked(Retries::Off), (0, None));
    assert_eq!(masked(Retries::Default), (0, Some(unknown)));
}

#[test]
fn the_log_of_a_balancer_that_was_killed_may_lack_lines_and_makes_two_way_books() {
    let cell = summary(|records| {
        records.access.truncate(100);
        log_with(records, access_log(false));
    });
    assert_eq!((cell.books.grade, findings(&cell)), (Grade::TwoWay, vec![]));
    assert_eq!(cell.books.exceptions[&Exception::LogLost], 7900);
}

#[test]
fn what_two_way_books_cannot_know_is_no_zero() {
    let claims = ["without-drain.masked == 0", "without-drain.duplicates == 0"];
    let plan = SavedPlan { control: vec![], expect: claims.map(|c| c.parse().unwrap()).into(), ..plan() };
    let run = |gap: Option<LogGap>| {
        let mut records = cell(CONTROL);
        log_with(&mut records, access_log_with(true, gap.into_iter().collect()));
        judge(&plan, &environment(), vec![summarise(&plan, &records)], vec![])
    };
    for claim in run(Some(LogGap::PerConnection)).claims {
        let Holding::Unproven(reason) = claim.holding else { panic!("{claim:?}") };
        assert!(reason.starts_with("two-way books: at layer 4"), "{reason}");
    }
    for claim in run(None).claims {
        let blind = matches!(&claim.holding, Holding::Unproven(reason) if reason.contains("books"));
        assert!(!blind, "{claim:?}");
    }
}

#[test]
fn a_log_that_counts_no_attempts_leaves_it_to_the_plan_and_one_that_tells_of_a_withheld_response_explains_it()
{
    let twice = |gaps: &[LogGap]| {
        let mut plan = plan();
        plan.variants.iter_mut().for_each(|variant| variant.topology.retries = Retries::of(2));
        let mut records = cell(CONTROL);
        let first = records.executions[7].clone();
        records.executions.push(Execution { by: inc("web-9", 1).into(), ..first });
        declare(&mut records, gaps);
        findings(&summarise(&plan, &records))
    };
    assert_eq!(twice(&[]), [(Finding::ReceivedSeveralTimes, 1, vec![RequestId(7)])]);
    assert_eq!(twice(&[LogGap::RetriesUntold]), []);
    let withheld = |reason: Option<Reason>| {
        let mut records = cell(CONTROL);
        let request = records.requests.iter_mut().find(|it| it.id == RequestId(7)).expect("it was sent");
        (request.outcome, request.served_by) = (answered(500), None);
        records.access[7] = Logged { reason, ..logged(7, 500, &[&records.executions[7].by.backend]) };
        findings(&summarise(&plan(), &records))
    };
    assert_eq!(withheld(None), [(Finding::FinishedButLost, 1, vec![RequestId(7)])]);
    assert_eq!(withheld(Some(Reason::ResponseWithheld)), []);
}

fn declare(records: &mut CellRecords, declared: &[LogGap]) {
    for event in &mut records.history {
        if let Happening::AccessLog { gaps, .. } = &mut event.what {
            gaps.extend_from_slice(declared);
        }
    }
}

/// A request that web-2 executed as well, to which the log admits as `attempts` say.
fn executed_twice(retries: &Retries, attempts: &[&str]) -> report::CellSummary {
    let mut plan = plan();
    plan.variants.iter_mut().for_each(|variant| variant.topology.retries.clone_from(retries));
    let mut records = cell(CONTROL);
    let first = records.executions[7].clone();
    records.executions.push(Execution { by: inc("web-9", 1).into(), ..first });
    records.access[7] = logged(7, 200, attempts);
    summarise(&plan, &records)
}

#[test]
fn a_duplicate_is_explained_by_a_retry_that_is_allowed_and_that_the_log_admits_to() {
    let (tried, served) = ("web-9", cell(CONTROL).executions[7].by.backend.clone());
    let both = [tried, served.as_str()];
    let retried = executed_twice(&Retries::of(2), &both);
    assert_eq!((findings(&retried), retried.books.duplicates, retried.books.masked), (vec![], 1, 1));
    for (retries, attempts, finding) in [
        (Retries::of(2), &both[1..], Finding::ReceivedSeveralTimes),
        (Retries::Off, &both[1..], Finding::ReceivedSeveralTimes),
        (Retries::Off, &both[..], Finding::RetriedThoughOff),
    ] {
        let cell = executed_twice(&retries, attempts);
        assert_eq!(findings(&cell), [(finding, 1, vec![RequestId(7)])]);
        assert_eq!(cell.validity.counts.verdict, Trust::Invalid);
    }
}

#[test]
fn only_the_first_twenty_ids_of_a_finding_are_listed() {
    let cell = summary(|records| {
        records.access.drain(0..50);
    });
    let many = &cell.books.unmatched[0];
    assert_eq!((many.count, many.ids.len()), (50, 20));
    assert!(many.words().contains("19, …"), "{}", many.words());
    let all = summary(|records| drop(records.access.drain(0..20)));
    assert!(!all.books.unmatched[0].words().contains('…'), "{}", all.books.unmatched[0].words());
}

#[test]
fn a_schedule_is_in_order_if_no_request_is_due_before_an_earlier_one_or_answered_before_it_is_due() {
    let moved = |due: f64, end: f64| {
        let cell = summary(|records| {
            // Request 10 is due at 25 ms.
            let request = &mut records.requests[11];
            (request.due, request.end) = (ms(due), ms(end));
        });
        findings(&cell)
    };
    assert_eq!(moved(25.0, 125.0), []);
    assert_eq!(moved(25.0, 25.0), []);
    let out_of_order = [(Finding::OutOfOrder, 1, vec![RequestId(11)])];
    assert_eq!(moved(24.9, 125.0), out_of_order);
    assert_eq!(moved(25.0, 24.9), out_of_order);
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
            if let Happening::Scheduled { origin, .. } = &mut event.what {
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
