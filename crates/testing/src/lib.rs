//! What tests run the binary with. A test says what is to be run and what must come of it:
//!
//! ```no_run
//! # use testing::{Nginx, Rig};
//! # const RIG: Rig = Rig::new("target/debug/rig", "tests/end_to_end/scenarios");
//! let run = RIG.beside_others().run("short-drain").on([Nginx]).variants(["with-drain"]).set("load.for", "5s").json();
//! run.exits(0);
//! assert_eq!(run.cell(Nginx, "with-drain").counts.dropped, 0);
//! ```
//!
//! A [`Rig`] knows the executable. It gives a test a [`Sandbox`]: a directory of its own, and the machine, alone or shared.
//! There an [`Invocation`] is put together; it ends as a [`Run`] with a typed summary, as plain text ([`Ended`]), or goes on
//! in the background ([`Running`]). What rig wrote is read as a [`History`]; [`left`] and [`docker`] find what it left behind.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

pub mod docker;
mod ended;
mod history;
mod invocation;
pub mod left;
mod machine;
pub mod program;
mod running;
mod sandbox;
#[path = "../../engine/tests/skip/mod.rs"]
mod skip;
mod waiting;

pub use ended::{Ended, Run, books_balance, counts_are_trusted, deploy};
pub use history::History;
pub use invocation::Invocation;
pub use machine::Machine;
pub use running::Running;
pub use sandbox::{Rig, Sandbox, files, text};
pub use waiting::{eventually, within};

// What tests say about runs, in one place.
pub use model::catalog::BalancerKind::{self, Caddy, Envoy, Haproxy, Nginx, Traefik};
pub use model::history::{Event, Happening};
pub use model::outcome::OutcomeKind;
pub use report::books::AccessLog;
pub use report::faults::{FaultRecord, TimeToEject};
pub use report::validity::Trust;
pub use report::verdict::Holding;
pub use report::{CellSummary, RunSummary, Verdict};
pub use rustix::process::{Pid, Signal, kill_process};

/// Whether this user may do everything on this machine.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The balancers that a test about several runs; the others have tests of their own.
pub const BALANCERS: [BalancerKind; 3] = [Nginx, Haproxy, Envoy];
