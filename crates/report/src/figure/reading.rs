//! The number that a claim is about, looked up in a cell's summary.

use model::claim::{Comparison, Metric, PartOf, RestsOn, Unit};
use model::detection::DetectionBound;
use model::outcome::OutcomeKind;

use crate::analysis::faults::{FaultRecord, TimeToEject};
use crate::measure::after_signal::AfterSignal;
use crate::measure::backend_load::InHand;
use crate::measure::balancer_log::{BalancerLog, Queued};
use crate::measure::counts::dropped_kinds;
use crate::measure::deploy::DeployRecord;
use crate::measure::latency::{Level, Quantile};
use crate::measure::losses::Losses;
use crate::measure::sessions::{SessionRecord, UserRecord};
use crate::measure::summary::CellSummary;
use crate::measure::tls::TlsRecord;
use crate::measure::validity::{CellValidity, Validity};
use crate::numbers::{micros, millis, number, percent};

/// Why a cell has no such number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoReading(pub String);

/// Reads `metric` of `cell`: a count, a number, milliseconds (infinite among failed requests), or a
/// share from 0 to 1.
pub fn read(cell: &CellSummary, metric: Metric, facet: Option<&str>) -> Result<f64, NoReading> {
    let no_deploy = || NoReading(format!("{} has no deploy", cell.cell()));
    let deploy = || cell.deploy.as_ref().ok_or_else(no_deploy);
    let latency = |quantile: Quantile| match cell.latency_ms.level(quantile) {
        Level::Ms(ms) => Ok(ms),
        Level::Failed => Ok(f64::INFINITY),
        Level::TooFew => Err(NoReading(format!(
            "{} needs {} requests, and {} were measured",
            quantile.name(),
            quantile.needs(),
            cell.counts.scheduled
        ))),
    };
    let count = |count: u64| Ok(count as f64);
    let routing = || cell.routing.clone().unwrap_or_default();
    match metric {
        Metric::Scheduled => count(cell.counts.scheduled),
        Metric::Ok => count(cell.counts.of(OutcomeKind::Ok)),
        Metric::ExpectedStatus => count(cell.counts.of(OutcomeKind::ExpectedStatus)),
        Metric::Dropped => count(cell.counts.dropped),
        Metric::ErrorRate => match cell.counts.scheduled {
            0 => Err(NoReading(format!("{} has no measured requests", cell.cell()))),
            scheduled => Ok(cell.counts.dropped as f64 / scheduled as f64),
        },
        Metric::TimeToFirstLoss => {
            losses(cell)?.first_ms.ok_or_else(|| NoReading("nothing was dropped".to_owned()))
        }
        Metric::LongestOutage => Ok(losses(cell)?.longest_ms),
        Metric::Http5xx
        | Metric::Reset
        | Metric::Closed
        | Metric::Refused
        | Metric::Timeout
        | Metric::NotSent => count(cell.counts.of_any(dropped_kinds(metric).unwrap_or_default())),
        Metric::Status => {
            let status: Option<u16> = facet.and_then(|status| status.parse().ok());
            count(status.and_then(|status| cell.answers.statuses.get(&status)).copied().unwrap_or(0))
        }
        Metric::Flag => match &cell.answers.flags {
            Some(flags) => count(facet.and_then(|flag| flags.get(flag)).copied().unwrap_or(0)),
            None => Err(NoReading(cell.books.blind().unwrap_or_else(|| "no access log was read".to_owned()))),
        },
        Metric::RefusedByLimit => balancer_log(cell)?.refused_by_limit.map(|n| n as f64).ok_or_else(|| {
            NoReading("its log has the same words for a limit and for backends that are down".to_owned())
        }),
        Metric::RetriesPerRequest | Metric::Masked if tries_untold(cell) => {
            Err(NoReading("its log does not say how often it tried a request".to_owned()))
        }
        Metric::RetriesPerRequest => balancer_log(cell)?
            .retries_per_request()
            .ok_or_else(|| NoReading("the balancer tried none of the requests, by its log".to_owned())),
        Metric::QueuedP50 => queued(cell, Quantile::P50, |queued| queued.p50_ms),
        Metric::QueuedP99 => queued(cell, Quantile::P99, |queued| queued.p99_ms),
        Metric::Ejections => ejections(cell, facet),
        Metric::Masked if cell.books.masked_unknown().is_some() => {
            Err(NoReading(cell.books.masked_unknown().unwrap_or_default()))
        }
        Metric::Duplicates if cell.books.unexecuted().is_some() => {
            Err(NoReading(cell.books.unexecuted().unwrap_or_default()))
        }
        Metric::Duplicates => count(cell.books.duplicates),
        Metric::Masked => count(cell.books.masked),
        Metric::Misrouted => match cell.routing.as_ref().and_then(|routing| routing.expected) {
            Some(_) => count(routing().misrouted),
            None => Err(NoReading("no class of the mix says which pool it expects".to_owned())),
        },
        Metric::SplitDisagreements => match cell.routing.as_ref().and_then(|routing| routing.compared) {
            Some(_) => count(routing().disagreements),
            None => Err(NoReading("the access log has no pools to compare with".to_owned())),
        },
        Metric::PoolShare => match facet.and_then(|pool| routing().pools.get(pool).copied()) {
            Some(share) => Ok(share.share),
            None => Err(NoReading(format!("{} has one pool", cell.cell()))),
        },
        Metric::Replaced => count(deploy()?.replaced),
        Metric::Removed => count(deploy()?.scaling.removed),
        Metric::Added => count(deploy()?.scaling.added),
        Metric::Aborted => count(u64::from(deploy()?.aborted.is_some())),
        Metric::DrainsExpired => match deploy()?.drains_unseen {
            0 => count(deploy()?.drains_expired),
            unseen => Err(NoReading(format!(
                "it is not known what {unseen} backends had in flight when their drains ended: this balancer has no view of it, \
                 and your own service keeps no ledger"
            ))),
        },
        Metric::LongestDrain => match deploy()?.longest_drain {
            Some(longest) => Ok(longest.as_millis()),
            None => Err(NoReading("nothing was drained".to_owned())),
        },
        Metric::ToldLate => told_late(&after_signals(deploy()?)?),
        Metric::SentAfterSignal => count(after_signals(deploy()?)?.iter().map(|it| it.sent).sum()),
        Metric::SentAfterExit => count(after_signals(deploy()?)?.iter().map(|it| it.sent_after_exit).sum()),
        Metric::LastAfterSignal => {
            let each = after_signals(deploy()?)?;
            Ok(each.iter().filter_map(|it| it.last_ms).max_by(f64::total_cmp).unwrap_or(0.0))
        }
        Metric::LastAtOldAddress => {
            let each = deploy()?.replacements.iter().filter_map(|it| it.last_at_old_ms);
            each.max_by(f64::total_cmp).ok_or_else(|| {
                NoReading("no record was removed: it is told of deploys with `discovery`".to_owned())
            })
        }
        Metric::KilledAtGrace => {
            count(after_signals(deploy()?)?.iter().filter(|it| it.killed).count() as u64)
        }
        Metric::Reloads => count(cell.reloads.map_or(0, |reloads| reloads.count)),
        Metric::P50 => latency(Quantile::P50),
        Metric::P90 => latency(Quantile::P90),
        Metric::P95 => latency(Quantile::P95),
        Metric::P99 => latency(Quantile::P99),
        Metric::P999 => latency(Quantile::P999),
        Metric::Max => latency(Quantile::Max),
        Metric::BackendShare => match facet.and_then(|backend| cell.backends.get(backend)) {
            Some(share) => Ok(share.share),
            None => Err(NoReading(format!("{} has no backend {}", cell.cell(), facet.unwrap_or("?")))),
        },
        Metric::Imbalance => cell
            .imbalance
            .ok_or_else(|| NoReading(format!("no backend of {} received anything", cell.cell()))),
        Metric::SessionsLost => count(sessions(cell)?.lost),
        Metric::SessionsKept => count(sessions(cell)?.kept),
        Metric::UpdatesLost => count(sessions(cell)?.updates_lost),
        Metric::UsersMoved => count(users(cell)?.moved),
        Metric::QueueMax => greatest(cell, facet, |hand| Ok(hand.queue_max as f64)),
        Metric::QueueMean => greatest(cell, facet, |hand| Ok(hand.queue_mean)),
        Metric::QueueGrowth => greatest(cell, facet, |hand| {
            hand.queue_growth.ok_or_else(|| NoReading(format!("{} has too few samples", cell.cell())))
        }),
        Metric::InFlightMax => greatest(cell, facet, |hand| Ok(hand.in_flight_max as f64)),
        Metric::InFlightMean => greatest(cell, facet, |hand| Ok(hand.in_flight_mean)),
        Metric::HandshakesFull => count(tls(cell)?.handshakes.full),
        Metric::HandshakesResumed => count(tls(cell)?.handshakes.resumed),
        Metric::BackendHandshakes => match tls(cell)?.at_backends {
            Some(handshakes) => count(handshakes.all()),
            None => Err(NoReading(format!("no handshakes of backends were seen in {}", cell.cell()))),
        },
        Metric::BalancerCpu => cpu(cell, cell.cpu.balancer_us_per_request),
        Metric::BackendCpu => cpu(cell, cell.cpu.backends_us_per_request),
        Metric::Cpu => {
            let both = cell.cpu.balancer_us_per_request.zip(cell.cpu.backends_us_per_request);
            cpu(cell, both.map(|(balancer, backends)| balancer + backends))
        }
        Metric::BalancerCpuPerHandshake => cpu(cell, cell.cpu.balancer_us_per_handshake),
        Metric::BackendCpuPerHandshake => cpu(cell, cell.cpu.backends_us_per_handshake),
        Metric::Detection => worst(cell, facet, |fault| Ok(fault.seen_down.as_ref().map(|seen| seen.ms))),
        Metric::Bound => worst(cell, facet, |fault| match &fault.bound {
            DetectionBound::Within { most, .. } => Ok(Some(most.as_millis())),
            DetectionBound::None { reason } => Err(NoReading(format!("no bound: {reason}"))),
        }),
        Metric::TimeToEject => worst(cell, facet, |fault| match fault.time_to_eject {
            TimeToEject::After { ms, .. } => Ok(Some(ms)),
            TimeToEject::Never => Ok(None),
            TimeToEject::TooShort => {
                Err(NoReading("the fault did not last long enough to see an ejection".to_owned()))
            }
        }),
        Metric::TimeToRestore => worst(cell, facet, |fault| match fault.healed_ms {
            Some(_) => Ok(fault.time_to_restore_ms),
            None => Err(NoReading("the fault was not healed".to_owned())),
        }),
        Metric::FailedRequests => faults_of(cell, facet)
            .map(|faults| faults.iter().map(|fault| fault.failed_requests()).sum::<u64>() as f64),
    }
}

