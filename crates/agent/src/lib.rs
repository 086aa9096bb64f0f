//! What the processes in the measured path have in common.
//!
//! An agent is started through [`exec`], which ties its life to its parent's. It says hello and reads its job
//! ([`frames`]), works by a [`clock`] that all processes of the host share and a [`timer`] that is precise to
//! some ten microseconds, decides by reproducible [draws](model::draw), and states at its end what it cost ([`usage`]).

pub mod clock;
mod deadlines;
pub mod exec;
pub mod frames;
pub mod keep;
pub mod timer;
pub mod tls;
pub mod usage;
