//! Users and sessions, from records that a cell would leave.

use model::history::{Event, Happening};
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::sessions::{SessionState, SessionUse};
use model::timeline::FaultKind;
use model::traffic::{Identity, Skew, Users};
use report::fate::SubCause;
use report::faults::TimeToEject;
use report::sessions::{SessionRecord, UserRecord};
use report::verdict::Holding;
use report::{CellSummary, Colour, Style, judge, summarise};

use crate::build::*;

const VARIANT: &str = "sticky";
const PLAIN: Style = Style { width: 120, colour: Colour::Never };

/// A variant without a deploy, whose load has users.
fn sticky_plan(claims: &[&str]) -> SavedPlan {
    let mut plan = plan();
    plan.variants.truncate(1);
    let variant = &mut plan.variants[0];
    variant.name = VARIANT.into();
    variant.timeline.clear();
    variant.traffic.users = Some(Users { count: 3, skew: Skew::None, identity: Identity::Cookie });
    plan.control.clear();
    plan.expect = claims.iter().map(|text| text.parse().expect("a claim")).collect();
    plan
}

/// What a backend said to a user: who, by which backend, of which session, what, seen before, and its counter.
type Said<'a> = (u32, usize, &'a str, SessionState, u64, Option<u64>);

/// One request for each thing said.
fn records(said: &[Said<'_>]) -> CellRecords {
    let mut records = without_requests(VARIANT, said.len() as u64);
    let of_deploy = |event: &Event| {
        !matches!(
            event.what,
            Happening::CellStarted { .. }
                | Happening::Balancer { .. }
                | Happening::Scheduled { .. }
                | Happening::LoadFinished { .. }
                | Happening::AccessLog { .. }
                | Happening::CellFinished
        )
    };
    records.history.retain(|event| !of_deploy(event));
    for (id, (user, backend, session, state, seen, count)) in (0..).zip(said) {
        let due = id as f64 * 100.0;
        let status = if *state == SessionState::Unavailable { 503 } else { 200 };
        let by = inc(BACKENDS[*backend], 1);
        let mut request = request(id, due, answered(status));
        request.served_by = Some(by.clone().into());
        request.user = Some(*user);
        request.session =
            Some(Box::new(SessionUse { id: (*session).into(), state: *state, seen: *seen, count: *count }));
        records.requests.push(request);
        records.executions.push(execution(id, by.clone(), due + 1.0, Some(due + 99.0)));
        records.access.push(logged(id, status, &[&by.backend]));
    }
    records
}

fn summary(said: &[Said<'_>], plan: &SavedPlan) -> CellSummary {
    summarise(plan, &records(said))
}

use SessionState::{Kept, Lost, New, Unavailable};

#[test]
fn a_session_is_lost_once_however_often_that_was_told() {
    let cell = summary(
        &[
            (0, 0, "a", Kept, 1, Some(2)),
            (0, 1, "a", Lost, 2, None),
            (0, 2, "a", Lost, 2, None),
            (0, 1, "b", Kept, 1, Some(2)),
            (1, 2, "c", Kept, 4, Some(5)),
            (1, 2, "c", Kept, 5, Some(5)),
            (2, 2, "d", New, 0, Some(1)),
        ],
        &sticky_plan(&[]),
    );
    assert!(cell.validity.counts.reasons.is_empty(), "{:?}", cell.validity);
    let sessions = SessionRecord { named: 4, kept: 2, lost: 1, updates_lost: 1, store_away: 0 };
    assert_eq!(cell.users, Some(UserRecord { users: 3, moved: 1, sessions: Some(sessions) }));
}

#[test]
fn claims_about_sessions_are_read_and_silence_is_no_zero() {
    let claims = ["sticky.sessions_lost == 1", "sticky.sessions_kept == 0", "sticky.users_moved == 0"];
    let plan = sticky_plan(&claims);
    let judged = |cell| judge(&plan, &environment(), vec![cell], vec![]);
    let told = judged(summary(&[(0, 0, "a", Lost, 2, None)], &plan));
    assert!(told.claims.iter().all(|claim| claim.holding == Holding::Held), "{:?}", told.claims);

    let mut silent = records(&[(0, 0, "a", Lost, 2, None)]);
    silent.requests[0].session = None;
    let silent = judged(summarise(&plan, &silent));
    assert!(matches!(&silent.claims[0].holding, Holding::Unproven(why) if why.contains("reported sessions")));
    assert_eq!(silent.claims[2].holding, Holding::Held);

    let mut without = plan.clone();
    without.variants[0].traffic.users = None;
    let without = summary(&[(0, 0, "a", Lost, 2, None)], &without);
    assert_eq!(without.users, None);
    let without = judged(without);
    assert!(without.claims.iter().all(|claim| matches!(claim.holding, Holding::Unproven(_))));
}

#[test]
fn what_a_store_that_is_away_costs_is_the_stores_and_no_backends() {
    let plan = sticky_plan(&["sticky.sessions_lost == 0"]);
    let mut records = records(&[
        (0, 0, "a", Kept, 1, Some(2)),
        (0, 1, "a", Unavailable, 2, None),
        (1, 2, "b", Unavailable, 2, None),
        (0, 1, "a", Kept, 2, Some(3)),
    ]);
    let faulted = Happening::Faulted { incarnation: inc("redis", 1), fault: FaultKind::Crash };
    let healed = Happening::Healed { incarnation: inc("redis", 2) };
    let at = records.history.iter().position(|e| matches!(e.what, Happening::LoadFinished { .. })).unwrap();
    records.history.insert(at, event(300.1, healed));
    records.history.insert(at, event(50.0, faulted));
    let cell = summarise(&plan, &records);
    assert!(cell.validity.counts.reasons.is_empty(), "{:?}", cell.validity);
    let [group] = cell.dropped.as_slice() else { panic!("{:?}", cell.dropped) };
    assert_eq!((group.source.backend.as_deref(), group.source.generation), (Some("redis"), None));
    assert_eq!((group.source.sub_cause, group.count), (SubCause::StoreAway, 2));
    let [fault] = cell.faults.as_slice() else { panic!("{:?}", cell.faults) };
    assert_eq!((fault.failed_requests(), fault.time_to_eject), (2, TimeToEject::TooShort));
    assert!(fault.time_to_restore_ms.is_some());
    assert_eq!(cell.users.unwrap().sessions.unwrap().store_away, 2);
}

#[test]
fn the_report_tells_of_users_and_of_their_sessions() {
    let plan = sticky_plan(&["sticky.sessions_lost == 0"]);
    let cell = summary(&[(0, 0, "a", Kept, 1, Some(2)), (1, 1, "b", Lost, 2, None)], &plan);
    let run = judge(&plan, &environment(), vec![cell], vec![]);
    let text = report::render(&run, report::Format::Markdown, PLAIN);
    assert!(text.contains("Users and their sessions"), "{text}");
    assert!(text.contains("1 of 2 sessions"), "{text}");
}
