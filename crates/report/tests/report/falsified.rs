//! Records that were changed after the fact. Whatever one book is made to say, the others contradict it.

use model::access_log::Reason;
use model::identity::RequestId;
use model::outcome::{BodyCheck, Cause, NotSent, Outcome, OutcomeKind, Stage};
use model::records::CellRecords;
use proptest::prelude::*;
use report::books::Grade;
use report::fate::Finding;
use report::validity::Trust;
use report::{CellSummary, summarise};

use crate::build::*;

/// One change of one record.
#[derive(Clone, Debug)]
enum Change {
    RemoveRecord,
    DoubleRecord,
    Outcome(Outcome),
    Stamp(&'static str),
    RemoveExecution,
    DoubleExecution,
    MoveExecution(&'static str),
    Unfinish,
    RemoveLine,
    DoubleLine,
    Status(u16),
    Anonymous,
    Attempt(&'static str),
    Renumber(u64),
    Reason(Reason),
    Late(i64),
}

fn change() -> impl Strategy<Value = Change> {
    let stages = [Stage::Connect, Stage::Tls, Stage::Send, Stage::FirstByte, Stage::Head, Stage::Body];
    let causes = [Cause::Refused, Cause::Reset, Cause::Eof, Cause::Timeout, Cause::Protocol];
    let failed = (prop::sample::select(stages.to_vec()), prop::sample::select(causes.to_vec()))
        .prop_map(|(stage, cause)| Outcome::Failed { stage, cause });
    let bodies = [BodyCheck::Verified, BodyCheck::Unstamped];
    let answered = (200_u16..600, prop::sample::select(bodies.to_vec()))
        .prop_map(|(status, body)| Outcome::Answered { status, body, expected: None });
    let outcome = prop_oneof![failed, answered, Just(Outcome::NotSent(NotSent::Backlog))];
    let backend = || prop::sample::select(BACKENDS.to_vec());
    let reasons =
        [Reason::ClientAbort, Reason::NoLiveBackend, Reason::GatewayTimeout, Reason::ConnectRefused];
    prop_oneof![
        Just(Change::RemoveRecord),
        Just(Change::DoubleRecord),
        outcome.prop_map(Change::Outcome),
        backend().prop_map(Change::Stamp),
        Just(Change::RemoveExecution),
        Just(Change::DoubleExecution),
        backend().prop_map(Change::MoveExecution),
        Just(Change::Unfinish),
        Just(Change::RemoveLine),
        Just(Change::DoubleLine),
        (200_u16..600).prop_map(Change::Status),
        Just(Change::Anonymous),
        backend().prop_map(Change::Attempt),
        (0..8000_u64).prop_map(Change::Renumber),
        prop::sample::select(reasons.to_vec()).prop_map(Change::Reason),
        (0..90_000_i64).prop_map(Change::Late),
    ]
}

/// Changes the records of the request at `at`; the hand-built cell has one of each in that place.
fn falsify(records: &mut CellRecords, at: usize, change: &Change) {
    match change {
        Change::RemoveRecord => drop(records.requests.remove(at)),
        Change::DoubleRecord => records.requests.push(records.requests[at].clone()),
        Change::Outcome(outcome) => records.requests[at].outcome = *outcome,
        Change::Stamp(backend) => records.requests[at].served_by = Some(inc(backend, 1).into()),
        Change::Late(us) => records.requests[at].released.0 += us * 1000,
        Change::RemoveExecution => drop(records.executions.remove(at)),
        Change::DoubleExecution => records.executions.push(records.executions[at].clone()),
        Change::MoveExecution(backend) => records.executions[at].by = inc(backend, 1).into(),
        Change::Unfinish => records.executions[at].finished = None,
        Change::RemoveLine => drop(records.access.remove(at)),
        Change::DoubleLine => records.access.push(records.access[at].clone()),
        Change::Status(status) => records.access[at].status = *status,
        Change::Anonymous => records.access[at].id = None,
        Change::Attempt(backend) => {
            let attempt = logged(0, 200, &[backend]).attempts;
            retell(&mut records.access[at], |attempts| attempts.extend_from_slice(&attempt));
        }
        Change::Renumber(id) => records.access[at].id = Some(RequestId(*id)),
        Change::Reason(reason) => records.access[at].reason = Some(*reason),
    }
}

/// Everything that a report counts, and what it calls its grade.
fn counted(cell: &CellSummary) -> (Vec<u64>, u64, u64, Grade) {
    let kinds = OutcomeKind::ALL.iter().map(|kind| cell.counts.of(*kind)).collect::<Vec<_>>();
    (kinds, cell.books.duplicates, cell.books.masked, cell.books.grade)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// In the baseline nothing dies that could excuse a thing.
    #[test]
    fn no_change_that_changes_a_count_passes_as_valid(at in 0_usize..1400, change in change()) {
        let mut records = cell(DRAINED);
        let plan = plan();
        falsify(&mut records, at, &change);
        let falsified = summarise(&plan, &records);
        let counts = [Trust::Valid, Trust::Degraded].contains(&falsified.validity.counts.verdict);
        let honest = (all_well(), 0, 0, Grade::Full);
        prop_assert!(!counts || counted(&falsified) == honest, "{:?}", falsified.books);
    }
}

/// 8000 requests that ended well.
fn all_well() -> Vec<u64> {
    OutcomeKind::ALL.iter().map(|kind| if *kind == OutcomeKind::Ok { 8000 } else { 0 }).collect()
}

#[test]
fn a_timeout_before_its_time_and_a_stamp_without_a_head_are_found_out() {
    for (outcome, finding) in [
        (failed(Stage::Body, Cause::Timeout), Finding::TimedOutEarly),
        (failed(Stage::FirstByte, Cause::Reset), Finding::StampedWithoutHead),
    ] {
        let mut records = cell(DRAINED);
        records.requests[7].outcome = outcome;
        let cell = summarise(&plan(), &records);
        assert!(cell.books.unmatched.iter().any(|u| u.finding == finding), "{:?}", cell.books.unmatched);
        assert_eq!(cell.validity.counts.verdict, Trust::Invalid);
    }
}
