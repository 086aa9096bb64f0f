//! What the machine may have decided: no claim fails, or holds, by it.

use model::history::Happening;
use model::outcome::{Cause, Stage};
use model::plan::SavedPlan;
use model::topology::HealthCheck;
use model::units::{Nanos, Span};
use report::latency::Quantile;
use report::validity::Validity;
use report::verdict::Holding;
use report::{CellSummary, Verdict, judge, summarise};

use crate::build::*;

fn claiming(claim: &str) -> SavedPlan {
    SavedPlan { expect: vec![claim.parse().expect("a claim")], ..plan() }
}

/// What becomes of `claim` in the last repeat, if the summary of each cell is `tamper`ed with.
fn judged(plan: &SavedPlan, tamper: impl Fn(&mut CellSummary)) -> Holding {
    let summaries = [CONTROL, DRAINED].map(|variant| summarise(plan, &cell(variant)));
    let repeated = (1..=plan.repeats)
        .flat_map(|repeat| summaries.iter().map(move |summary| CellSummary { repeat, ..summary.clone() }));
    let mut cells: Vec<_> = repeated.collect();
    cells.iter_mut().for_each(tamper);
    judge(plan, &environment(), cells, vec![]).claims.pop().expect("a claim").holding
}

fn reason(holding: Holding) -> String {
    match holding {
        Holding::Unproven(reason) => reason,
        other => panic!("{other:?}"),
    }
}

/// Makes the backends of every cell so late at p99, where the shortest limit is 400 ms.
fn backends(late: f64) -> impl Fn(&mut CellSummary) {
    move |cell| {
        cell.lateness.backends_ms.insert(Quantile::P99, late);
        cell.lateness.limit_ms = 400.0;
    }
}

#[test]
fn what_backends_did_not_do_in_time_because_they_waited_for_the_machine_fails_no_claim() {
    for claim in ["with-drain.replaced == 2", "with-drain.dropped > 0", "with-drain.imbalance > 5"] {
        let plan = claiming(claim);
        assert_eq!(judged(&plan, backends(39.9)), Holding::Failed, "less than a tenth of the limit");
        let told = reason(judged(&plan, backends(40.0)));
        assert!(told.ends_with("which decides whether a time limit of 400 ms is kept"), "{told}");
    }
    let kept = claiming("with-drain.replaced == 3");
    assert_eq!(judged(&kept, backends(300.0)), Holding::Held, "in spite of it");
    // No machine makes a schedule shorter.
    assert_eq!(judged(&claiming("with-drain.scheduled == 7"), backends(300.0)), Holding::Failed);
}

#[test]
fn a_late_generator_shows_that_all_had_to_wait_where_others_had_the_processors() {
    let generator = |late: f64, foreign: f64| {
        move |cell: &mut CellSummary| {
            cell.lateness.generator_ms.insert(Quantile::P99, late);
            cell.lateness.limit_ms = 400.0;
            cell.cpu.foreign = Some(foreign);
        }
    };
    let plan = claiming("with-drain.replaced == 2");
    assert_eq!(judged(&plan, generator(39.9, 0.9)), Holding::Failed, "less than a tenth of the limit");
    assert_eq!(judged(&plan, generator(40.0, 0.6)), Holding::Failed, "the generator's own fault");
    let told = reason(judged(&plan, generator(40.0, 0.61)));
    assert!(told.starts_with("the machine let the generator of with-drain wait for up to 40 ms"), "{told}");
    let told = reason(judged(&plan, generator(f64::INFINITY, 0.61)));
    assert!(told.contains(" wait for too long at p99, "), "{told}");
}

#[test]
fn a_time_is_judged_with_and_without_what_the_machine_may_have_added_to_it() {
    // The longest drain took 98 ms.
    let summary = summarise(&plan(), &cell(DRAINED));
    let drain =
        summary.deploy.as_ref().and_then(|deploy| deploy.longest_drain).expect("it drained").as_millis();
    for comparison in ["<", ">"] {
        let plan = claiming(&format!("with-drain.longest_drain {comparison} {}ms", drain - 9.0));
        let clear = if comparison == "<" { Holding::Failed } else { Holding::Held };
        assert_eq!(judged(&plan, backends(8.0)), clear);
        let told = reason(judged(&plan, backends(9.5)));
        assert_eq!(told, "the machine may have added up to 9.5 ms to these times, and that decides");
    }
    // As much in both.
    let itself = claiming("with-drain.longest_drain < 0.95 × with-drain.longest_drain");
    assert_eq!(judged(&itself, |_| {}), Holding::Failed);
    reason(judged(&itself, backends(9.5)));
}

#[test]
fn a_percentile_is_judged_without_the_lateness_at_it_as_well() {
    let plan = claiming("with-drain.p50 < 97ms");
    let late = |generator: f64, backends: f64| {
        move |cell: &mut CellSummary| {
            cell.lateness.generator_ms.insert(Quantile::P50, generator);
            cell.lateness.backends_ms.insert(Quantile::P50, backends);
        }
    };
    assert_eq!(judged(&plan, late(1.5, 1.0)), Holding::Failed);
    reason(judged(&plan, late(1.5, 1.6)));
}

