//! This machine: its processes, signals, files, addresses, limits and executables. Nothing here knows what rig runs.

pub mod certificates;
pub mod checkup;
mod error;
pub(crate) mod executables;
pub(crate) mod leases;
pub mod limits;
pub(crate) mod orphans;
pub mod owner;
pub mod private;
pub(crate) mod processes;
mod signal;

pub use error::HostError;
pub use processes::kill_children;
pub use signal::Signal;
