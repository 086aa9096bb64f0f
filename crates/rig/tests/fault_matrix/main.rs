//! The fault matrix: what a client sees of each fault of a server, directly and through each balancer. For every fault the
//! client's counts equal the server's own, and its classes are what the table in `faults.rs` says. `docs/fault-matrix.md`
//! is that table; `RIG_WRITE_FAULT_MATRIX=1` renews it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod document;
#[path = "../../../load/tests/fault_server/mod.rs"]
#[allow(dead_code, reason = "the server can do more than is asked of it here")]
mod fault_server;
mod faults;
mod kernel;
mod peers;
mod sending;
mod standing;

use std::thread;

use model::catalog::BalancerKind;

use crate::faults::{FAULTS, Fault, MEASURED, Measured};
use crate::standing::{Standing, is_measured};

#[test]
fn what_a_client_sees_of_each_fault_is_what_the_table_says() {
    let _machine = testing::Machine::shared();
    let here =
        MEASURED.map(Some).into_iter().enumerate().filter(|(_, way)| way.as_ref().is_some_and(is_here));
    let ways = std::iter::once((0, None)).chain(here.map(|(n, way)| (n + 1, way)));
    // Side by side, each in two parts with a server of its own: most of the time nothing happens.
    let parts = ways.flat_map(|way| FAULTS.chunks(FAULTS.len().div_ceil(2)).map(move |faults| (way, faults)));
    let parts: Vec<_> =
        parts.map(|((n, way), faults)| (n, way, faults, thread::spawn(move || meet(faults, way)))).collect();
    let mut wrong = Vec::new();
    for (n, way, faults, seen) in parts {
        let seen = seen.join().unwrap();
        if way.is_some_and(|way| !is_measured(&way)) {
            continue;
        }
        let name = way.map_or("directly".to_owned(), |way| way.to_string());
        for (fault, seen) in faults.iter().zip(seen).filter(|(fault, seen)| !fault.is_seen(n, seen)) {
            wrong.push(format!("{}, {name}: expected {}, seen {seen}", fault.name, fault.expected[n]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether it is installed; if not, that is printed.
fn is_here(way: &Measured) -> bool {
    let found = testing::program::named(way.executable).is_some();
    // Debian's newer suites can't be reached from everywhere.
    if !found && way.kind == BalancerKind::Haproxy {
        eprintln!("skipped: {way} is not installed; tools/haproxy-3.sh gets it");
        return false;
    }
    true
}

/// Meets each of `faults`, directly or through a balancer.
fn meet(faults: &[Fault], way: Option<Measured>) -> Vec<String> {
    let standing = Standing::up(way);
    faults.iter().map(|fault| standing.meet(fault)).collect()
}
