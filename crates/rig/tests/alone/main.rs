//! What would disturb other tests, or be judged wrongly beside them: each has the machine to itself. They are a program of their own,
//! as each would have to wait until the others have let go of the machine.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod balance;
mod busy_machine;
mod cleaning;
mod killing;
mod nemesis;

use testing::Rig;

/// The binary under test.
const RIG: Rig =
    Rig::new(env!("CARGO_BIN_EXE_rig"), concat!(env!("CARGO_MANIFEST_DIR"), "/tests/end_to_end/scenarios"));
