//! What the machine added to the requests: the generator's own lateness, and that of the backends, which have nothing
//! to do but to wait for as long as was drawn. Waiting for a connection, for the balancer, or in a queue that the
//! scenario declares is the system's under test, and not in here.

use std::collections::BTreeMap;
use std::time::Duration;

use model::generators::LoadPart;
use model::history::{Event, Happening};
use model::ledger::Execution;
use model::outcome::{Cause, NotSent, Outcome, OutcomeKind};
use model::plan::{SavedPlan, Variant};
use model::records::CellRecords;
use model::request::Request;
use model::units::Nanos;
use serde::{Deserialize, Deserializer, Serialize};

use crate::analysis::evidence::Evidence;
use crate::analysis::joined::{Joined, Traces};
use crate::analysis::quantile::{Quantile, rank};
pub use crate::analysis::stalls::Standstill;
use crate::analysis::stalls::{MachineStalls, sender};

/// How late the machine was with the measured requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lateness {
    /// The generator's, at each percentile, in milliseconds; infinite where requests failed through its own fault. Of several
    /// the latest counts.
    #[serde(deserialize_with = "null_is_infinite")]
    pub generator_ms: BTreeMap<Quantile, f64>,
    /// That of each of several generators, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generators: Vec<GeneratorLateness>,
    /// The backends', likewise; empty: they did not say.
    #[serde(deserialize_with = "null_is_infinite")]
    pub backends_ms: BTreeMap<Quantile, f64>,
    /// The longest time that a backend stood still; `None`: none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standstill: Option<Standstill>,
    /// Timeouts of which no cause is proved, because the machine had let the request wait.
    #[serde(default)]
    pub unproven_timeouts: u64,
    /// The shortest time limit of the cell, in milliseconds.
    #[serde(default)]
    pub limit_ms: f64,
}

/// How late one of several generators was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorLateness {
    /// At each percentile of its own requests, in milliseconds.
    #[serde(deserialize_with = "null_is_infinite")]
    pub ms: BTreeMap<Quantile, f64>,
}

/// JSON has no infinity, and serde_json writes null instead.
fn null_is_infinite<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Quantile, f64>, D::Error> {
    let levels = BTreeMap::<Quantile, Option<f64>>::deserialize(from)?;
    Ok(levels.into_iter().map(|(quantile, ms)| (quantile, ms.unwrap_or(f64::INFINITY))).collect())
}

/// The lateness, in milliseconds, from which on it may have decided whether a time limit was kept: a tenth of the limit.
/// What comes so near to its limit that less would decide is rare, and would be a coin flip on any machine. At least
/// 10 ms: on a machine with both processors busy, timers and turns alone take as much at p99.
fn much(limit: Duration) -> f64 {
    f64::max(10.0, 0.1 * ms(limit))
}

/// The time limits of a cell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeLimits {
    /// How long a client waits.
    timeout: Duration,
    /// The shortest of all: the clients' timeout, the probes that take a backend out, a drain window.
    shortest: Duration,
}

impl TimeLimits {
    /// Those of a cell of `variant` with this history.
    pub(crate) fn of(variant: &Variant, history: &[Event]) -> TimeLimits {
        let timeout = variant.traffic.timeout.0;
        let check = variant.topology.health_check.as_ref();
        let probes = check.map(|check| check.every.0 * check.fall.saturating_sub(1) + check.timeout.0);
        let windows = history.iter().filter_map(|event| match event.what {
            Happening::DrainWindow { window, .. } => Some(window.0),
            _ => None,
        });
        TimeLimits { timeout, shortest: windows.chain(probes).fold(timeout, Duration::min) }
    }
}

impl Lateness {
    /// Who was so late at p99 that what did not happen in time may be the machine's doing, and by how many milliseconds: the
    /// backends, or a generator, whose lateness is everything else's where processes of others had the processors.
    pub(crate) fn much_late(&self, processors_were_taken: bool) -> Option<(String, f64)> {
        let limit = much(Duration::from_secs_f64(self.limit_ms / 1e3));
        let at = |of: &BTreeMap<Quantile, f64>| of.get(&Quantile::P99).copied().filter(|late| *late >= limit);
        let generator = || at(&self.generator_ms).filter(|_| processors_were_taken && self.limit_ms > 0.0);
        let backends = at(&self.backends_ms).map(|late| ("the backends".to_owned(), late));
        backends.or_else(|| generator().map(|late| (self.latest_generator(Quantile::P99).words(), late)))
    }

