//! TLS: handshakes counted, CPU time claimed only where it can be trusted, and what a handshake costs.

use model::history::{Event, Happening};
use model::records::CellRecords;
use model::tls::{Handshake, Handshakes, Tls};
use report::validity::Trust;
use report::{CellSummary, summarise};

use crate::build::*;
use crate::cpu::measured;

fn machine(at: f64, seconds: f64, stolen: f64) -> Event {
    event(at, Happening::MachineRead { seconds, stolen, idle: None })
}

/// The control of the tests, with readings of the machine around a load of 20 s on two processors.
fn with_steal(stolen: f64) -> CellRecords {
    let mut records = measured();
    records.history.extend([machine(5.0, 100.0, 1.0), machine(20_102.0, 140.0, 1.0 + stolen)]);
    records
}

fn trust(records: &CellRecords) -> (Trust, String) {
    let cpu = summarise(&plan(), records).validity.cpu.expect("it is judged");
    (cpu.verdict, cpu.reasons.join("; "))
}

#[test]
fn cpu_time_is_trusted_as_far_as_nobody_else_had_the_processors() {
    assert_eq!(trust(&with_steal(0.4)), (Trust::Valid, String::new()));
    let (verdict, reason) = trust(&with_steal(2.0));
    assert_eq!(
        (verdict, reason.as_str()),
        (Trust::Degraded, "the hypervisor took 5 % of the processors' time (steal)")
    );
    assert_eq!(trust(&with_steal(8.0)).0, Trust::Invalid);
}

#[test]
fn cpu_time_of_which_nobody_knows_the_steal_or_over_a_short_window_is_not_trusted() {
    let (verdict, reason) = trust(&measured());
    assert_eq!(verdict, Trust::Invalid);
    assert!(reason.contains("steal time was not measured"), "{reason}");
    // Two readings of the machine between which no time passed say nothing.
    let mut still = measured();
    still.history.extend([machine(5.0, 100.0, 1.0), machine(20_102.0, 100.0, 1.0)]);
    assert!(trust(&still).1.contains("steal time was not measured"), "{}", trust(&still).1);
    let mut short = with_steal(0.0);
    // The balancer is read at 4 ms; the load of these records ends late, so the window is cut at its beginning.
    for event in &mut short.history {
        if matches!(&event.what, Happening::CpuRead { component, .. } if *component == part("balancer"))
            && event.at < ms(1000.0)
        {
            event.what = Happening::Warning { message: "none".into() };
        }
    }
    assert!(trust(&short).1.contains("was not read at both ends"), "{}", trust(&short).1);
}

/// The control where every request opened a connection, `resumed` of them with a resumed session.
fn over_tls(resumed: u64) -> (model::plan::SavedPlan, CellRecords) {
    let mut plan = plan();
    for variant in plan.variants.iter_mut().filter(|variant| variant.name == CONTROL) {
        variant.topology.listener.tls = Tls::Terminate;
    }
    let mut records = with_steal(0.0);
    for request in &mut records.requests {
        let handshake = if request.id.0 < resumed { Handshake::Resumed } else { Handshake::Full };
        request.on =
            request.on.map(|on| model::request::ConnectionUse { nth: 1, handshake: Some(handshake), ..on });
    }
    (plan, records)
}

#[test]
fn handshakes_of_measured_requests_are_counted_by_their_kind() {
    let (plan, records) = over_tls(100);
    let cell: CellSummary = summarise(&plan, &records);
    let tls = cell.tls.unwrap();
    assert_eq!(tls.handshakes.resumed, 100);
    assert_eq!(tls.handshakes.all(), cell.counts.scheduled);
    assert_eq!((tls.ends, tls.failed, tls.at_backends), (Tls::Terminate, 0, None));
    // One for each request: both figures are the same.
    assert_eq!(cell.cpu.balancer_us_per_handshake, cell.cpu.balancer_us_per_request);
    assert_eq!(summarise(&crate::build::plan(), &records).tls, None, "where it is off nothing is reported");
}

#[test]
fn a_handshake_costs_what_its_request_costs_more_than_the_same_without_tls() {
    let (mut plan, records) = over_tls(0);
    let mut plain = plan.variant(CONTROL).unwrap().clone();
    plain.name = "plain".into();
    plain.topology.listener.tls = Tls::Off;
    plan.variants.push(plain);
    let secured = summarise(&plan, &records);
    let mut beside = CellSummary { variant: "plain".into(), tls: None, ..secured.clone() };
    beside.cpu.balancer_us_per_request = secured.cpu.balancer_us_per_request.map(|us| us - 25.0);
    beside.cpu.backends_us_per_request = None;
    let costs = report::handshakes::costs(&plan, &[secured.clone(), beside.clone()]);
    let [cost] = costs.as_slice() else { panic!("{costs:?}") };
    assert_eq!((cost.variant.as_str(), cost.beside.as_str()), (CONTROL, "plain"));
    assert!((cost.balancer_us.unwrap() - 25.0).abs() < 1e-6);
    assert_eq!(cost.backends_us, None, "a difference from what was not measured is none");

    // Another load beside it would be another experiment.
    plan.variants.last_mut().unwrap().traffic.connections += 1;
    assert_eq!(report::handshakes::costs(&plan, &[secured.clone(), beside.clone()]), []);
    plan.variants.last_mut().unwrap().traffic.connections -= 1;
    // Where few requests needed a handshake, the difference is not its cost.
    let mut few = secured;
    few.tls.as_mut().unwrap().handshakes = Handshakes { full: 10, resumed: 0 };
    assert_eq!(report::handshakes::costs(&plan, &[few, beside]), []);
}
