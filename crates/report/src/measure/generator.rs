//! What the load generator says about itself.

use std::time::Duration;

use model::generators::LoadPart;
use model::job::{GeneratorReport, wake_quantum};
use model::plan::Variant;
use model::request::Request;
use serde::{Deserialize, Serialize};

use crate::analysis::stalls::sender;
use crate::measure::validity;

/// What the generator says about itself; several of them, put together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// CPU seconds for a million requests.
    pub cpu_seconds_per_million: Option<f64>,
    /// Median of its own lateness, in milliseconds.
    pub late_wake_p50_ms: f64,
    /// 99th percentile of it.
    pub late_wake_p99_ms: f64,
    /// The most CPU time that it used in a second, as a part of one processor; of several, the one that used most.
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
    /// Each of several, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<GeneratorPart>,
}

/// What one of several generators says about itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorPart {
    /// Requests that it recorded, those of the warm-up included; `None`: it did not report at its end.
    pub recorded: Option<u64>,
    /// 99th percentile of its own lateness, in milliseconds.
    pub late_wake_p99_ms: f64,
    /// The most CPU time that it used in a second, as a part of one processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busiest_second: Option<f64>,
}

impl Generator {
    /// What it reported at its end, beside what the records of `measured` requests show.
    pub(crate) fn of(
        report: Option<&GeneratorReport>,
        variant: Option<&Variant>,
        measured: &[&Request],
    ) -> Generator {
        let parts = parts(report, variant.map_or(1, |variant| variant.traffic.generators), measured);
        let report = report.cloned().unwrap_or_default();
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
            parts,
        }
    }

    /// The generator that used most of a processor in a second, and how much of it.
    pub(crate) fn busiest(&self) -> Option<(LoadPart, f64)> {
        let of = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        let each = LoadPart::all(of).zip(&self.parts);
        let known = each.filter_map(|(part, it)| Some((part, it.busiest_second?)));
        let whole = || Some((LoadPart::WHOLE, self.busiest_second?));
        known.max_by(|a, b| a.1.total_cmp(&b.1)).or_else(whole)
    }
}

/// What each of several generators says; nothing of one.
fn parts(report: Option<&GeneratorReport>, generators: u32, measured: &[&Request]) -> Vec<GeneratorPart> {
    let all = LoadPart::all(generators);
    if all.len() == 1 {
        return Vec::new();
    }
    let mut sent: Vec<Vec<&Request>> = vec![Vec::new(); all.len()];
    for request in measured {
        sent[sender(request, generators)].push(request);
    }
    let of = |(n, sent): (usize, Vec<&Request>)| {
        let own = report.and_then(|report| report.parts.get(n));
        GeneratorPart {
            recorded: own.map(|own| own.recorded),
            late_wake_p99_ms: validity::late_wake(&sent).1,
            busiest_second: own.and_then(|own| own.busiest_second),
        }
    };
    sent.into_iter().enumerate().map(of).collect()
}

/// The steps in which requests are released, if there are too many for a wake-up each.
fn quantum(variant: &Variant) -> Option<f64> {
    // That of the generator that sends most.
    let rates = LoadPart::all(variant.traffic.generators).map(|part| variant.traffic.rate_of(part));
    let rate = rates.max_by(|one, other| one.0.total_cmp(&other.0))?;
    let (apart, quantum) = (Duration::try_from_secs_f64(1.0 / rate.0).ok()?, wake_quantum(rate));
    (apart < quantum).then_some(quantum.as_secs_f64() * 1e3)
}
