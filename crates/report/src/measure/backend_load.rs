//! What the balancer gave each backend over the measured load, and what the backend had in hand meanwhile.

use std::collections::BTreeMap;

use model::ledger::Execution;
use model::plan::Variant;
use model::sample::{Sample, sample_every};
use model::units::Nanos;
use serde::{Deserialize, Serialize};

/// One backend, all its generations together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BackendLoad {
    /// Measured requests that it received, by its ledger. What a client gave up is among them.
    pub received: u64,
    /// What it had in hand; `None`: no sample was taken.
    pub in_hand: Option<InHand>,
}

/// What a backend had in hand, by its samples over the measured load. Means are over samples, maxima over what samples
/// saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InHand {
    /// Samples taken.
    pub samples: u64,
    /// Samples that should have been taken and were not answered in time.
    pub missing: u64,
    /// Mean number of requests received and not finished, those in the queue included.
    pub in_flight_mean: f64,
    /// The most of them.
    pub in_flight_max: u64,
    /// Mean number of requests that waited for a free place.
    pub queue_mean: f64,
    /// The most of them.
    pub queue_max: u64,
    /// By how many requests a second that number grew: the slope of the least-squares line through the samples. `None`:
    /// too few samples, or an earlier version did not ask.
    #[serde(default)]
    pub queue_growth: Option<f64>,
    /// Mean number of requests in flight by the balancer's own view; `None`: it has none.
    pub balancer_in_flight_mean: Option<f64>,
}

impl InHand {
    /// Whether a mean over the samples is one over the load: at most one in ten is missing.
    pub fn is_whole(&self) -> bool {
        self.missing * 9 <= self.samples
    }
}

/// The load on every backend that serves from the start, and on those that came later. `executions` are those of
/// measured requests, `origin` is when the first of them was due.
pub fn backend_loads<'a>(
    variant: &Variant,
    origin: Nanos,
    executions: impl IntoIterator<Item = &'a Execution>,
    samples: &[Sample],
) -> BTreeMap<String, BackendLoad> {
    let serving = variant.topology.pools.iter().flat_map(|pool| pool.serving());
    let mut loads: BTreeMap<String, BackendLoad> =
        serving.map(|backend| (backend.id.clone(), BackendLoad::default())).collect();
    for execution in executions {
        loads.entry(execution.by.backend.clone()).or_default().received += 1;
    }
    let end = origin + variant.traffic.duration.0;
    let every = sample_every(variant.topology.backends().count());
    let expected = variant.traffic.duration.0.div_duration_f64(every) as u64;
    for (backend, load) in &mut loads {
        load.in_hand = in_hand(backend, origin, end, expected, samples);
    }
    loads
}

fn in_hand(backend: &str, from: Nanos, to: Nanos, expected: u64, samples: &[Sample]) -> Option<InHand> {
    let measured = |at: &Nanos| from <= *at && *at < to;
    let (mut in_flight, mut queued, mut by_balancer) = (Vec::new(), Vec::new(), Vec::new());
    let mut queue = Vec::new();
    for sample in samples {
        match sample {
            Sample::Backend { at, status } if measured(at) && status.incarnation.backend == backend => {
                in_flight.push(status.in_flight);
                queued.push(status.queued);
                queue.push((at.millis_from(from) / 1e3, status.queued as f64));
            }
            Sample::Balancer { at, backend: seen, in_flight } if measured(at) && seen == backend => {
                by_balancer.push(*in_flight);
            }
            _ => {}
        }
    }
    let samples = in_flight.len() as u64;
    Some(InHand {
        samples,
        missing: expected.saturating_sub(samples),
        in_flight_mean: mean(&in_flight)?,
        in_flight_max: in_flight.iter().max().copied()?,
        queue_mean: mean(&queued)?,
        queue_max: queued.iter().max().copied()?,
        queue_growth: slope(&queue),
        balancer_in_flight_mean: mean(&by_balancer),
    })
}

/// The slope of the least-squares line through `points`; `None` with fewer than three, or all at one place.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let n = points.len() as f64;
    let (sum_x, sum_y) = points.iter().fold((0.0, 0.0), |(sx, sy), (x, y)| (sx + x, sy + y));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let together: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    (points.len() >= 3 && spread > 0.0).then(|| together / spread)
}

fn mean(counts: &[u64]) -> Option<f64> {
    (!counts.is_empty()).then(|| counts.iter().sum::<u64>() as f64 / counts.len() as f64)
}

/// How unevenly the requests were spread: the peak-to-average ratio, those of the busiest backend over the mean of its
/// pool, of the pool where that is greatest; of weighted backends, those per weight. Backups are meant to get none. `None`:
/// none of them received any.
pub fn imbalance(variant: &Variant, loads: &BTreeMap<String, BackendLoad>) -> Option<f64> {
    let of_pool = |pool: &model::topology::Pool| {
        let regular = pool.backends.iter().filter(|backend| !backend.backup);
        let received =
            regular.filter_map(|it| Some((loads.get(&it.id)?.received as f64, f64::from(it.weight))));
        let received: Vec<(f64, f64)> = received.collect();
        let most = received.iter().map(|(requests, weight)| requests / weight).max_by(f64::total_cmp)?;
        let (requests, weights) = received.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        (most > 0.0).then(|| most / (requests / weights))
    };
    variant.topology.pools.iter().filter_map(of_pool).max_by(f64::total_cmp)
}
