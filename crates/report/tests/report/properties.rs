use model::outcome::{BodyCheck, Cause, NotSent, Outcome, OutcomeKind, Stage};
use proptest::prelude::*;
use report::latency::{LatencySummary, Level, Quantile};
use report::{CellSummary, summarise};

use crate::build::*;

fn outcome() -> impl Strategy<Value = Outcome> {
    let body = prop_oneof![Just(BodyCheck::Verified), Just(BodyCheck::Mismatch), Just(BodyCheck::Unstamped)];
    let stage = prop_oneof![
        Just(Stage::Connect),
        Just(Stage::Tls),
        Just(Stage::Send),
        Just(Stage::FirstByte),
        Just(Stage::Head),
        Just(Stage::Body)
    ];
    let cause = prop_oneof![
        Just(Cause::Refused),
        Just(Cause::Reset),
        Just(Cause::Eof),
        Just(Cause::Timeout),
        Just(Cause::Protocol),
        (1..200).prop_map(Cause::Errno)
    ];
    let not_sent = prop_oneof![
        Just(NotSent::Backlog),
        (1..200).prop_map(NotSent::LocalResource),
        Just(NotSent::Stall),
        Just(NotSent::Cancelled)
    ];
    prop_oneof![
        (200_u16..600, body).prop_map(|(status, body)| Outcome::Answered { status, body, expected: None }),
        (stage, cause).prop_map(|(stage, cause)| Outcome::Failed { stage, cause }),
        not_sent.prop_map(Outcome::NotSent),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn counts_sum_to_what_was_scheduled_whatever_the_outcomes(
        outcomes in prop::collection::vec(outcome(), 0..200)
    ) {
        let mut records = without_requests(CONTROL, outcomes.len() as u64);
        for (id, outcome) in outcomes.iter().enumerate() {
            records.requests.push(request(id as u64, id as f64 * 2.5, *outcome));
        }
        let summary = summarise(&plan(), &records);
        let counts = &summary.counts;
        prop_assert_eq!(counts.scheduled, outcomes.len() as u64);
        prop_assert_eq!(counts.of_any(OutcomeKind::ALL), counts.scheduled);
        let not_dropped = [OutcomeKind::Ok, OutcomeKind::GeneratorFault, OutcomeKind::Cancelled];
        prop_assert_eq!(counts.dropped + counts.of_any(&not_dropped), counts.scheduled);
        let attributed: u64 = summary.dropped.iter().map(|group| group.count).sum();
        prop_assert_eq!(attributed, counts.dropped);
    }

    #[test]
    fn percentiles_never_fall_and_failures_are_the_slowest(
        times in prop::collection::vec(1_u32..5000, 1..300), failures in 0_u64..50
    ) {
        let ok = times.iter().enumerate().map(|(id, time)| {
            let mut request = request(id as u64, 0.0, answered(200));
            request.end = ms(f64::from(*time));
            request
        });
        let requests: Vec<_> = ok.chain((0..failures).map(|id| request(id, 0.0, answered(502)))).collect();
        let latency = LatencySummary::of(&requests, 5000.0);
        let told = Quantile::ALL.iter().copied().filter_map(|quantile| match latency.level(quantile) {
            Level::Ms(ms) => Some(ms),
            Level::Failed => Some(f64::INFINITY),
            Level::TooFew => None,
        });
        prop_assert!(told.is_sorted());
        prop_assert_eq!(latency.max.is_none(), failures > 0);
        prop_assert_eq!(latency.failed, failures);
    }
}

#[test]
fn percentiles_are_those_of_the_nearest_rank() {
    let requests: Vec<_> = (1..=5000)
        .map(|n| {
            let mut request = request(n, 0.0, answered(200));
            request.end = ms(n as f64);
            request
        })
        .collect();
    let latency = LatencySummary::of(&requests, 5000.0);
    assert_eq!(latency.p50, Some(2500.0));
    assert_eq!(latency.p99, Some(4950.0));
    assert_eq!(latency.p999, Some(4995.0));
    assert_eq!(latency.max, Some(5000.0));
    assert_eq!(LatencySummary::of(&requests[1..], 5000.0).p999, None, "four are slower");
}

#[test]
fn a_summary_reads_back_what_it_wrote() {
    let summary = summarise(&plan(), &cell(CONTROL));
    let text = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<CellSummary>(&text).unwrap(), summary);
}

#[test]
fn every_event_of_a_history_reads_back_what_it_wrote() {
    for variant in [CONTROL, DRAINED] {
        for event in cell(variant).history {
            let line = serde_json::to_string(&event).unwrap();
            let read: model::history::Event = serde_json::from_str(&line).unwrap();
            assert_eq!(read, event, "{line}");
        }
    }
}
