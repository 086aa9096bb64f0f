//! The DNS server of a cell: it answers for the names of pools, with the A records that its controller last gave it.
//!
//! It is authoritative for [`ZONE`](model::discovery::ZONE), keeps nothing but that, and asks no other server. It runs as a separate
//! process ([`run`]); tests serve in-process ([`DnsServer`]).

mod message;
mod process;
mod server;
mod zone;

pub use message::{DnsTransport, answer};
pub use process::run;
pub use server::{DnsError, DnsServer};
pub use zone::Zone;
