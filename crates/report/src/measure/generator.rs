//! What the load generator says about itself.

use std::time::Duration;

use model::job::{GeneratorReport, WAKE_QUANTUM};
use model::plan::Variant;
use model::request::Request;
use serde::{Deserialize, Serialize};

use crate::measure::validity;

/// What the generator says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// CPU seconds for a million requests.
    pub cpu_seconds_per_million: Option<f64>,
    /// Median of its own lateness, in milliseconds.
    pub late_wake_p50_ms: f64,
    /// 99th percentile of it.
    pub late_wake_p99_ms: f64,
    /// The most CPU time that it used in a second, as a part of one processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busiest_second: Option<f64>,
    /// Requests are released in steps of this, in milliseconds, because there are more than its timer serves one by one:
    /// up to so much of each latency is its own. `None`: each has its own moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantum_ms: Option<f64>,
    /// Connections opened.
    pub connections: u64,
    /// Idle connections that the peer closed without having announced it.
    pub unannounced_closes: u64,
    /// Connections whose end a response had announced.
    pub announced_closes: u64,
    /// Connections that were given up because the peer sent more than its responses.
    #[serde(default)]
    pub surplus: u64,
}

impl Generator {
    /// What it reported at its end, beside what the records of `measured` requests show.
    pub(crate) fn of(
        report: Option<GeneratorReport>,
        variant: Option<&Variant>,
        measured: &[&Request],
    ) -> Generator {
        let report = report.unwrap_or_default();
        let (late_wake_p50_ms, late_wake_p99_ms) = validity::late_wake(measured);
        Generator {
            cpu_seconds_per_million: (report.recorded > 0)
                .then(|| report.cpu_seconds * 1e6 / report.recorded as f64),
            late_wake_p50_ms,
            late_wake_p99_ms,
            busiest_second: report.busiest_second,
            quantum_ms: variant.and_then(quantum),
            connections: report.connections,
            unannounced_closes: report.unannounced_closes,
            announced_closes: report.announced_closes,
            surplus: report.surplus,
        }
    }
}

/// The steps in which requests are released, if there are too many for a wake-up each.
fn quantum(variant: &Variant) -> Option<f64> {
    let apart = Duration::try_from_secs_f64(1.0 / variant.traffic.rate.0).unwrap_or(Duration::MAX);
    (apart < WAKE_QUANTUM).then(|| WAKE_QUANTUM.as_secs_f64() * 1e3)
}
