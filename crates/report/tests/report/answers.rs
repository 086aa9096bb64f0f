//! What clients got beside the balancer's words, in figures, claims and reports.

use model::access_log::Reason;
use model::history::Happening;
use model::plan::SavedPlan;
use model::records::CellRecords;
use report::fate::SubCause;
use report::verdict::Holding;
use report::{Colour, Format, Style, judge, render, summarise};

use crate::build::*;

/// Of the drained cell, the first `n` requests are answered `status` by the balancer, whose log says `sign`.
fn answered_by_the_balancer(n: usize, status: u16, sign: &str, reason: Reason) -> CellRecords {
    let mut records = cell(DRAINED);
    for id in 0..n {
        records.requests[id].outcome = answered(status);
        records.requests[id].served_by = None;
        records.access[id] = logged(id as u64, status, &[]);
        records.access[id].flags = sign.into();
        records.access[id].signs = vec![sign.to_owned()].into();
        records.access[id].reason = Some(reason);
    }
    records.executions.drain(..n);
    for event in &mut records.history {
        if let Happening::AccessLog { meanings, notices, .. } = &mut event.what {
            meanings.insert(sign.to_owned(), "every server was ejected".to_owned());
            notices.insert("web-1: upstream server temporarily disabled".to_owned(), 2);
        }
    }
    records
}

#[test]
fn what_the_balancer_says_of_a_request_that_reached_nobody_is_its_sub_cause() {
    let records = answered_by_the_balancer(30, 502, "no live upstreams", Reason::NoLiveBackend);
    let cell = summarise(&plan(), &records);
    assert!(cell.validity.counts.is_usable(), "{:?}", cell.validity.counts);
    let [group] = cell.dropped.as_slice() else { panic!("{:?}", cell.dropped) };
    assert_eq!((group.count, group.source.sub_cause), (30, SubCause::Told(Reason::NoLiveBackend)));
    assert_eq!((group.source.who().as_str(), group.seen_as().as_str()), ("the balancer itself", "502"));
    let json = serde_json::to_value(&cell.dropped).unwrap();
    assert_eq!(json[0]["sub_cause"], "no_live_backend");
    assert_eq!(serde_json::from_value::<SubCause>("no_live_backend".into()).unwrap(), group.source.sub_cause);
    assert_eq!(serde_json::from_value::<SubCause>("not_executed".into()).unwrap(), SubCause::NotExecuted);
}

#[test]
fn claims_tell_statuses_and_flags_apart() {
    let claims = [
        "with-drain.status[502] == 30",
        "with-drain.status[504] == 0",
        "with-drain.flag[no live upstreams] == 30",
    ];
    let records = answered_by_the_balancer(30, 502, "no live upstreams", Reason::NoLiveBackend);
    let mut held = plan();
    held.control = vec![];
    held.expect = claims.map(|claim| claim.parse().unwrap()).into();
    let plan: SavedPlan = held;
    let run = judge(&plan, &environment(), vec![summarise(&plan, &records)], vec![]);
    for claim in run.claims.iter().filter(|claim| !claim.text.ends_with("== 0")) {
        assert_eq!(claim.holding, Holding::Held, "{claim:?}");
    }
    assert!(run.claims[1].observed.starts_with("0 of 8000"), "{:?}", run.claims[1]);
}

#[test]
fn a_report_has_each_pair_of_status_and_word_with_its_meaning() {
    let records = answered_by_the_balancer(30, 502, "no live upstreams", Reason::NoLiveBackend);
    let run = judge(&plan(), &environment(), vec![summarise(&plan(), &records)], vec![]);
    let text = render(&run, Format::Markdown, Style { width: 120, colour: Colour::Never });
    for part in
        ["502 no live upstreams", "every server was ejected", "2 × web-1: upstream server temporarily"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn losses_are_parted_by_class_connection_place_and_idle_time() {
    let mut records = answered_by_the_balancer(30, 502, "no live upstreams", Reason::NoLiveBackend);
    for (id, request) in records.requests.iter_mut().enumerate() {
        request.class = if id < 20 { "post".into() } else { "get".into() };
        let on = request.on.as_mut().unwrap();
        (on.nth, on.idle) = match id {
            0..10 => (1, 0),
            10..20 => (10, 5_000_000),
            20..25 => (11, 50_000_000),
            _ => (101, 20_000_000_000),
        };
    }
    records.requests[29].on = None;
    let strata = summarise(&plan(), &records).strata;
    let of = |parts: &[report::strata::Stratum]| {
        parts.iter().map(|part| (part.name.clone(), part.scheduled, part.dropped)).collect::<Vec<_>>()
    };
    let part = |name: &str, scheduled, dropped| (name.to_owned(), scheduled, dropped);
    assert_eq!(of(&strata.classes), [part("get", 7980, 10), part("post", 20, 20)]);
    assert_eq!(
        of(&strata.connection),
        [part("new connection", 10, 10), part("reused connection", 7989, 19), part("no connection", 1, 1)]
    );
    assert_eq!(
        of(&strata.nth),
        [
            part("1st on its connection", 10, 10),
            part("2nd to 10th", 10, 10),
            part("11th to 100th", 5, 5),
            part("after the 100th", 7974, 4)
        ]
    );
    assert_eq!(
        of(&strata.idle),
        [part("idle up to 10 ms", 10, 10), part("idle 10–100 ms", 5, 5), part("idle over 10 s", 7974, 4)]
    );
}
