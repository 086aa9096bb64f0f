//! The limits that are not of a single key: of the whole document, and of several keys or checks. Others stand where
//! their keys are declared (`keys/`). A value outside is refused with the limit in the message.

use std::ops::RangeInclusive;

use crate::generators::MOST_GENERATORS;
use crate::units::{Bytes, Rate, Span};

/// Bytes of a file, and of a `--set`.
pub const FILE: usize = 256 * 1024;
/// How deep maps and lists may be nested.
pub(crate) const DEPTH: usize = 16;
/// Maps, lists and scalars of a file, keys included.
pub(crate) const NODES: usize = 16 * 1024;
/// Entries of any one map or list.
pub(crate) const ENTRIES: usize = 256;

/// Length of a name.
pub(crate) const NAME: usize = 40;
/// Length of any key.
pub(crate) const KEY: usize = 1024;
/// A host name (RFC 1035).
pub(crate) const HOST: usize = 253;
/// Length of any text.
pub(crate) const TEXT: usize = 4096;

pub(crate) const VARIANTS: usize = 32;
/// Of a topology.
pub const POOLS: usize = 8;
/// Of a pool.
pub const BACKENDS: usize = 100;
pub(crate) const ROUTES: usize = 32;
pub(crate) const CLASSES: usize = 16;
pub(crate) const ZIPF: RangeInclusive<f64> = 0.1..=5.0;
pub(crate) const HEADERS: usize = 32;
pub(crate) const STATUSES: usize = 16;
pub(crate) const TIMELINE: usize = 64;
/// Configurations beside each other.
pub(crate) const BALANCERS: usize = 16;
pub(crate) const CLAIMS: usize = 64;

pub(crate) const REPEAT: RangeInclusive<u64> = 1..=100;
pub(crate) const IN_A_ROW: RangeInclusive<u64> = 1..=100;
/// One address has that many ports towards another, above those that only root may take.
pub(crate) const CONNECTIONS: RangeInclusive<u64> = 1..=64_512;

/// Each is a process with a thread of its own, and has at least four of the fewest connections that a load has.
pub(crate) const GENERATORS: RangeInclusive<u64> = 1..=MOST_GENERATORS as u64;

pub(crate) const LATENCY: RangeInclusive<Span> = Span::millis(0)..=Span::millis(60_000);
pub(crate) const TIMEOUT: RangeInclusive<Span> = Span::millis(1)..=Span::millis(60_000);
pub(crate) const LOAD: RangeInclusive<Span> = Span::millis(100)..=Span::millis(3_600_000);
pub(crate) const AT: RangeInclusive<Span> = Span::millis(0)..=Span::millis(3_600_000);

pub(crate) const RATE: RangeInclusive<Rate> = Rate(0.1)..=Rate(50_000.0);
pub(crate) const BODY: RangeInclusive<Bytes> = Bytes(0)..=Bytes(1024 * 1024);

/// Requests of one cell, the warm-up included.
pub(crate) const REQUESTS: f64 = 5_000_000.0;
/// The least measured load before a deploy whose drain window is derived from it.
pub(crate) const BASELINE: Span = Span::millis(1000);
