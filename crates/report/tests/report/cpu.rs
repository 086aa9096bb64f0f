//! CPU time over the load: what the readings allow, and nothing more.

use model::history::{Event, Happening};
use model::outcome::{NotSent, Outcome};
use model::records::CellRecords;
use model::timeline::FaultKind;
use report::cpu::{CpuTime, Usage};
use report::validity::Trust;
use report::{CellSummary, Colour, Format, Style, judge, render, summarise};

use crate::build::*;

fn read(at: f64, component: &str, seconds: f64) -> Event {
    let source = "/proc/PID/stat".to_owned();
    event(at, Happening::CpuRead { component: part(component), seconds, source })
}

/// The control, with a launch and all readings of every component. The load ends at 20.1 s; the backends are
/// replaced at 4, 6 and 8 s.
pub(crate) fn measured() -> CellRecords {
    let mut records = cell(CONTROL);
    for component in ["web-1/1", "web-2/1", "web-3/1", "balancer", "generator"] {
        records.history.push(event(-890.0, Happening::Launched { component: part(component), pid: 7 }));
    }
    for (n, backend) in BACKENDS.iter().enumerate() {
        let replaced_at = 4000.0 + 2000.0 * n as f64;
        let (old, new) = (format!("{backend}/1"), format!("{backend}/2"));
        records.history.push(read(3.0, &old, 0.125));
        records.history.push(read(replaced_at, &old, 0.375));
        records.history.push(read(20_099.0, &new, 0.5));
    }
    records.history.push(read(4.0, "balancer", 0.25));
    records.history.push(read(20_101.0, "balancer", 1.25));
    records.history.push(read(-2.0, "generator", 0.5));
    records.history.push(read(20_098.0, "generator", 2.0));
    records
}

fn cpu(tamper: impl FnOnce(&mut Vec<Event>)) -> CpuTime {
    let mut records = measured();
    tamper(&mut records.history);
    summarise(&plan(), &records).cpu
}

fn is_reading_of(event: &Event, name: &str) -> bool {
    matches!(&event.what, Happening::CpuRead { component, .. } if *component == part(name))
}

#[test]
fn a_figure_is_what_lies_between_two_readings_and_says_which() {
    let cpu = cpu(|_| {});
    let balancer = &cpu.components[&part("balancer")];
    assert_eq!((balancer.seconds, balancer.from_ms, balancer.to_ms), (1.0, 4.0, 20_101.0));
    assert_eq!(balancer.source, "/proc/PID/stat");
    assert_eq!(cpu.seconds(&part("generator")), Some(1.5));
}

#[test]
fn a_request_costs_the_balancer_its_time_over_the_requests_due_between_its_readings() {
    // Of 8000 requests every 2.5 ms, those due at 0 and 2.5 ms lie before the reading at 4 ms.
    assert_eq!(cpu(|_| {}).balancer_us_per_request, Some(1e6 / 7998.0));
    let mut records = measured();
    records.requests[5000].outcome = Outcome::NotSent(NotSent::Backlog);
    assert_eq!(summarise(&plan(), &records).cpu.balancer_us_per_request, Some(1e6 / 7997.0));
}

#[test]
fn a_backend_that_was_ended_counts_to_its_last_reading_and_a_new_one_from_nothing() {
    let cpu = cpu(|_| {});
    let (old, new) = (&cpu.components[&part("web-1/1")], &cpu.components[&part("web-1/2")]);
    assert_eq!((old.seconds, old.from_ms, old.to_ms), (0.25, 3.0, 4000.0));
    // It was launched at 4003 ms.
    assert_eq!((new.seconds, new.from_ms, new.to_ms), (0.5, 4003.0, 20_099.0));
    assert_eq!(cpu.backends_seconds, Some(3.0 * (0.25 + 0.5)));
}

#[test]
fn a_backend_without_a_figure_leaves_the_sum_without_one() {
    for missing in ["web-2/1", "web-2/2"] {
        let cpu = cpu(|history| history.retain(|event| !is_reading_of(event, missing)));
        assert_eq!(cpu.seconds(&part(missing)), None);
        assert_eq!(cpu.seconds(&part("web-1/1")), Some(0.25));
        assert_eq!(cpu.backends_seconds, None, "{missing}");
    }
    let never = summarise(&plan(), &cell(CONTROL)).cpu;
    assert_eq!(never, CpuTime::default());
}

#[test]
fn one_reading_alone_is_no_figure() {
    let only = |kept: f64| {
        cpu(|history| history.retain(|event| !is_reading_of(event, "balancer") || event.at == ms(kept)))
    };
    for kept in [4.0, 20_101.0] {
        assert_eq!(only(kept).seconds(&part("balancer")), None);
        assert_eq!(only(kept).balancer_us_per_request, None);
    }
}

