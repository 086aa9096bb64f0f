use report::phases::{Phase, Phases};
use report::summarise;

use crate::build::*;

#[test]
fn a_drained_backend_passes_through_every_phase_in_order() {
    let phases = Phases::read(&cell(DRAINED).history);
    let at = |t: f64| phases.at("web-2", ms(t));
    assert_eq!(at(5999.0), Phase::Baseline);
    assert_eq!(at(6001.0), Phase::Deregister);
    assert_eq!(at(6050.0), Phase::Drain);
    assert_eq!(at(6106.0), Phase::Terminate);
    assert_eq!(at(6300.0), Phase::Replace);
    assert_eq!(at(6602.0), Phase::Register);
    assert_eq!(at(6700.0), Phase::Confirm);
    assert_eq!(at(7000.0), Phase::Settled);
    assert_eq!(phases.at("web-3", ms(6300.0)), Phase::Baseline);
    assert_eq!(phases.overall(ms(6300.0)), Phase::Replace);
}

#[test]
fn without_a_drain_termination_begins_with_the_step_before_the_signal_returned() {
    let phases = Phases::read(&cell(CONTROL).history);
    assert_eq!(phases.at("web-1", ms(4000.5)), Phase::Terminate);
    assert_eq!(phases.at("web-1", ms(4100.0)), Phase::Replace);
    let first = &phases.replacements[0];
    assert_eq!((first.first, first.last), (ms(4000.0), Some(ms(4801.0))));
}

#[test]
fn dropped_requests_are_attributed_to_who_had_them_and_when() {
    let cell = summarise(&plan(), &cell(CONTROL));
    assert_eq!(cell.dropped.len(), 3);
    let first = &cell.dropped[0];
    assert_eq!(first.source.backend.as_deref(), Some("web-1"));
    assert_eq!(first.source.generation, Some(1));
    assert_eq!(first.source.phase, Phase::Terminate);
    let sum: u64 = cell.dropped.iter().map(|group| group.count).sum();
    assert_eq!(sum, cell.counts.dropped);
}

#[test]
fn numbers_in_flight_come_from_the_ledger() {
    let control = summarise(&plan(), &cell(CONTROL)).deploy.unwrap();
    let drained = summarise(&plan(), &cell(DRAINED)).deploy.unwrap();
    // 400/s over three backends for 98 ms are 13 in flight at any time.
    let around_13 = |counts: Vec<u64>| counts.len() == 3 && counts.iter().all(|n| (12..=14).contains(n));
    assert!(around_13(control.at_terminations()), "{control:?}");
    assert_eq!(control.at_deregistrations(), Vec::<u64>::new());
    assert!(around_13(drained.at_deregistrations()), "{drained:?}");
    assert_eq!(drained.at_terminations(), [0, 0, 0]);
    assert_eq!(drained.longest_drain, Some(model::units::Span::millis(100)));
}
