//! The machine's part: whose a timeout is, which percentile can be trusted, what others used, and what ran out. Both
//! sides of each threshold.

use model::history::{Event, Happening};
use model::outcome::{Cause, NotSent, Outcome, OutcomeKind, Stage};
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::request::Request;
use model::timeline::FaultKind;
use model::units::{Nanos, Span};
use report::latency::Quantile;
use report::validity::Trust;
use report::verdict::Holding;
use report::{CellSummary, Verdict, judge, summarise};

use crate::build::*;

/// A client that waits for one second: 1 % of it is 10 ms.
fn impatient() -> SavedPlan {
    let mut plan = plan();
    plan.variants.iter_mut().for_each(|variant| variant.traffic.timeout = Span::millis(1000));
    plan
}

/// Request 100, due at 250 ms, runs out of time: taken up `late` ms late, and finished by its backend at `finished`.
fn timed_out(records: &mut CellRecords, late: f64, finished: Option<f64>) {
    let request = &mut records.requests[100];
    request.outcome = failed(Stage::FirstByte, Cause::Timeout);
    (request.served_by, request.first_byte) = (None, None);
    (request.released, request.end) = (ms(250.0 + late), ms(1250.0));
    records.executions[100].finished = finished.map(ms);
    records.access[100].status = 499;
}

/// How request 100 counts: as the generator's fault, as a timeout.
fn charged(tamper: impl FnOnce(&mut CellRecords)) -> (u64, u64) {
    let mut records = cell(DRAINED);
    tamper(&mut records);
    let summary = summarise(&impatient(), &records);
    assert_eq!(summary.books.unmatched, [], "it is explained, whoever's fault it is");
    (summary.counts.of(OutcomeKind::GeneratorFault), summary.counts.of(OutcomeKind::Timeout))
}

const GENERATOR: (u64, u64) = (1, 0);
const BALANCER: (u64, u64) = (0, 1);

#[test]
fn a_timeout_that_lacked_a_part_of_its_time_is_the_generators() {
    assert_eq!(charged(|records| timed_out(records, 10.0, None)), BALANCER);
    assert_eq!(charged(|records| timed_out(records, 10.1, None)), GENERATOR);
}

#[test]
fn lateness_at_waking_up_is_told_by_its_median_and_its_99th_percentile_and_is_never_negative() {
    let woken = |late: f64| Request { released: ms(late), ..request(0, 0.0, answered(200)) };
    let told = |late: &[f64]| {
        let requests: Vec<_> = late.iter().map(|late| woken(*late)).collect();
        report::validity::late_wake(&requests.iter().collect::<Vec<_>>())
    };
    let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
    assert_eq!(told(&hundred), (50.0, 99.0));
    assert_eq!(told(&[-3.0]), (0.0, 0.0));
    assert_eq!(told(&[]), (0.0, 0.0));
}

#[test]
fn a_timeout_that_would_have_come_with_all_its_time_is_not() {
    let late_answer = |finished| charged(|records| timed_out(records, 500.0, Some(finished)));
    assert_eq!(late_answer(1750.0), GENERATOR, "in time, counted from its release");
    assert_eq!(late_answer(1750.1), BALANCER);
    let frozen = |records: &mut CellRecords| {
        timed_out(records, 500.0, None);
        let incarnation = (*records.executions[100].by).clone();
        let fault = Happening::Faulted { incarnation, fault: FaultKind::Freeze };
        records.history.insert(3, event(300.0, fault));
    };
    assert_eq!(charged(frozen), BALANCER, "its backend was frozen: no patience would have helped");
}

#[test]
fn a_response_that_is_just_missed_is_the_generators_however_little_it_lacked() {
    assert_eq!(charged(|records| timed_out(records, 3.0, Some(1252.9))), GENERATOR);
    assert_eq!(charged(|records| timed_out(records, 3.0, Some(1253.1))), BALANCER);
}

#[test]
fn what_is_read_long_after_its_time_ran_out_may_have_been_in_time() {
    let read_at = |end: f64| charged(|records| records.requests[100].end = ms(end));
    assert_eq!(read_at(1260.0), (0, 0));
    assert_eq!(read_at(1260.1), GENERATOR);
}

