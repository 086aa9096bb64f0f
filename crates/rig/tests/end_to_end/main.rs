//! rig as its users have it: the real binary, real nginx, HAProxy and Envoy, as local processes.
//!
//! Cells are run one at a time: two of them on one machine would measure each other. Counts and order are
//! asserted, never times.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod broken_scenarios;
mod configurations;
mod environment;
mod harness;
mod interruption;
mod proof;
