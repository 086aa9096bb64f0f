//! A machine that is short of something, or busy with something else: never a balancer's fault, and never a figure of
//! the machine that passes for one of the balancer.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use report::latency::Quantile;
use testing::{Invocation, Nginx, OutcomeKind, Run, Signal, Trust, kill_process};

use crate::RIG;

#[test]
fn too_few_descriptors_are_told_before_anything_is_launched() {
    let run = RIG.idle().run("drain").on([Nginx]).after("ulimit -n 128");
    let ended = run.exits(3).complains("open files in a process, and this machine allows 128");
    ended.complains("help: sudo prlimit --pid $$ --nofile=").leaves_nothing();
}

#[test]
fn too_few_ports_are_told_before_anything_is_launched() {
    let namespace = ["unshare", "--map-root-user", "--net"];
    if !Command::new(namespace[0]).args(&namespace[1..]).arg("true").status().is_ok_and(|s| s.success()) {
        eprintln!("skipped: no network namespace can be made here");
        return;
    }
    let run = RIG.idle().run("drain").on([Nginx]).within(namespace);
    let ended = run.after("echo '40000 40040' >/proc/sys/net/ipv4/ip_local_port_range").exits(3);
    ended.complains("(net.ipv4.ip_local_port_range), and this machine allows 41").leaves_nothing();
}

/// Runs some seconds of load, and stops `component` for so long.
fn stopped(component: &str, length: Duration) -> Run {
    stopped_in(RIG.alone().run("steady"), component, length)
}

fn stopped_in(run: Invocation, component: &str, length: Duration) -> Run {
    let mut running = run.begin();
    let pid = running.until("machine_read").pid_of(component);
    // In the midst of the load, for so long: that is what is tested.
    std::thread::sleep(Duration::from_millis(500));
    kill_process(pid, Signal::STOP).unwrap();
    std::thread::sleep(length);
    kill_process(pid, Signal::CONT).unwrap();
    running.finished()
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_generator_that_was_stopped_is_nobodys_fault_and_leaves_no_trusted_p90() {
    for ms in [100, 500] {
        let run = stopped("generator", Duration::from_millis(ms));
        run.exits(4);
        let counts = &run.cells[0].counts;
        assert_eq!(counts.of(OutcomeKind::Timeout), 0, "{ms} ms: {counts:?}");
        assert!(ms < 500 || counts.of(OutcomeKind::GeneratorFault) > 0, "{ms} ms: {counts:?}");
    }
}

#[test]
#[ignore = "takes long: make test-rest"]
fn one_of_several_generators_that_was_stopped_is_named() {
    let load = RIG.alone().run("steady").set("load.generators", "2");
    let run = stopped_in(load, "generator_2", Duration::from_millis(100));
    run.exits(4);
    let cell = &run.cells[0];
    let [first, second] = [0, 1].map(|n| cell.lateness.generators[n].ms[&Quantile::Max]);
    assert!(first < 50.0 && second > 50.0, "{:?}", cell.lateness);
    let reasons = cell.validity.counts.reasons.join("; ");
    assert!(reasons.contains("generator 2") && !reasons.contains("generator 1"), "{reasons}");
}

#[test]
fn a_backend_that_was_stopped_from_outside_is_named() {
    let run = stopped("web-1/1", Duration::from_millis(400));
    run.exits(4);
    let cell = &run.cells[0];
    assert_eq!(
        cell.lateness.standstill.as_ref().unwrap().component.to_string(),
        "web-1/1",
        "{:?}",
        cell.lateness
    );
    let reasons = cell.validity.counts.reasons.concat();
    assert!(reasons.contains("no proven cause"), "{reasons}");
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_machine_that_works_for_others_never_fails_a_claim() {
    let rig = RIG.alone();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let run = rig.run("steady").set("load.for", "6s").json();
        done.store(true, Ordering::Relaxed);
        run.exits(4);
        let cell = &run.cells[0];
        assert!(cell.cpu.foreign.unwrap() > 0.6, "{:?}", cell.cpu);
        let median = &cell.validity.percentiles[&Quantile::P50];
        assert_eq!(median.verdict, Trust::Invalid, "{:?}", cell.validity);
    });
}
