//! What the machine does to figures: lateness that is not the balancer's, processors that others use, and what it runs
//! out of.

use std::collections::BTreeMap;

use model::generators::LoadPart;
use model::history::{Event, Happening};
use model::outcome::{NotSent, Outcome, OutcomeKind};
use model::request::Request;
use model::units::Nanos;

use super::{Trust, Validity};
use crate::analysis::errors;
use crate::analysis::lateness::Lateness;
use crate::analysis::stalls::sender;
use crate::measure::cpu::CpuTime;
use crate::measure::generator::Generator;
use crate::measure::latency::{LatencySummary, Level, Quantile};
use crate::numbers::{first_line, millis, percent};

/// Beyond this part of the processors, what others do bears on figures; beyond the second, figures are theirs.
pub(super) const FOREIGN: (f64, f64) = (0.1, 0.6);
/// Of one processor: beyond this the generator may have been the bottleneck, beyond the second it was.
const OWN_CPU: (f64, f64) = (0.8, 0.95);
/// Lateness that is allowed beside any percentile, in milliseconds: at least, as a part of it, and at most. Beyond the
/// most it can't grow with a queue of one's own making.
const VALID: (f64, f64, f64) = (2.0, 0.05, 25.0);
const DEGRADED: (f64, f64, f64) = (10.0, 0.2, 100.0);

/// VALID up to `valid`, DEGRADED up to `degraded`.
pub(super) fn graded(value: f64, valid: f64, degraded: f64) -> Trust {
    if value <= valid {
        Trust::Valid
    } else if value <= degraded {
        Trust::Degraded
    } else {
        Trust::Invalid
    }
}

/// Trust in each percentile, and in the worst of them: the machine's lateness at that percentile is small beside it,
/// and the generator and the processors had room.
pub fn latency(
    latency: &LatencySummary,
    lateness: &Lateness,
    cpu: &CpuTime,
    generator: &Generator,
) -> (Validity, BTreeMap<Quantile, Validity>) {
    let mut all = Validity::default();
    if let Some((part, share)) = generator.busiest() {
        let reason = format!("{} used {} of a processor in its busiest second", part.words(), percent(share));
        all.lower(graded(share, OWN_CPU.0, OWN_CPU.1), reason);
    }
    if let Some(foreign) = cpu.foreign {
        all.lower(graded(foreign, FOREIGN.0, FOREIGN.1), foreign_words(foreign));
    }
    let mut percentiles = BTreeMap::new();
    for quantile in latency.told() {
        let mut validity = all.clone();
        let figure = match latency.level(quantile) {
            Level::Ms(ms) => ms,
            Level::Failed | Level::TooFew => latency.timeout_ms,
        };
        let mut beside = |late: Option<&f64>, who: &str, more: &str| {
            let late = late.copied().unwrap_or(0.0);
            let name = quantile.name();
            let late_words = if late.is_finite() { millis(late) } else { "too late to send".to_owned() };
            let reason = match late.is_finite() {
                true => format!("{who} up to {late_words} late at {name}{more}"),
                false => format!("at {name} requests failed through the generator's own fault"),
            };
            validity.lower(graded(late, allowed(VALID, figure), allowed(DEGRADED, figure)), reason);
        };
        let latest = format!("{} was", lateness.latest_generator(quantile).words());
        beside(lateness.generator_ms.get(&quantile), &latest, "");
        let stood = lateness.standstill.as_ref().map_or_else(String::new, |it| {
            format!(" ({} stood still for {} at {})", it.component, millis(it.ms), millis(it.at_ms))
        });
        beside(lateness.backends_ms.get(&quantile), "the backends were", &stood);
        percentiles.insert(quantile, validity);
    }
    for (_, validity) in percentiles.iter().filter(|(quantile, _)| **quantile != Quantile::Max) {
        all.verdict = all.verdict.max(validity.verdict);
        all.reasons.extend(validity.reasons.iter().cloned());
    }
    let mut told = Vec::new();
    all.reasons.retain(|reason| {
        let new = !told.contains(reason);
        told.push(reason.clone());
        new
    });
    (all, percentiles)
}

fn allowed((least, part, most): (f64, f64, f64), figure: f64) -> f64 {
    f64::max(least, part * figure).min(most)
}

/// Whether figures are those of other processes, which used this part of the processors.
pub(crate) fn processors_were_taken(foreign: f64) -> bool {
    foreign > FOREIGN.1
}

pub(super) fn foreign_words(foreign: f64) -> String {
    format!("other processes used {} of the processors' time", percent(foreign))
}

/// What `/proc/stat` says at one moment.
pub(super) struct ProcStat {
    pub(super) seconds: f64,
    pub(super) stolen: f64,
    pub(super) idle: Option<f64>,
}