#[test]
fn what_found_no_connection_because_it_came_late_is_the_generators() {
    let unsent = |late: f64| {
        let mut records = cell(DRAINED);
        records.requests[100].outcome = Outcome::NotSent(NotSent::Backlog);
        records.requests[100].released = ms(250.0 + late);
        let summary = summarise(&impatient(), &records);
        [OutcomeKind::NotSentBacklog, OutcomeKind::GeneratorFault].map(|kind| summary.counts.of(kind))
    };
    assert_eq!(unsent(10.0), [1, 0]);
    assert_eq!(unsent(10.1), [0, 1]);
}

fn zero(records: &CellRecords) -> (Holding, Verdict) {
    let plan = impatient();
    let cells = [&cell(CONTROL), records].map(|records| summarise(&plan, records));
    let run = judge(&plan, &environment(), cells.into(), vec![]);
    let claim =
        run.claims.iter().find(|claim| claim.text == "with-drain.dropped == 0").expect("it is judged");
    (claim.holding.clone(), run.verdict)
}

fn stood(component: &str, from: f64, to: f64) -> Event {
    let component = part(component);
    event(20_250.0, Happening::Stood { component, from: ms(from), to: ms(to) })
}

#[test]
fn a_timeout_beside_a_backend_that_stood_still_is_nobodys() {
    let with = |length: f64| {
        let mut records = cell(DRAINED);
        timed_out(&mut records, 0.0, None);
        let by = records.executions[100].by.to_string();
        records.history.push(stood(&by, 300.0, 300.0 + length));
        zero(&records)
    };
    assert_eq!(with(99.0), (Holding::Failed, Verdict::Failed), "less than a tenth of its time");
    let (holding, verdict) = with(100.0);
    assert!(matches!(holding, Holding::Unproven(reason) if reason.contains("no proven cause")));
    assert_eq!(verdict, Verdict::Invalid);
}

#[test]
fn an_error_that_the_balancer_logged_fails_the_claim_however_late_everything_was() {
    let mut records = cell(DRAINED);
    records.requests.iter_mut().for_each(|request| request.released = request.due + Span::millis(400).0);
    records.requests[100].outcome = answered(503);
    records.requests[100].served_by = None;
    records.access[100] = logged(100, 503, &[]);
    records.executions.remove(100);
    let summary = summarise(&impatient(), &records);
    assert_eq!((summary.validity.counts.verdict, summary.books.balance()), (Trust::Invalid, true));
    assert_eq!(zero(&records).0, Holding::Failed);
}

#[test]
fn what_the_machine_ran_out_of_is_quoted_and_no_drop_is_the_balancers() {
    let mut records = cell(DRAINED);
    for id in 100..200 {
        records.requests[id].outcome = answered(502);
        records.requests[id].served_by = None;
        records.access[id] = logged(id as u64, 502, &[]);
    }
    records.executions.drain(100..200);
    assert_eq!(zero(&records).0, Holding::Failed);
    let line = "[crit] 7#7: accept4() failed (24: Too many open files)".to_owned();
    let shortage = Happening::Shortage { component: part("balancer"), line: line.clone(), lines: 3 };
    records.history.push(event(20_250.0, shortage));
    let (holding, verdict) = zero(&records);
    let told = "the balancer ran out of something (3 lines of its log): ".to_owned() + &line;
    assert_eq!((holding, verdict), (Holding::Unproven(told), Verdict::Invalid));
}

#[test]
fn a_summary_reads_back_as_it_was_where_requests_were_never_sent() {
    let mut records = cell(DRAINED);
    for request in &mut records.requests[100..400] {
        request.outcome = Outcome::NotSent(NotSent::LocalResource(24));
    }
    let summary = summarise(&plan(), &records);
    assert!(summary.lateness.generator_ms.values().any(|ms| ms.is_infinite()));
    let text = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<CellSummary>(&text).unwrap(), summary);
}

#[test]
fn a_generator_without_descriptors_names_what_it_lacked_and_nothing_is_failed() {
    let mut records = cell(DRAINED);
    for id in 100..120 {
        records.requests[id].outcome = Outcome::NotSent(NotSent::LocalResource(24));
        records.requests[id].served_by = None;
    }
    records.requests[120].outcome = answered(503);
    records.requests[120].served_by = None;
    records.access[120] = logged(120, 503, &[]);
    records.executions.drain(100..121);
    records.access.drain(100..120);
    let (holding, verdict) = zero(&records);
    let Holding::Unproven(reason) = holding else { panic!("{holding:?}") };
    assert!(reason.contains("ran out of open files") && reason.contains("ulimit -n"), "{reason}");
    assert_eq!(verdict, Verdict::Invalid);
}