/// What the balancer sent to each backend after its signal. In a deploy with a drain there is nothing to send, and the address
/// is soon taken again.
fn after_signals(deploy: &DeployRecord) -> Result<Vec<&AfterSignal>, NoReading> {
    match deploy.termination.is_some() || deploy.scaling.removals > 0 {
        true => Ok(deploy.after_signals().collect()),
        false => Err(NoReading("it is told of removals, and of deploys with `told_after`".to_owned())),
    }
}

/// How late the balancer was told of the backend that it was told of last.
fn told_late(each: &[&AfterSignal]) -> Result<f64, NoReading> {
    let each = each.iter().map(|it| it.told_ms).collect::<Option<Vec<f64>>>();
    match each.map(|each| each.into_iter().max_by(f64::total_cmp)) {
        Some(Some(latest)) => Ok(latest.max(0.0)),
        Some(None) => Err(NoReading("no backend was ended".to_owned())),
        None => Err(NoReading("the balancer was never told".to_owned())),
    }
}

/// What the log says beside how requests ended.
fn tries_untold(cell: &CellSummary) -> bool {
    cell.balancer_log.is_some_and(|log| log.attempts.is_none())
}

fn balancer_log(cell: &CellSummary) -> Result<&BalancerLog, NoReading> {
    let why = || cell.books.blind().unwrap_or_else(|| "its access log was not asked for that".to_owned());
    cell.balancer_log.as_ref().ok_or_else(|| NoReading(why()))
}