/// Each variant's CPU time for a request, in each of the repeats.
fn cpu_claim(repeats: u32, drained: &[f64]) -> Holding {
    let mut plan =
        claiming("with-drain.balancer_cpu_per_request < 0.9 × without-drain.balancer_cpu_per_request");
    plan.repeats = repeats;
    judged(&plan, |cell| {
        let us = if cell.variant == DRAINED { drained[cell.repeat as usize - 1] } else { 100.0 };
        cell.cpu.balancer_us_per_request = Some(us);
        cell.validity.cpu = Some(Validity::default());
    })
}

#[test]
fn a_difference_of_cpu_times_fails_by_three_repeats_and_by_most_of_them() {
    assert_eq!(cpu_claim(1, &[50.0]), Holding::Held);
    let told = "it fails in 1 of 1 repeats with usable CPU times, and a difference of CPU times takes 3";
    assert_eq!(reason(cpu_claim(1, &[95.0])), told);
    assert_eq!(cpu_claim(3, &[95.0, 95.0, 95.0]), Holding::Failed);
    reason(cpu_claim(3, &[50.0, 50.0, 95.0]));
    assert_eq!(cpu_claim(5, &[50.0, 50.0, 95.0, 95.0, 95.0]), Holding::Failed);
    reason(cpu_claim(6, &[50.0, 50.0, 50.0, 95.0, 95.0, 95.0]));
}

#[test]
fn the_shortest_limit_is_that_of_the_client_the_probes_or_the_drain() {
    let limit = |plan: &SavedPlan, variant: &str| summarise(plan, &cell(variant)).lateness.limit_ms;
    let mut plan = plan();
    for variant in &mut plan.variants {
        variant.topology.health_check = None;
        variant.traffic.timeout = Span::millis(2000);
    }
    assert_eq!(limit(&plan, CONTROL), 2000.0);
    let window = cell(DRAINED).history.into_iter().find_map(|event| match event.what {
        Happening::DrainWindow { window, .. } => Some(window.as_millis()),
        _ => None,
    });
    assert_eq!(Some(limit(&plan, DRAINED)), window);
    let [every, timeout] = [100, 50].map(Span::millis);
    for variant in &mut plan.variants {
        let path = "/health".to_owned();
        variant.topology.health_check = Some(HealthCheck { path, every, timeout, fall: 3, rise: 1 });
    }
    assert_eq!(limit(&plan, DRAINED), 250.0, "two intervals, and the last probe");
}

/// Most requests run out of time and some break off in their handshake; none reaches a backend, and no log has any. All
/// backends stand still for `stood` ms of each second.
fn handshakes_on_a_busy_machine(stood: f64) -> (CellSummary, Verdict) {
    let mut plan = plan();
    plan.variants.iter_mut().for_each(|variant| variant.traffic.timeout = Span::millis(2000));
    let mut lossy = cell(DRAINED);
    lossy.executions.clear();
    lossy.access.clear();
    for (n, request) in lossy.requests.iter_mut().enumerate() {
        let cause = if n % 20 == 0 { Cause::Eof } else { Cause::Timeout };
        request.outcome = failed(Stage::Tls, cause);
        (request.served_by, request.first_byte) = (None, None);
        request.end = Nanos(request.due.0 + 2_000_000_000);
    }
    for event in &mut lossy.history {
        if let Happening::AccessLog { gaps, .. } = &mut event.what {
            gaps.push(model::access_log::LogGap::PerConnection);
        }
    }
    // Those that were under way at its end belong to none.
    let seconds = (0..22).map(|second| f64::from(second) * 1000.0);
    lossy.history.extend(seconds.map(|at| {
        let component = part("web-1/1");
        event(23_000.0, Happening::Stood { component, from: ms(at), to: ms(at + stood) })
    }));
    let cells = [&cell(CONTROL), &lossy].map(|records| summarise(&plan, records));
    let run = judge(&plan, &environment(), cells.into(), vec![]);
    (run.cells[1].clone(), run.verdict)
}

#[test]
fn what_no_backend_received_and_nobody_logged_is_nobodys_on_a_busy_machine() {
    let (cell, verdict) = handshakes_on_a_busy_machine(300.0);
    assert!(!cell.validity.counts.is_usable());
    assert!(cell.lateness.backends_ms[&Quantile::P99] > 500.0, "{:?}", cell.lateness);
    assert_eq!(verdict, Verdict::Invalid);
}

#[test]
fn what_the_log_says_is_charged_where_the_counts_can_not_be_trusted_and_what_nothing_says_is_not() {
    let verdict = |logs: bool| {
        let mut lossy = cell(DRAINED);
        for request in &mut lossy.requests {
            request.released = request.due + Span::millis(400).0;
        }
        let id = lossy.requests[100].id;
        lossy.executions.retain(|execution| execution.id != id);
        lossy.requests[100].served_by = None;
        lossy.requests[100].first_byte = None;
        match logs {
            true => {
                lossy.requests[100].outcome = answered(503);
                lossy.access[100] = logged(id.0, 503, &[]);
            }
            false => {
                lossy.requests[100].outcome = failed(Stage::Tls, Cause::Eof);
                lossy.access.remove(100);
            }
        }
        let cells = [&cell(CONTROL), &lossy].map(|records| summarise(&plan(), records));
        assert!(!cells[1].validity.counts.is_usable() && cells[1].books.balance(), "{:?}", cells[1].books);
        judge(&plan(), &environment(), cells.into(), vec![]).verdict
    };
    assert_eq!([true, false].map(verdict), [Verdict::Failed, Verdict::Invalid]);
}
