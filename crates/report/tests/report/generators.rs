//! A load that several generators sent: each is judged alone, and the report says which one it was.

use model::history::Happening;
use model::job::GeneratorReport;
use model::outcome::{NotSent, Outcome};
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::request::Request;
use model::units::Nanos;
use report::latency::Quantile;
use report::validity::Trust;
use report::{CellSummary, summarise};

use crate::build::*;

/// The plan with so many generators.
fn planned(generators: u32) -> SavedPlan {
    let mut plan = plan();
    plan.variants.iter_mut().for_each(|variant| variant.traffic.generators = generators);
    plan
}

/// The control's cell, changed, as one that so many generators sent.
fn cell_of(generators: u32, tamper: impl FnOnce(&mut CellRecords)) -> CellSummary {
    let mut records = cell(CONTROL);
    tamper(&mut records);
    summarise(&planned(generators), &records)
}

/// The first `n` requests of the second of two generators, whose ids are odd.
fn of_the_second(records: &mut CellRecords, n: usize) -> impl Iterator<Item = &mut Request> {
    records.requests.iter_mut().filter(|request| request.id.0 % 2 == 1).take(n)
}

fn late(records: &mut CellRecords, n: usize, ms: i64) {
    for request in of_the_second(records, n) {
        request.released = Nanos(request.due.0 + ms * 1_000_000);
    }
}

#[test]
fn the_latest_generator_counts_and_is_named() {
    // 60 of 8000 requests are not 1 %, and of the 4000 of one generator they are.
    let (alone, second) =
        (cell_of(1, |records| late(records, 60, 40)), cell_of(2, |records| late(records, 60, 40)));
    let p99 = |summary: &CellSummary| summary.validity.percentile(Quantile::P99).clone();
    assert_eq!(p99(&alone).verdict, Trust::Valid);
    assert_eq!(p99(&second).verdict, Trust::Invalid);
    assert!(
        p99(&second).reasons[0].starts_with("generator 2 was up to 41 ms late at p99"),
        "{:?}",
        p99(&second)
    );
    assert_eq!((alone.lateness.generators.len(), second.lateness.generators.len()), (0, 2));
    let [first, latest] = [0, 1].map(|n| second.lateness.generators[n].ms[&Quantile::P99]);
    assert!(first < 1.0 && latest >= 40.0, "{:?}", second.lateness);
    assert_eq!(second.lateness.generator_ms[&Quantile::P99], latest);
    let waits: Vec<f64> = second.generator.parts.iter().map(|part| part.late_wake_p99_ms).collect();
    assert!(waits[0] < 1.0 && waits[1] == 40.0, "{waits:?}");
}

#[test]
fn a_generator_that_stood_still_made_only_its_own_requests_wait() {
    let summary = |generators| {
        cell_of(generators, |records| {
            // From 1000 to 1080 ms: what was due then, and what came back then and was read afterwards.
            for request in of_the_second(records, usize::MAX) {
                if ms(1000.0) <= request.due && request.due < ms(1080.0) {
                    request.released = ms(1080.0);
                }
                if ms(1000.0) <= request.end && request.end < ms(1080.0) {
                    request.end = ms(1081.0);
                }
            }
        })
    };
    let of = summary(2).lateness.generators;
    assert!(of[0].ms[&Quantile::Max] < 1.0, "what the other one read late is none of its lateness: {of:?}");
    assert!(of[1].ms[&Quantile::Max] > 70.0, "{of:?}");
}

#[test]
fn the_requests_of_one_that_began_late_do_not_get_lost_among_the_others() {
    // The baseline has 1600 requests; 12 are less than 1 % of them, and more than 1 % of 800.
    let counts = |generators| cell_of(generators, |records| late(records, 12, 101)).validity.counts;
    assert_eq!(counts(1).verdict, Trust::Valid);
    let second = counts(2);
    assert_eq!(second.verdict, Trust::Degraded);
    assert!(second.reasons[0].contains("of the requests of generator 2 were begun"), "{second:?}");
}

#[test]
fn its_own_faults_are_a_part_of_its_own_requests() {
    let counts = |generators| {
        let faults = |records: &mut CellRecords| {
            let mut ids = Vec::new();
            for request in of_the_second(records, 6) {
                (request.outcome, request.served_by) = (Outcome::NotSent(NotSent::Stall), None);
                ids.push(request.id);
            }
            records.executions.retain(|it| !ids.contains(&it.id));
            records.access.retain(|it| it.id.is_none_or(|id| !ids.contains(&id)));
        };
        cell_of(generators, faults).validity.counts
    };
    assert_eq!(counts(1).verdict, Trust::Degraded, "6 of 8000");
    let second = counts(2);
    assert_eq!(second.verdict, Trust::Invalid, "6 of 4000");
    assert!(second.reasons[0].ends_with("(generator 2: 6)"), "{second:?}");
}

#[test]
fn the_busiest_generator_counts_and_each_is_reported() {
    let summary = cell_of(2, |records| {
        for event in &mut records.history {
            if let Happening::LoadFinished { generator } = &mut event.what {
                let part = |share| GeneratorReport {
                    recorded: 4_000,
                    busiest_second: Some(share),
                    ..generator.clone()
                };
                *generator = GeneratorReport::total(vec![part(0.3), part(0.97)]);
            }
        }
    });
    assert_eq!(summary.validity.latency.verdict, Trust::Invalid);
    assert_eq!(
        summary.validity.latency.reasons,
        ["generator 2 used 97 % of a processor in its busiest second"]
    );
    assert_eq!((summary.generator.busiest_second, summary.generator.connections), (Some(0.97), 240));
    let parts: Vec<_> = summary.generator.parts.iter().map(|it| (it.recorded, it.busiest_second)).collect();
    assert_eq!(parts, [(Some(4_000), Some(0.3)), (Some(4_000), Some(0.97))]);
}

#[test]
fn what_is_missing_of_one_is_found_out() {
    let summary = cell_of(2, |records| records.requests.retain(|request| request.id.0 % 2 == 0));
    assert_eq!(summary.validity.counts.verdict, Trust::Invalid);
    let reasons = summary.validity.counts.reasons.concat();
    assert!(reasons.contains("4000 × "), "{reasons}");
}

#[test]
fn a_plan_that_says_any_number_of_generators_is_read_all_the_same() {
    for generators in [0, 17, u32::MAX] {
        assert!(cell_of(generators, |_| {}).counts.scheduled > 0, "{generators}");
    }
}

#[test]
fn cpu_time_of_generators_is_that_of_all_or_of_none() {
    let cpu = |missing: bool| {
        let mut records = crate::cpu::measured();
        let read = |at, n, seconds| {
            event(at, Happening::CpuRead { component: part(n), seconds, source: "its own".into() })
        };
        records.history.retain(|it| {
            !matches!(&it.what, Happening::CpuRead { component, .. } | Happening::Launched { component, .. } if component.is_generator())
        });
        for n in ["generator_1", "generator_2"] {
            records.history.insert(0, event(-900.0, Happening::Launched { component: part(n), pid: 9 }));
            records.history.push(read(-2.0, n, 0.5));
        }
        records.history.push(read(20_098.0, "generator_1", 2.0));
        if !missing {
            records.history.push(read(20_098.0, "generator_2", 2.5));
        }
        summarise(&planned(2), &records).cpu.generator_seconds()
    };
    assert_eq!((cpu(false), cpu(true)), (Some(3.5), None));
}