#[test]
fn what_the_generator_lacked_is_named_with_its_number_and_what_to_do() {
    let lacked = |errno: i32, times: usize| {
        let request = request(0, 0.0, Outcome::NotSent(NotSent::LocalResource(errno)));
        let shortages = report::validity::shortages(&[], &vec![&request; times], 1);
        let [shortage] = shortages.as_slice() else { panic!("{shortages:?}") };
        assert!(shortage.contains(&format!("for {times} requests (errno {errno})")), "{shortage}");
        shortage.clone()
    };
    for (errnos, what) in [
        (&[24][..], "ulimit -n"),
        (&[23], "fs.file-max"),
        (&[99, 98, 11], "ip_local_port_range"),
        (&[105, 12], "memory for sockets"),
        (&[7], "a limit of this machine"),
    ] {
        for errno in errnos {
            assert!(lacked(*errno, 3).contains(what), "{errno}");
        }
    }
}

#[test]
fn only_the_faults_of_the_generator_that_there_were_are_told() {
    let summary = percentiles(|records| {
        for id in 0..9 {
            records.requests[id].outcome = Outcome::NotSent(NotSent::Stall);
            records.requests[id].served_by = None;
        }
        records.executions.drain(..9);
        records.access.drain(..9);
    });
    let told = "9 requests failed through the generator's own fault: 9 were due while it stood still";
    assert_eq!(summary.validity.counts.reasons[0], told);
}

fn percentiles(tamper: impl FnOnce(&mut CellRecords)) -> CellSummary {
    let mut records = cell(DRAINED);
    tamper(&mut records);
    summarise(&plan(), &records)
}

fn trust(summary: &CellSummary) -> [Trust; 5] {
    let quantiles = [Quantile::P50, Quantile::P90, Quantile::P99, Quantile::P999, Quantile::Max];
    quantiles.map(|quantile| summary.validity.percentile(quantile).verdict)
}

fn late(requests: &mut [Request], late: f64) {
    requests.iter_mut().for_each(|request| request.released = Nanos(request.due.0 + (late * 1e6) as i64));
}

use Trust::{Degraded, Invalid, Valid};

#[test]
fn each_percentile_is_judged_by_the_lateness_at_it() {
    // Eight of 8000 requests lie beyond p99.9.
    let of = |n: usize| trust(&percentiles(|records| late(&mut records.requests[..n], 90.0)));
    assert_eq!(of(8), [Valid, Valid, Valid, Valid, Invalid]);
    let slowest = percentiles(|records| late(&mut records.requests[..8], 90.0));
    assert_eq!(slowest.validity.latency.verdict, Valid, "the slowest is judged alone");
    assert_eq!(of(9), [Valid, Valid, Valid, Invalid, Invalid]);
    assert_eq!(of(81), [Valid, Valid, Invalid, Invalid, Invalid]);
}

#[test]
fn the_allowance_does_not_grow_with_a_queue_of_ones_own_making() {
    let of = |ms: f64| {
        let slow = |records: &mut CellRecords| {
            late(&mut records.requests, ms);
            for (request, execution) in records.requests.iter_mut().zip(&mut records.executions) {
                request.end = request.due + Span::millis(4000).0;
                execution.finished = Some(request.end);
            }
        };
        percentiles(slow).validity.percentile(Quantile::P50).verdict
    };
    assert_eq!([25.0, 25.1, 100.0, 100.1].map(of), [Valid, Degraded, Degraded, Invalid]);
}

#[test]
fn backends_that_take_longer_than_was_drawn_are_late_as_well() {
    // Every request took 100 ms: 5 % and 20 % of it.
    let of = |late: f64| {
        let slow = |records: &mut CellRecords| {
            records.executions.iter_mut().for_each(|e| e.late = Some((late * 1e6) as i64));
        };
        percentiles(slow).validity.percentile(Quantile::P50).verdict
    };
    assert_eq!([5.0, 5.1, 20.0, 20.1].map(of), [Valid, Degraded, Degraded, Invalid]);
    assert_eq!(percentiles(|_| {}).lateness.backends_ms.len(), 0, "who says nothing is not judged");
}

