//! What backends and balancer had in hand, looked at again and again while the load runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::job::BackendStatus;
use crate::units::Nanos;

/// Between two looks at the backends. What lies between them is not seen: a maximum of samples is a maximum of what was seen.
pub const SAMPLE_EVERY: Duration = Duration::from_millis(100);

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
