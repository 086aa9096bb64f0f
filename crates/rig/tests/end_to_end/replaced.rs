//! A second process takes the place of the balancer's first while it serves.

use std::path::PathBuf;
use std::time::Duration;

use model::component::Component;
use rustix::process::Pid;
use testing::{Envoy, Haproxy, Signal, books_balance, within};

use crate::RIG;

#[test]
#[ignore = "takes long: make test-rest"]
fn a_process_that_is_replaced_loses_no_request_if_it_has_time_to_finish() {
    let run = RIG.beside_others().run("replaced").json();
    for balancer in [Haproxy, Envoy] {
        let cell = run.cell(balancer, "taken-over");
        assert_eq!(cell.reloads.unwrap().count, 2, "{}", cell.cell());
        assert_eq!(cell.counts.dropped, 0, "{}", cell.cell());
        assert!(!cell.cpu.components.contains_key(&Component::Balancer), "a part of it is not the whole");
        books_balance(cell);
        assert!(run.cell(balancer, "cut-off").counts.dropped > 0);
    }
}

/// Where Envoy's process `pid` and those after it keep what they share.
fn shared_memory(pid: Pid) -> PathBuf {
    let words = std::fs::read_to_string(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap();
    let mut words = words.split('\0').skip_while(|word| *word != "--base-id");
    let id: u64 = words.nth(1).unwrap().parse().unwrap();
    PathBuf::from(format!("/dev/shm/envoy_shared_memory_{}", id * 10))
}

#[test]
fn what_envoy_leaves_of_a_hot_restart_goes_with_rig() {
    // The second Ctrl-C ends rig at once.
    for first in [Signal::KILL, Signal::INT] {
        let rig = RIG.beside_others();
        let mut running = rig.run("replaced").on([Envoy]).variants(["taken-over"]).begin();
        let history = running.until("balancer_reloaded");
        let shared = shared_memory(history.pid_of("balancer"));
        assert!(shared.exists());
        running.signal(first);
        if first == Signal::INT {
            running.until("interrupted");
            running.signal(Signal::INT);
        }
        let _ = running.ends();
        let gone = || (rig.processes().is_empty() && !shared.exists()).then_some(());
        within(Duration::from_secs(10), &format!("all to be gone after {first:?}"), gone);
    }
}