/// The first and the last word of `/proc/stat` from `origin` on.
pub(crate) fn machine_reads(history: &[Event], origin: Nanos) -> Option<(ProcStat, ProcStat)> {
    let mut readings =
        history.iter().filter(|event| event.at >= origin).filter_map(|event| match event.what {
            Happening::MachineRead { seconds, stolen, idle } => Some(ProcStat { seconds, stolen, idle }),
            _ => None,
        });
    let first = readings.next()?;
    let last = readings.next_back()?;
    (last.seconds > first.seconds).then_some((first, last))
}

/// What part of the processors' time `of` took over the load.
pub(super) fn machine_share(history: &[Event], origin: Nanos, of: fn(&ProcStat) -> f64) -> Option<f64> {
    let (first, last) = machine_reads(history, origin)?;
    Some((of(&last) - of(&first)) / (last.seconds - first.seconds))
}

/// Seconds that the processors worked on something over the load, and seconds in all; `None`: not read.
pub(crate) fn worked(history: &[Event], origin: Nanos) -> Option<(f64, f64)> {
    let (first, last) = machine_reads(history, origin)?;
    let busy = |read: &ProcStat| Some(read.seconds - read.stolen - read.idle?);
    Some((busy(&last)? - busy(&first)?, last.seconds - first.seconds))
}

/// What the machine ran out of: by the balancer's own words, and by the generator's errors.
pub fn shortages(history: &[Event], measured: &[&Request], generators: u32) -> Vec<String> {
    let told = history.iter().filter_map(|event| match &event.what {
        Happening::Shortage { component, line, lines } => Some(format!(
            "the {component} ran out of something ({lines} lines of its log): {}",
            first_line(line).trim()
        )),
        _ => None,
    });
    let mut lacked: BTreeMap<(i32, usize), u64> = BTreeMap::new();
    for request in measured {
        if let Outcome::NotSent(NotSent::LocalResource(errno)) = request.outcome {
            *lacked.entry((errno, sender(request, generators))).or_default() += 1;
        }
    }
    let lacked = lacked.into_iter().map(|((errno, by), count)| {
        let who = LoadPart::all(generators).nth(by).unwrap_or_default().words();
        format!("{who} ran out of {} for {count} requests (errno {errno})", resource(errno))
    });
    told.chain(lacked).collect()
}

/// What a number of Linux says is missing, and what to do about it.
fn resource(errno: i32) -> &'static str {
    match errno {
        24 => "open files: raise `ulimit -n`",
        23 => "open files of the whole machine: raise fs.file-max",
        99 | 98 | 11 => "local ports: widen net.ipv4.ip_local_port_range",
        105 | 12 => "memory for sockets",
        _ => "a limit of this machine",
    }
}

/// Why requests ended as the generator's own fault.
pub(super) fn own_fault(faults: u64, measured: &[&Request], generators: u32) -> String {
    use model::outcome::Cause;
    let count = |is: fn(&Outcome) -> bool| measured.iter().filter(|r| is(&r.outcome)).count();
    let late = count(|outcome| matches!(outcome, Outcome::Failed { cause: Cause::Late, .. }));
    let unsent = count(|outcome| matches!(outcome, Outcome::NotSent(NotSent::Stall)));
    let lacked = count(|outcome| matches!(outcome, Outcome::NotSent(NotSent::LocalResource(_))));
    let parts = [
        (late, "ran out of time because the generator was late"),
        (unsent, "were due while it stood still"),
        (lacked, "found no local port or descriptor"),
    ];
    let parts = parts.iter().filter(|(n, _)| *n > 0).map(|(n, words)| format!("{n} {words}"));
    let parts = parts.collect::<Vec<_>>().join(", ");
    let errors = errors::words(&errors::of_kind(measured, OutcomeKind::GeneratorFault));
    let errors = errors.map_or(String::new(), |errors| format!(" ({errors})"));
    format!(
        "{faults} requests failed through the generator's own fault: {parts}{errors}{}",
        whose(measured, generators)
    )
}

/// Which of several generators had how many faults.
fn whose(measured: &[&Request], generators: u32) -> String {
    let mut faults: BTreeMap<usize, u64> = BTreeMap::new();
    for request in measured.iter().filter(|r| r.outcome.kind() == OutcomeKind::GeneratorFault) {
        *faults.entry(sender(request, generators)).or_default() += 1;
    }
    let each = LoadPart::all(generators).enumerate();
    let each = each.filter_map(|(n, part)| Some(format!("{}: {}", part.words(), faults.get(&n)?)));
    match generators {
        ..=1 => String::new(),
        _ => format!(" ({})", each.collect::<Vec<_>>().join(", ")),
    }
}