/// That a log says nothing of it is no zero.
fn queued(
    cell: &CellSummary,
    quantile: Quantile,
    ms: impl Fn(&Queued) -> Option<f64>,
) -> Result<f64, NoReading> {
    let untold = || NoReading("its log does not say how long requests waited at it".to_owned());
    let queued = balancer_log(cell)?.queued.ok_or_else(untold)?;
    ms(&queued).ok_or_else(|| {
        let (name, needs) = (quantile.name(), quantile.needs());
        NoReading(format!("{name} needs {needs} requests, and the log says it of {}", queued.requests))
    })
}

/// Of one backend, or of all.
fn ejections(cell: &CellSummary, backend: Option<&str>) -> Result<f64, NoReading> {
    if !cell.tells_health {
        return Err(NoReading(format!("{} does not say which backends are down", cell.balancer)));
    }
    let of = cell.ejections.iter().filter(|(known, _)| backend.is_none_or(|backend| backend == *known));
    Ok(of.map(|(_, it)| it.downs).sum::<u64>() as f64)
}

/// A summary of an earlier version has none.
fn losses(cell: &CellSummary) -> Result<Losses, NoReading> {
    cell.losses.ok_or_else(|| {
        NoReading(format!("the time at which {} dropped requests was not recorded", cell.cell()))
    })
}

