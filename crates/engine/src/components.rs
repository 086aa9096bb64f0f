//! What can stand in a cell beside rig's own agents.

use model::catalog::BalancerKind;

use crate::balancer::adapter;
use crate::program::{Program, REDIS};

/// Every program that a component may run, in the order of tables.
pub fn programs() -> impl Iterator<Item = &'static Program> {
    balancers().chain([&REDIS])
}

/// The program of each balancer.
pub fn balancers() -> impl Iterator<Item = &'static Program> {
    BalancerKind::ALL.into_iter().map(|kind| adapter(kind).program())
}
