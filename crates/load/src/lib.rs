//! The load generator: open loop, on a fixed schedule, one record per scheduled request.
//!
//! The data flow: [`schedule`](Schedule) (pure: which request is due when) → dispatcher (releases what is due,
//! never before, to an idle connection, a new one, or the queue) → worker (owns one connection, carries one
//! request at a time) → recorder (one line per request, written as it ends).
//!
//! Three rules make its numbers worth reading. A request's intended start is computed, never read from a
//! clock, so a stall of the generator shows as latency. A request is never sent again once a byte of it was
//! given to the kernel. And every request that was taken up is recorded, even if its task is dropped.
//!
//! It runs as a separate process ([`run`]); tests generate in-process ([`generate`]).

mod busiest;
mod chunked;
mod connection;
mod context;
mod dispatcher;
mod exchange;
mod failure;
mod flight;
mod generator;
mod pace;
mod pool;
mod process;
mod recorder;
mod request;
mod response;
mod schedule;
mod users;
mod wire;
mod worker;

pub use generator::{LoadError, generate};
pub use process::run;
pub use schedule::{Arrival, Connect, Schedule};
