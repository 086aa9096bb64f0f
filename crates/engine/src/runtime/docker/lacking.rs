//! What containers can't do.

use model::plan::Need;

const NO_COMMAND: &str = "a command runs on this machine, and a container needs an `image`";
const ONE_PROCESS: &str = "a container ends with its first process, and a second one needs its sockets";
const ONE_ADDRESS: &str = "the generator's container has one address";

/// Why a cell in containers can't have `need`; `None`: it can.
pub(super) fn why(need: Need) -> Option<&'static str> {
    match need {
        Need::Fault(_) | Need::Image => None,
        Need::Command => Some(NO_COMMAND),
        Need::SecondBalancer => Some(ONE_PROCESS),
        Need::SourceAddresses => Some(ONE_ADDRESS),
    }
}