    /// Which generator was the latest at a percentile.
    pub(crate) fn latest_generator(&self, quantile: Quantile) -> LoadPart {
        let of = u32::try_from(self.generators.len()).unwrap_or(u32::MAX);
        let late = |it: &GeneratorLateness| it.ms.get(&quantile).copied().unwrap_or(0.0);
        let each = LoadPart::all(of).zip(&self.generators);
        each.max_by(|a, b| late(a.1).total_cmp(&late(b.1))).map_or(LoadPart::WHOLE, |(part, _)| part)
    }

    /// How much the machine may have added to something that took time, in milliseconds: what it added to one of a hundred
    /// requests.
    pub(crate) fn of_a_moment(&self) -> f64 {
        let at = |of: &BTreeMap<Quantile, f64>| of.get(&Quantile::P99).copied().unwrap_or(0.0);
        at(&self.generator_ms).max(at(&self.backends_ms))
    }

    /// How much the machine may have added to a percentile of the latency, in milliseconds.
    pub(crate) fn of_percentile(&self, quantile: Quantile) -> f64 {
        let at = |of: &BTreeMap<Quantile, f64>| of.get(&quantile).copied().unwrap_or(0.0);
        at(&self.generator_ms) + at(&self.backends_ms)
    }

    /// That of `measured` requests.
    pub(crate) fn of<'a>(
        machine: &MachineStalls,
        measured: impl Iterator<Item = (&'a Request, Traces<'a>)>,
        evidence: &Evidence,
        origin: Nanos,
        limits: TimeLimits,
    ) -> Lateness {
        let timeout = limits.timeout;
        let of = machine.generators();
        let mut generators: Vec<Vec<f64>> = LoadPart::all(of).map(|_| Vec::new()).collect();
        let (mut backends, mut timeouts) = (Vec::new(), Vec::new());
        for (request, traces) in measured {
            let executions = traces.executions;
            let kind = request.outcome.kind();
            generators[sender(request, of)].push(match kind {
                OutcomeKind::GeneratorFault => f64::INFINITY,
                _ => ms(machine.of_generator(request, executions)),
            });
            backends.extend(machine.of_backends(request, executions).map(ms));
            if depends_on_time(kind) && !fails_anyway(request, traces, evidence, timeout) {
                timeouts.push(ms(machine.around(request, executions)));
            }
        }
        let ms_of = |late: Vec<f64>| GeneratorLateness { ms: quantiles(late) };
        let generators: Vec<GeneratorLateness> = generators.into_iter().map(ms_of).collect();
        let mut generator_ms: BTreeMap<Quantile, f64> = BTreeMap::new();
        for (quantile, late) in generators.iter().flat_map(|it| &it.ms) {
            let worst = generator_ms.entry(*quantile).or_insert(*late);
            *worst = worst.max(*late);
        }
        let mut lateness = Lateness {
            generator_ms,
            generators: if of > 1 { generators } else { Vec::new() },
            backends_ms: quantiles(backends),
            standstill: machine.longest(origin),
            unproven_timeouts: 0,
            limit_ms: ms(limits.shortest),
        };
        // Everything was late, whatever stood still.
        let always = lateness.of_a_moment();
        let unproven = timeouts.iter().filter(|around| always.max(**around) >= much(timeout)).count();
        lateness.unproven_timeouts = unproven as u64;
        lateness
    }
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

fn quantiles(mut values: Vec<f64>) -> BTreeMap<Quantile, f64> {
    values.sort_unstable_by(f64::total_cmp);
    let at = |q: Quantile| Some((q, *values.get(rank(q.part(), values.len() as u64))?));
    Quantile::ALL.iter().copied().filter_map(at).collect()
}

/// Whether a request ends so because time ran out, and not because of something that happened to it.
pub(crate) fn depends_on_time(kind: OutcomeKind) -> bool {
    matches!(kind, OutcomeKind::Timeout | OutcomeKind::ConnectTimeout | OutcomeKind::NotSentBacklog)
}

/// How much of its timeout a request may lack without that having decided anything.
fn tolerance(timeout: Duration) -> Duration {
    Duration::from_millis(1).max(timeout / 100)
}

/// A cell's records, corrected for the generator's own lateness: a request that ran out of time because of it ends as
/// [`Cause::Late`]. Only such requests are copied.
pub struct Corrected<'r> {
    pub(crate) records: &'r CellRecords,
    /// Those that end otherwise, by their place among the client's records.
    late: BTreeMap<usize, Request>,
    /// What the cell did, if its load ended earlier than the plan says.
    pub(crate) shortened: Option<Variant>,
}

