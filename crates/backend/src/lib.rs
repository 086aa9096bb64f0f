//! The toy backend: the server behind a balancer in a cell.
//!
//! It answers each request after a reproducible [service time](model::service_time), stamps its incarnation on the response, and
//! writes what it received and finished to its ledger, which outlives it. The data flow of one request:
//! head read → ledger line *received* → body read and checked → a place (or the queue, or 503) → its session, if the
//! backend keeps any (or 503) → service time → head written → ledger line *finished* → last byte written.
//!
//! It runs as a separate process ([`run`]); tests serve in-process ([`serve`]).

mod application;
mod behaviour;
mod ledger;
mod places;
mod process;
mod pulse;
mod response;
mod server;
mod sessions;
mod transport;

pub use behaviour::Behaviour;
pub use places::STOOD;
pub use process::run;
pub use server::{BackendError, serve};