fn tls(cell: &CellSummary) -> Result<TlsRecord, NoReading> {
    cell.tls.ok_or_else(|| NoReading(format!("{} has no TLS", cell.cell())))
}

/// In milliseconds, as every time.
fn cpu(cell: &CellSummary, us: Option<f64>) -> Result<f64, NoReading> {
    us.map(|us| us / 1e3).ok_or_else(|| NoReading(format!("{} has no such CPU time", cell.cell())))
}

fn users(cell: &CellSummary) -> Result<UserRecord, NoReading> {
    cell.users.ok_or_else(|| NoReading(format!("the load of {} has no users", cell.cell())))
}

/// What was not reported is not a zero.
fn sessions(cell: &CellSummary) -> Result<SessionRecord, NoReading> {
    let none = || NoReading(format!("no backend of {} reported sessions", cell.cell()));
    let sessions = users(cell)?.sessions.ok_or_else(none)?;
    match sessions.was_put_to_the_test() {
        true => Ok(sessions),
        false => Err(NoReading(format!("no session of {} was used again", cell.cell()))),
    }
}

/// A figure of what a backend had in hand; without a backend, of the one where it is greatest.
fn greatest(
    cell: &CellSummary,
    backend: Option<&str>,
    figure: impl Fn(&InHand) -> Result<f64, NoReading>,
) -> Result<f64, NoReading> {
    if backend.is_some() {
        return figure(in_hand(cell, backend)?);
    }
    let each = cell.load.keys().map(|backend| figure(in_hand(cell, Some(backend))?));
    let figures = each.collect::<Result<Vec<_>, _>>()?;
    let greatest = figures.into_iter().max_by(f64::total_cmp);
    greatest.ok_or_else(|| NoReading(format!("{} has no samples", cell.cell())))
}

/// How many there can be of `metric`: what a claim's `all` stands for. `None`: it is no part of anything, or that was not
/// counted.
pub fn whole(cell: &CellSummary, metric: Metric) -> Option<u64> {
    match metric.whole()? {
        PartOf::Requests => Some(cell.counts.scheduled),
        PartOf::Responses => cell.routing.as_ref()?.expected,
        PartOf::Ids => cell.routing.as_ref()?.compared,
        PartOf::Backends | PartOf::Drains => cell.deploy.as_ref().map(|deploy| deploy.planned),
        PartOf::Removals => cell.deploy.as_ref().map(|deploy| deploy.scaling.removals),
        PartOf::Additions => cell.deploy.as_ref().map(|deploy| deploy.scaling.additions),
        PartOf::Sessions => cell.users?.sessions.map(|sessions| sessions.named),
        PartOf::Users => cell.users.map(|users| users.users),
    }
}

/// What a backend had in hand, if enough samples say so.
fn in_hand<'c>(cell: &'c CellSummary, facet: Option<&str>) -> Result<&'c InHand, NoReading> {
    let backend = facet.unwrap_or("?");
    let in_hand = cell.load.get(backend).and_then(|load| load.in_hand.as_ref());
    let in_hand = in_hand.ok_or_else(|| NoReading(format!("{} has no samples of {backend}", cell.cell())))?;
    if in_hand.is_whole() {
        return Ok(in_hand);
    }
    let InHand { samples, missing, .. } = in_hand;
    Err(NoReading(format!("{} has {samples} samples of {backend}, and {missing} are missing", cell.cell())))
}

/// The faults of a backend.
fn faults_of<'a>(cell: &'a CellSummary, backend: Option<&str>) -> Result<Vec<&'a FaultRecord>, NoReading> {
    let faults: Vec<_> = cell.faults.iter().filter(|fault| Some(fault.backend.as_str()) == backend).collect();
    match faults.is_empty() {
        true => Err(NoReading(format!("{} has no fault of {}", cell.cell(), backend.unwrap_or("?")))),
        false => Ok(faults),
    }
}

