//! rig as its users have it: the real binary, real nginx, HAProxy and Envoy, as local processes and in containers.
//!
//! Counts, order, messages and what is left are asserted, never times: such tests share the machine. What would disturb
//! others, or be judged wrongly beside them, stands in `tests/alone`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod asking;
mod broken_scenarios;
mod configurations;
mod deaths;
mod discovery;
mod docker;
mod doctor;
mod edges;
mod engine_restart;
mod environment;
mod generators;
mod health;
mod interruption;
mod limits;
mod orchestrators;
mod own;
mod own_service;
mod pages;
mod proof;
mod replaced;
mod routing;
mod scaling;
mod shortages;
mod side_by_side;
mod sticky;
mod targets;
mod templates;
mod tls;
mod up;
mod versions;
mod weights;

use testing::Rig;

/// The binary under test.
const RIG: Rig =
    Rig::new(env!("CARGO_BIN_EXE_rig"), concat!(env!("CARGO_MANIFEST_DIR"), "/tests/end_to_end/scenarios"));