impl<'r> Corrected<'r> {
    /// What `records` say, corrected.
    pub fn of(plan: &SavedPlan, records: &'r CellRecords) -> Corrected<'r> {
        Corrected {
            records,
            late: late(plan, records).unwrap_or_default(),
            shortened: shortened(plan, records),
        }
    }

    /// The client's records, in the order in which they were written.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &Request> {
        self.records
            .requests
            .iter()
            .enumerate()
            .map(|(place, request)| self.late.get(&place).unwrap_or(request))
    }
}

/// The variant with the load that there was, if that ended once all had settled.
fn shortened(plan: &SavedPlan, records: &CellRecords) -> Option<Variant> {
    let after = records.history.iter().rev().find_map(|event| match event.what {
        Happening::LoadShortened { after, .. } => Some(after),
        _ => None,
    })?;
    let mut variant = plan.variant(&records.cell.variant)?.clone();
    variant.traffic.duration = after;
    Some(variant)
}

/// The requests that the generator's lateness decided about, as they end because of that; `None`: there are none.
fn late(plan: &SavedPlan, records: &CellRecords) -> Option<BTreeMap<usize, Request>> {
    let traffic = &plan.variant(&records.cell.variant)?.traffic;
    let timeout = traffic.timeout.0;
    let suspect = |request: &Request| {
        let late = request.released.since(request.due) > Duration::ZERO;
        let overdue = request.end.since(request.due) > timeout;
        (depends_on_time(request.outcome.kind()) && late) || (is_answered(request) && overdue)
    };
    if !records.requests.iter().any(suspect) {
        return None;
    }
    let evidence = Evidence::gather(&records.history);
    let machine = MachineStalls::of(&records.history, &records.requests, &evidence, traffic.generators);
    let joined = Joined::of(&records.requests, &records.executions, &records.access);
    let verdict = |(n, request): (usize, &Request)| {
        let outcome = as_corrected(request, joined.get(request.id), &machine, &evidence, timeout)?;
        Some((n, Request { outcome, ..request.clone() }))
    };
    Some(records.requests.iter().enumerate().filter(|(_, r)| suspect(r)).filter_map(verdict).collect())
}

fn is_answered(request: &Request) -> bool {
    matches!(request.outcome, Outcome::Answered { .. })
}

/// How a request ends if the generator's lateness decided; `None`: it did not.
fn as_corrected(
    request: &Request,
    traces: Traces<'_>,
    machine: &MachineStalls,
    evidence: &Evidence,
    timeout: Duration,
) -> Option<Outcome> {
    let spare = tolerance(timeout);
    let lacked = MachineStalls::at_begin(request);
    match request.outcome {
        // It may have arrived in time, or not: the generator did not look.
        Outcome::Answered { .. } if request.end > request.due + timeout + spare => {
            Some(Outcome::Failed { stage: model::outcome::Stage::Body, cause: Cause::Late })
        }
        Outcome::NotSent(NotSent::Backlog) if lacked > spare => Some(Outcome::NotSent(NotSent::Stall)),
        Outcome::Failed { stage, cause: Cause::Timeout } => {
            let finished = traces.executions.iter().filter_map(|execution| execution.finished).max();
            let unread = finished.map_or(Duration::ZERO, |finished| machine.at_end(request, finished));
            // Finished after the client gave up, and before it would have.
            let just_missed =
                finished.is_some_and(|f| f > request.due + timeout && f <= request.due + lacked + timeout);
            let short = lacked > spare && !fails_anyway(request, traces, evidence, timeout);
            (short || just_missed || unread > spare).then_some(Outcome::Failed { stage, cause: Cause::Late })
        }
        _ => None,
    }
}

/// Whether it is known that a request would have run out of its whole timeout as well: its backend was gone or did not
/// answer, or took longer.
fn fails_anyway(request: &Request, traces: Traces<'_>, evidence: &Evidence, timeout: Duration) -> bool {
    let latest = request.due + MachineStalls::at_begin(request) + timeout;
    let of_execution = |execution: &&Execution| {
        let backend = &execution.by.backend;
        evidence.gone(backend, execution.received, request.end)
            || evidence.unanswering(backend, execution.received, request.end)
            || execution.finished.is_some_and(|finished| finished > latest)
    };
    let attempts = || traces.logged.iter().flat_map(|line| &line.attempts);
    let tried_in_vain = attempts().filter_map(|attempt| attempt.backend.as_deref());
    traces.executions.iter().any(of_execution)
        || tried_in_vain.into_iter().any(|backend| evidence.gone(backend, request.due, request.end))
}