#[test]
fn a_backend_that_stood_still_is_named_with_its_time() {
    let stopped = |records: &mut CellRecords| {
        records.executions.iter_mut().for_each(|e| e.late = Some(0));
        records.history.push(stood("web-1/1", 1000.0, 1400.0));
        // What was sent meanwhile is received when it runs again.
        for (request, execution) in records.requests.iter_mut().zip(&mut records.executions) {
            let sent = request.sent.unwrap();
            if execution.by == inc("web-1", 1) && ms(1000.0) <= sent && sent < ms(1400.0) {
                execution.received = ms(1400.0);
                execution.finished = Some(ms(1498.0));
                request.end = ms(1499.0);
            }
        }
    };
    let summary = percentiles(stopped);
    // 53 of 8000 requests: more than are beyond p99.9, and fewer than are beyond p99.
    assert_eq!(trust(&summary), [Valid, Valid, Valid, Invalid, Invalid]);
    let reason = &summary.validity.percentile(Quantile::P999).reasons[0];
    assert!(reason.ends_with("(web-1/1 stood still for 400 ms at 1 s)"), "{reason}");
    let meant = percentiles(|records| {
        stopped(records);
        let incarnation = inc("web-1", 1);
        let fault = Happening::Faulted { incarnation: incarnation.clone(), fault: FaultKind::Freeze };
        records.history.insert(3, event(990.0, fault));
        records.history.insert(4, event(1410.0, Happening::Healed { incarnation }));
    });
    assert_eq!(meant.lateness.standstill, None, "the scenario stopped it");
}

#[test]
fn a_response_that_waits_for_a_stopped_generator_is_read_late() {
    let summary = percentiles(|records| {
        // The generator stands from 1000 to 1080 ms: what is due then, and what comes back then.
        for request in &mut records.requests {
            if ms(1000.0) <= request.due && request.due < ms(1080.0) {
                request.released = ms(1080.0);
            }
            if ms(1000.0) <= request.end && request.end < ms(1080.0) {
                request.end = ms(1081.0);
            }
        }
    });
    // 32 were taken up late, and as many read late.
    assert_eq!(trust(&summary), [Valid, Valid, Valid, Invalid, Invalid]);
    let late = summary.lateness.generator_ms[&Quantile::P99];
    assert!(late < 5.0, "{late}");
}

#[test]
fn a_generator_near_the_most_that_a_processor_does_lowers_every_percentile() {
    let of = |share: f64| {
        let summary = percentiles(|records| {
            for event in &mut records.history {
                if let Happening::LoadFinished { generator } = &mut event.what {
                    generator.busiest_second = Some(share);
                }
            }
        });
        // One reason, though it lowers each of them.
        assert_eq!(summary.validity.latency.reasons.len(), usize::from(share > 0.8));
        trust(&summary)
    };
    assert_eq!(of(0.8), [Valid; 5]);
    assert_eq!(of(0.81), [Degraded; 5]);
    assert_eq!(of(0.95), [Degraded; 5]);
    assert_eq!(of(0.96), [Invalid; 5]);
}

#[test]
fn what_others_use_of_the_processors_is_measured_and_bears_on_latency_and_cpu_times() {
    // Over 20 s, two processors have 40 s. The components used 1 + 1.5 + 3 × (0.25 + 0.5) = 4.75 s of what was worked.
    let of = |foreign: f64| {
        let mut records = crate::cpu::measured();
        // 0.4 s of it were stolen, which is no idle time.
        let idle = |at: f64, idle: f64| {
            let (seconds, stolen) = (100.0 + at / 500.0, 7.0 + at * 0.4 / 20_000.0);
            event(at, Happening::MachineRead { seconds, stolen, idle: Some(idle) })
        };
        records.history.push(idle(5.0, 50.0));
        records.history.push(idle(20_005.0, 50.0 + 40.0 - 0.4 - 4.75 - foreign * 40.0));
        let summary = summarise(&plan(), &records);
        let measured = summary.cpu.foreign.unwrap();
        assert!((measured - foreign).abs() < 1e-9, "{measured}");
        let reasons = &summary.validity.percentile(Quantile::P50).reasons;
        assert_eq!(reasons.iter().any(|why| why.starts_with("other processes used")), foreign > 0.1);
        let cpu = summary.validity.cpu.clone().unwrap().verdict;
        (summary.validity.percentile(Quantile::P50).verdict, cpu)
    };
    assert_eq!(of(0.099), (Valid, Valid));
    assert_eq!(of(0.101), (Degraded, Degraded));
    assert_eq!(of(0.299), (Degraded, Degraded));
    assert_eq!(of(0.301), (Degraded, Invalid));
    assert_eq!(of(0.599), (Degraded, Invalid));
    assert_eq!(of(0.601), (Invalid, Invalid));
}
