//! The fourth stage: all cells of a run against the plan's claims, and runs against each other.

pub mod compare;
pub(crate) mod doubts;
pub mod handshakes;
pub mod run;
pub mod verdict;
pub(crate) mod without_reloads;
