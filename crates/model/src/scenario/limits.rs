//! Every limit of the language in one place. A value outside is refused with the limit in the message.

use std::ops::RangeInclusive;

use crate::units::{Bytes, Factor, Rate, Span};

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
/// Length of any text.
pub(crate) const TEXT: usize = 4096;

pub(crate) const VARIANTS: usize = 32;
pub(crate) const POOLS: usize = 8;
pub(crate) const BACKENDS: usize = 16;
pub(crate) const ROUTES: usize = 32;
pub(crate) const CLASSES: usize = 16;
pub(crate) const USERS: RangeInclusive<u64> = 1..=10_000;
pub(crate) const ZIPF: RangeInclusive<f64> = 0.1..=5.0;
pub(crate) const HEADERS: usize = 32;
pub(crate) const STATUSES: usize = 16;
pub(crate) const TIMELINE: usize = 64;
pub(crate) const CLAIMS: usize = 64;

pub(crate) const REPEAT: RangeInclusive<u64> = 1..=100;
pub(crate) const WORKERS: RangeInclusive<u64> = 1..=64;
pub(crate) const AT_ONCE: RangeInclusive<u64> = 1..=100_000;
pub(crate) const QUEUE: RangeInclusive<u64> = 0..=1_000_000;
pub(crate) const IN_A_ROW: RangeInclusive<u64> = 1..=100;
pub(crate) const TRIES: RangeInclusive<u64> = 2..=10;
/// One address has that many ports towards another, above those that only root may take.
pub(crate) const CONNECTIONS: RangeInclusive<u64> = 1..=64_512;

pub(crate) const BOOT: RangeInclusive<Span> = Span::millis(0)..=Span::millis(60_000);
pub(crate) const LATENCY: RangeInclusive<Span> = Span::millis(0)..=Span::millis(60_000);
pub(crate) const TIMEOUT: RangeInclusive<Span> = Span::millis(1)..=Span::millis(60_000);
pub(crate) const RESPONSE_TIMEOUT: RangeInclusive<Span> = Span::millis(1)..=Span::millis(120_000);
pub(crate) const PROBE_EVERY: RangeInclusive<Span> = Span::millis(10)..=Span::millis(60_000);
pub(crate) const EJECTION: RangeInclusive<Span> = Span::millis(1)..=Span::millis(600_000);
pub(crate) const KEEPALIVE: RangeInclusive<Span> = Span::millis(1)..=Span::millis(3_600_000);
pub(crate) const LOAD: RangeInclusive<Span> = Span::millis(100)..=Span::millis(3_600_000);
pub(crate) const WARMUP: RangeInclusive<Span> = Span::millis(0)..=Span::millis(60_000);
pub(crate) const AT: RangeInclusive<Span> = Span::millis(0)..=Span::millis(3_600_000);
pub(crate) const FAULT: RangeInclusive<Span> = Span::millis(1)..=Span::millis(3_600_000);
pub(crate) const DRAIN: RangeInclusive<Span> = Span::millis(1)..=Span::millis(600_000);
pub(crate) const CURLS: RangeInclusive<u64> = 1..=100;
pub(crate) const RELOADS: RangeInclusive<u64> = 1..=1000;
pub(crate) const RELOAD_EVERY: RangeInclusive<Span> = Span::millis(10)..=Span::millis(3_600_000);
pub(crate) const RELOAD_GRACE: RangeInclusive<Span> = Span::millis(1000)..=Span::millis(600_000);
pub(crate) const READY: RangeInclusive<Span> = Span::millis(100)..=Span::millis(300_000);

pub(crate) const RATE: RangeInclusive<Rate> = Rate(0.1)..=Rate(20_000.0);
pub(crate) const BODY: RangeInclusive<Bytes> = Bytes(0)..=Bytes(1024 * 1024);
pub(crate) const COST: RangeInclusive<Factor> = Factor(0.01)..=Factor(1000.0);
pub(crate) const UPLOAD: RangeInclusive<Span> = Span::millis(1)..=Span::millis(60_000);
pub(crate) const SLOWER: RangeInclusive<Factor> = Factor(1.0)..=Factor(1000.0);

/// Requests of one cell, the warm-up included.
pub(crate) const REQUESTS: f64 = 5_000_000.0;
/// The least measured load before a deploy whose drain window is derived from it.
pub(crate) const BASELINE: Span = Span::millis(1000);