/// The longest time among a backend's faults; what never happened takes for ever.
fn worst(
    cell: &CellSummary,
    backend: Option<&str>,
    time: impl Fn(&FaultRecord) -> Result<Option<f64>, NoReading>,
) -> Result<f64, NoReading> {
    faults_of(cell, backend)?
        .into_iter()
        .try_fold(0.0, |worst: f64, fault| time(fault).map(|time| worst.max(time.unwrap_or(f64::INFINITY))))
}

/// Why `metric` could not be read in this cell, whatever happened in it; `None`: it could.
pub fn does_not_apply(cell: &CellSummary, metric: Metric, facet: Option<&str>) -> Option<String> {
    let blind = matches!(metric, Metric::Detection | Metric::Bound)
        && faults_of(cell, facet).ok()?.iter().all(|fault| fault.looked_every_ms.is_none());
    blind.then(|| format!("{} does not say which backends are down", cell.balancer))
}

/// Whether the balancer was not asked who was down.
pub(crate) fn is_blind(cell: &CellSummary) -> bool {
    cell.faults.iter().all(|fault| fault.looked_every_ms.is_none())
}

/// Whether `metric` is a percentile of the latency.
pub fn is_latency(metric: Metric) -> bool {
    metric.rests_on() == RestsOn::Percentile
}

/// Whether `metric` is a CPU time.
pub fn is_cpu(metric: Metric) -> bool {
    metric.rests_on() == RestsOn::CpuTime
}

/// What has to be trusted so that `metric` can be.
pub fn inputs(cell: &CellSummary, metric: Metric) -> Vec<&Validity> {
    // Where what was to happen did not, no number says what it does.
    let CellValidity { counts, deploy, timeline, .. } = &cell.validity;
    let mut inputs: Vec<_> = std::iter::once(counts).chain(deploy).chain(timeline).collect();
    match metric.rests_on() {
        RestsOn::Counts | RestsOn::Pace => {}
        RestsOn::Percentile => {
            inputs.extend(Quantile::of(metric).map(|quantile| cell.validity.percentile(quantile)));
        }
        RestsOn::CpuTime => inputs.extend(&cell.validity.cpu),
    }
    inputs
}

/// How much of a figure may be the machine's, in milliseconds; none of a figure that is no time.
pub fn added_by_machine(cell: &CellSummary, metric: Metric) -> f64 {
    let lateness = &cell.lateness;
    match (Quantile::of(metric), metric) {
        (Some(quantile), _) => lateness.of_percentile(quantile),
        (None, Metric::Detection | Metric::TimeToEject | Metric::TimeToRestore | Metric::LongestDrain) => {
            lateness.of_a_moment()
        }
        _ => 0.0,
    }
}

/// Whether `left comparison right` holds.
pub fn compare(left: f64, comparison: Comparison, right: f64) -> bool {
    match comparison {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => left < right,
        Comparison::AtMost => left <= right,
        Comparison::Greater => left > right,
        Comparison::AtLeast => left >= right,
    }
}

/// The number with its unit and, for a count of requests, out of how many.
pub fn show(cell: &CellSummary, metric: Metric, value: f64) -> String {
    match metric.unit() {
        Unit::Span if value.is_infinite() && is_latency(metric) => beyond(cell),
        Unit::Span if value.is_infinite() && metric == Metric::Detection && is_blind(cell) => {
            "a time that was not measured".to_owned()
        }
        Unit::Span if value.is_infinite() => "never".to_owned(),
        Unit::Span if is_cpu(metric) => micros(value * 1e3),
        Unit::Span => millis(value),
        Unit::Share => percent(value),
        Unit::Number => number(value),
        Unit::Count => match (metric.whole(), whole(cell, metric)) {
            (Some(PartOf::Requests), Some(all)) => format!("{value} of {all}"),
            (Some(what), Some(all)) => format!("{value} of {all} {what}"),
            _ => value.to_string(),
        },
    }
}

/// A percentile that falls among the failed requests.
pub fn beyond(cell: &CellSummary) -> String {
    let latency = &cell.latency_ms;
    format!("> {} ({} failed)", millis(latency.timeout_ms), latency.failed)
}