#[test]
fn readings_far_from_the_load_s_ends_do_not_stand_in_for_those_that_are_missing() {
    let moved = |from: f64, to: f64| {
        let moved = |event: &mut Event| {
            if is_reading_of(event, "balancer") && event.at == ms(from) {
                event.at = ms(to);
            }
        };
        cpu(|history| history.iter_mut().for_each(moved)).seconds(&part("balancer"))
    };
    assert_eq!(moved(4.0, 900.0), Some(1.0));
    assert_eq!(moved(4.0, 3000.0), None);
    assert_eq!(moved(4.0, -3000.0), None);
    assert_eq!(moved(20_101.0, 15_000.0), None);
    assert_eq!(moved(20_101.0, 23_000.0), None);
}

#[test]
fn a_reading_before_the_load_or_in_the_teardown_is_passed_over_for_a_nearer_one() {
    let cpu = cpu(|history| {
        history.push(read(-700.0, "balancer", 0.0));
        history.push(read(20_800.0, "balancer", 9.0));
    });
    assert_eq!(cpu.seconds(&part("balancer")), Some(1.0));
}

#[test]
fn a_reading_at_the_last_arrival_ends_a_load_whose_last_requests_took_long() {
    let cpu = cpu(|history| {
        let finished = history.iter_mut().find(|e| matches!(e.what, Happening::LoadFinished { .. }));
        finished.expect("the load ended").at = ms(24_990.0);
    });
    assert_eq!((cpu.seconds(&part("balancer")), cpu.backends_seconds), (Some(1.0), Some(2.25)));
}

#[test]
fn a_load_that_never_ended_has_no_figures() {
    let cpu = cpu(|history| history.retain(|e| !matches!(e.what, Happening::LoadFinished { .. })));
    assert_eq!(cpu, CpuTime::default());
}

#[test]
fn readings_that_run_backwards_or_come_from_two_sources_are_no_figure() {
    let backwards = cpu(|history| history.push(read(20_100.0, "balancer", 0.1)));
    assert_eq!(backwards.seconds(&part("balancer")), None);
    let two_sources = cpu(|history| {
        let (component, source) = (part("balancer"), "cgroup".to_owned());
        history.push(event(20_100.0, Happening::CpuRead { component, seconds: 1.25, source }));
    });
    assert_eq!(two_sources.seconds(&part("balancer")), None);
}

#[test]
fn a_fault_ends_the_figure_only_of_a_backend_that_it_kills() {
    let seconds = |fault: FaultKind| {
        let mut records = without_requests(CONTROL, 0);
        records.requests = cell(CONTROL).requests;
        let incarnation = inc("web-1", 1);
        let launched = Happening::Launched { component: (&incarnation).into(), pid: 7 };
        records
            .history
            .retain(|event| !matches!(event.what, Happening::Terminated { .. } | Happening::Exited { .. }));
        records.history.extend([
            event(-890.0, launched),
            read(1.0, "web-1/1", 0.1),
            read(2999.0, "web-1/1", 0.2),
            event(3000.0, Happening::Faulted { incarnation, fault }),
            read(20_100.0, "web-1/1", 0.6),
        ]);
        summarise(&plan(), &records).cpu.seconds(&part("web-1/1"))
    };
    for fault in [FaultKind::Crash, FaultKind::Term, FaultKind::HostLoss] {
        assert_eq!(seconds(fault), Some(0.1), "{fault:?}");
    }
    for fault in [FaultKind::Freeze, FaultKind::Partition] {
        assert_eq!(seconds(fault), Some(0.5), "{fault:?}");
    }
}

/// What the balancer used over so many milliseconds.
fn over(window: f64) -> CpuTime {
    let usage = Usage { seconds: 1.0, source: "/proc/PID/stat".into(), from_ms: 2.0, to_ms: 2.0 + window };
    CpuTime { components: [(part("balancer"), usage)].into(), ..CpuTime::default() }
}

#[test]
fn cpu_time_over_less_than_five_seconds_can_not_be_trusted() {
    let machine =
        |at: f64, seconds: f64| event(at, Happening::MachineRead { seconds, stolen: 0.0, idle: None });
    let history = [machine(0.0, 1.0), machine(20_000.0, 41.0)];
    let trust = |cpu: &CpuTime| report::validity::cpu(&history, ms(0.0), cpu).verdict;
    assert_eq!([4999.0, 5000.0].map(|window| trust(&over(window))), [Trust::Invalid, Trust::Valid]);
    assert_eq!(trust(&CpuTime::default()), Trust::Invalid);
}

#[test]
fn a_report_doubts_cpu_time_only_where_it_was_read_for_long_enough_to_be_asked_for() {
    let summary = summarise(&plan(), &measured());
    let doubted = |window: f64| {
        let cell = CellSummary { cpu: over(window), ..summary.clone() };
        let run = judge(&plan(), &environment(), vec![cell], vec![]);
        let style = Style { width: 200, colour: Colour::Never };
        render(&run, Format::Markdown, style).contains("CPU time INVALID")
    };
    assert_eq!([4999.0, 5000.0].map(doubted), [false, true]);
}
