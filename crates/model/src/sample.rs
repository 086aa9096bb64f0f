//! What backends and balancer had in hand, looked at again and again while the load runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::job::BackendStatus;
use crate::units::Nanos;

/// Between two looks at the backends, where there are few.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// Backends that are looked at so often: with more, looks take processor time that the generator needs.
const SAMPLED_AT_ONCE: usize = 16;

/// Between two looks at so many backends: a second has at most 160 looks at a backend. What lies between them is not seen: a maximum of
/// samples is a maximum of what was seen.
pub fn sample_every(backends: usize) -> Duration {
    SAMPLE_EVERY * u32::try_from(backends.div_ceil(SAMPLED_AT_ONCE).max(1)).unwrap_or(u32::MAX)
}

/// One look at one backend: one line of a cell's `samples.ndjson`. A look that was not answered in time is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// What the backend says of itself.
    Backend {
        /// When its answer was there.
        at: Nanos,
        /// The answer.
        status: BackendStatus,
    },
    /// What the balancer's view says of the backend.
    Balancer {
        /// When its answer was there.
        at: Nanos,
        /// The backend.
        backend: String,
        /// Requests that the balancer has in flight there.
        in_flight: u64,
    },
}
