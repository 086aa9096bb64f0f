//! Whether a number may be believed, claim by claim. The thresholds stand here and nowhere else.

mod machine;

use std::collections::BTreeMap;
use std::time::Duration;

use model::component::Component;
use model::generators::LoadPart;
use model::history::{Event, Happening};
use model::outcome::OutcomeKind;
use model::plan::Variant;
use model::request::Request;
use model::timeline::Drain;
use model::units::{Nanos, Span};
use serde::{Deserialize, Serialize};

use crate::analysis::books::Books;
use crate::analysis::phases::Phases;
use crate::analysis::quantile::{Quantile, rank};
use crate::analysis::stalls::sender;
use crate::measure::counts::Counts;
use crate::measure::cpu::{CpuTime, Usage};
use crate::measure::deploy::DeployRecord;
use crate::measure::replacement::ReplacementProof;
use crate::numbers::{first_line, millis, percent};

pub(crate) use machine::processors_were_taken;
pub(crate) use machine::worked;
use machine::{FOREIGN, foreign_words, graded, machine_share, own_fault};
pub use machine::{latency, shortages};

/// How far a measurement can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Trust {
    /// Fully.
    #[default]
    Valid,
    /// Enough to judge by, unless the user is strict.
    Degraded,
    /// Not at all.
    Invalid,
}

impl Trust {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Trust::Valid => "VALID",
            Trust::Degraded => "DEGRADED",
            Trust::Invalid => "INVALID",
        }
    }
}

/// The trust in one claim, and why it is no better.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validity {
    /// How far.
    pub verdict: Trust,
    /// Why; empty if VALID.
    pub reasons: Vec<String>,
}

impl Validity {
    /// Lowers the trust to `trust`, because of `reason`; it never rises.
    pub fn lower(&mut self, trust: Trust, reason: impl Into<String>) {
        if trust > Trust::Valid {
            self.verdict = self.verdict.max(trust);
            self.reasons.push(reason.into());
        }
    }
    /// Whether a claim can be judged by it.
    pub fn is_usable(&self) -> bool {
        self.verdict != Trust::Invalid
    }
}

/// The trust in each claim of a cell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellValidity {
    /// In the counts.
    pub counts: Validity,
    /// In the latencies: the worst of the percentiles that are told. The slowest request is judged alone.
    pub latency: Validity,
    /// In each percentile by itself; those that are not told are absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub percentiles: BTreeMap<Quantile, Validity>,
    /// What the machine ran out of, if that is why the counts can't be trusted: then no drop says anything about the balancer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortages: Vec<String>,
    /// In the deploy having been put to the test; `None`: the variant has no deploy.
    pub deploy: Option<Validity>,
    /// In the timeline having happened in time; `None`: the variant has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Validity>,
    /// In the CPU times; `None`: an earlier version did not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Validity>,
}

impl CellValidity {
    /// Lowers the trust in every latency.
    pub fn lower_latency(&mut self, trust: Trust, reason: &str) {
        for validity in self.percentiles.values_mut().chain([&mut self.latency]) {
            validity.lower(trust, reason);
        }
    }
    /// In one percentile; an earlier version judged all of them together.
    pub fn percentile(&self, quantile: Quantile) -> &Validity {
        self.percentiles.get(&quantile).unwrap_or(&self.latency)
    }
}

/// Trust in the counts: a whole cell, balanced books, punctual generators, of which so many sent the measured requests.
pub fn counts(
    history: &[Event],
    books: &Books,
    counts: &Counts,
    (measured, generators): (&[&Request], u32),
    phases: &Phases,
    shortages: &[String],
    unproven_timeouts: u64,
) -> Validity {
    let mut validity = Validity::default();
    for shortage in shortages {
        validity.lower(Trust::Invalid, shortage.clone());
    }
    if unproven_timeouts > 0 {
        let reason = format!(
            "{unproven_timeouts} timeouts have no proven cause: the machine itself was late by a part of the timeout"
        );
        validity.lower(Trust::Invalid, reason);
    }
    for reason in incomplete(history, books) {
        validity.lower(Trust::Invalid, reason);
    }
    for unmatched in &books.unmatched {
        validity.lower(Trust::Invalid, unmatched.words());
    }
    // Of several generators each is judged alone: what one does must not get lost among the requests of the others.
    let mut sent: Vec<Counts> = LoadPart::all(generators).map(|_| Counts::default()).collect();
    let mut stretches: BTreeMap<(String, usize), Punctuality> = BTreeMap::new();
    for request in measured {
        let (late, by) = (request.released.since(request.due), sender(request, generators));
        sent[by].add(request.outcome.kind());
        stretches.entry((phases.stretch(request.due), by)).or_default().add(late);
    }
    let of = |counts: &Counts| fault_trust(counts.of(OutcomeKind::GeneratorFault), counts.scheduled);
    let worst = sent.iter().map(of).max().unwrap_or_default();
    validity.lower(worst, own_fault(counts.of(OutcomeKind::GeneratorFault), measured, generators));
    for ((stretch, by), punctuality) in stretches {
        let on_time = percent(punctuality.on_time as f64 / punctuality.total as f64);
        let whose = match LoadPart::all(generators).nth(by) {
            Some(part) if part != LoadPart::WHOLE => format!(" of {}", part.words()),
            _ => String::new(),
        };
        let reason = format!(
            "in {stretch} only {on_time} of the requests{whose} were begun within 100 ms of their time"
        );
        validity.lower(punctuality.trust(), reason);
    }
    validity
}

/// Why a history is not that of a whole cell.
fn incomplete(history: &[Event], books: &Books) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut load_finished = false;
    for event in history {
        match &event.what {
            Happening::LoadFinished { .. } => load_finished = true,
            Happening::Failed { message } => {
                reasons.push(format!("the cell failed: {}", first_line(message)));
            }
            Happening::Interrupted => reasons.push("the run was interrupted".to_owned()),
            _ => {}
        }
    }
    if !load_finished {
        reasons.push("the load did not finish".to_owned());
    }
    if books.scheduled.is_none() {
        reasons.push("the generator did not report its schedule".to_owned());
    }
    reasons
}

/// No fault is VALID, at most one in a thousand DEGRADED.
pub(crate) fn fault_trust(faults: u64, scheduled: u64) -> Trust {
    match faults {
        0 => Trust::Valid,
        n if n * 1000 <= scheduled => Trust::Degraded,
        _ => Trust::Invalid,
    }
}

/// How punctually requests were begun. Waiting for a connection is the system's, not the generator's: what
/// counts is when the generator took a request up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Punctuality {
    pub(crate) total: u64,
    pub(crate) on_time: u64,
    pub(crate) nearly: u64,
}

impl Punctuality {
    pub(crate) fn add(&mut self, late: Duration) {
        self.total += 1;
        self.on_time += u64::from(late <= Duration::from_millis(100));
        self.nearly += u64::from(late <= Duration::from_millis(250));
    }
    /// 99 % within 100 ms are VALID, 95 % within 250 ms DEGRADED.
    pub(crate) fn trust(self) -> Trust {
        if self.on_time * 100 >= self.total * 99 {
            Trust::Valid
        } else if self.nearly * 100 >= self.total * 95 {
            Trust::Degraded
        } else {
            Trust::Invalid
        }
    }
}

/// The generator's lateness at waking up, in milliseconds: p50 and p99; zeros without requests.
pub fn late_wake(measured: &[&Request]) -> (f64, f64) {
    let mut late: Vec<f64> =
        measured.iter().map(|request| request.released.millis_from(request.due).max(0.0)).collect();
    late.sort_unstable_by(f64::total_cmp);
    let quantile = |q| late.get(rank(q, late.len() as u64)).copied().unwrap_or(0.0);
    (quantile(0.5), quantile(0.99))
}

/// Over less than this a few ticks of the clock decide.
const CPU_WINDOW: Duration = Duration::from_secs(5);

/// Whether CPU time was read over a window that is long enough to say anything.
pub(crate) fn cpu_window_suffices(cpu: &CpuTime) -> bool {
    let window = cpu.components.get(&Component::Balancer).map(Usage::covers_ms);
    window.is_some_and(|ms| ms >= CPU_WINDOW.as_secs_f64() * 1e3)
}

/// Trust in CPU times: a window that is long enough, and processors that nothing else used meanwhile. `origin` is when
/// the first measured request was due.
pub fn cpu(history: &[Event], origin: Nanos, cpu: &CpuTime) -> Validity {
    let mut validity = Validity::default();
    match cpu.components.get(&Component::Balancer).map(Usage::covers_ms) {
        None => {
            validity.lower(Trust::Invalid, "the balancer's CPU time was not read at both ends of the load")
        }
        Some(ms) if ms < CPU_WINDOW.as_secs_f64() * 1e3 => validity
            .lower(Trust::Invalid, format!("CPU time was read over {}; it needs at least 5 s", millis(ms))),
        Some(_) => {}
    }
    match machine_share(history, origin, |read| read.stolen) {
        Some(steal) => validity.lower(
            graded(steal, 0.02, 0.1),
            format!("the hypervisor took {} of the processors' time (steal)", percent(steal)),
        ),
        None => validity.lower(Trust::Invalid, "steal time was not measured"),
    }
    if let Some(foreign) = cpu.foreign {
        validity.lower(graded(foreign, FOREIGN.0, 0.3), foreign_words(foreign));
    }
    validity
}

/// Trust in a deploy having been put to the test.
pub fn deploy(variant: &Variant, record: &DeployRecord) -> Validity {
    let mut validity = Validity::default();
    let meant_to_abort = variant.deploys().any(|deploy| deploy.new_generation_unhealthy);
    match (&record.aborted, meant_to_abort) {
        // An abort that the scenario asks for is the result, not a failure to get one.
        (Some(_), true) => return validity,
        // As little is one that a kill brought about.
        (Some(reason), false) if record.aborted_by_a_death => {
            let (replaced, planned) = (record.replaced, record.planned);
            let reason = format!(
                "the deploy was aborted after {replaced} of {planned} replacements: {}",
                first_line(reason)
            );
            validity.lower(Trust::Degraded, reason);
            return validity;
        }
        (Some(reason), false) => {
            let what = if record.planned > 0 { "the deploy was aborted" } else { "a backend was not added" };
            validity.lower(Trust::Invalid, format!("{what}: {}", first_line(reason)));
        }
        (None, true) => validity.lower(Trust::Invalid, "the deploy was not aborted, as it should have been"),
        (None, false) => {}
    }
    for replacement in &record.replacements {
        let (trust, problem) = match replacement.proof {
            ReplacementProof::Proved => continue,
            ReplacementProof::OldNotExited => (Trust::Invalid, format!("{} did not exit", replacement.who())),
            // It was ready, and the deploy went on without it: what the balancer made of it is the result.
            ReplacementProof::NewNeverServed if replacement.confirmation.is_some_and(|seen| !seen.fair) => {
                continue;
            }
            ReplacementProof::NewNeverServed => {
                (Trust::Invalid, format!("{} never answered a request", replacement.successor()))
            }
            ReplacementProof::Unfinished => (Trust::Invalid, format!("{} did not end", replacement.name())),
        };
        validity.lower(trust, problem);
    }
    // Users that a cookie keeps are sent there all the same: that is what they are kept for.
    let topology = &variant.topology;
    let removed = variant.removals().filter_map(|it| topology.pool_of(&it.backend));
    let mut pools =
        variant.deploys().map(|it| it.pool.as_str()).chain(removed.map(|pool| pool.name.as_str()));
    let keeps = pools.any(|pool| topology.sticky_cookie(pool).is_some());
    for replacement in &record.replacements {
        let (Some(old), late) = (&replacement.old, replacement.late_arrivals) else { continue };
        if late > 0 && !keeps {
            validity.lower(
                Trust::Invalid,
                format!(
                    "{old} received {late} requests that were sent after its confirmed deregistration: does the balancer's configuration apply it (a template without the test for it)?"
                ),
            );
        }
        if let Some(in_hand @ 1..) = replacement.in_flight_at_drained {
            validity.lower(
                Trust::Invalid,
                format!(
                    "{old} had {in_hand} requests in flight when it was reported as drained: does the balancer log what rig waits for (a log without notices)?"
                ),
            );
        }
    }
    for replacement in &record.replacements {
        if let (Some(unfair), Some(new)) = (replacement.confirmation.filter(|c| !c.fair), &replacement.new) {
            let (share, of) = (percent(unfair.share), unfair.of);
            let waited = match unfair.waited_ms {
                Some(ms) => format!(" in {}", millis(ms)),
                None => String::new(),
            };
            validity.lower(
                Trust::Degraded,
                match of {
                    // Where users stay with their backends, a new client has to reach it.
                    0 => format!("no new client reached {new}{waited}, before the deploy continued"),
                    of => format!(
                        "{new} got only {share} of {of} requests{waited}, before the deploy continued"
                    ),
                },
            );
        }
    }
    let (begun, planned) = (record.replacements.len() as u64, record.all_planned());
    if planned == 0 || begun < planned {
        let what = if record.planned == planned { "replacements" } else { "removals and additions" };
        let reason = format!("{begun} of {planned} {what} began");
        validity.lower(Trust::Invalid, reason);
    }
    match record.margin_ms {
        None => validity.lower(Trust::Invalid, "deploy_outlived_load: it did not finish"),
        Some(margin) if margin < 0.0 => validity.lower(
            Trust::Invalid,
            format!(
                "deploy_outlived_load: by {}, with the time in which its last effects show",
                millis(-margin)
            ),
        ),
        Some(_) => {}
    }
    let (trust, reason) = exposure(record);
    validity.lower(trust, reason);
    validity
}

/// A deploy without requests in flight at its critical moments tests nothing.
fn exposure(record: &DeployRecord) -> (Trust, String) {
    if record.replacements.iter().all(|it| it.old.is_none()) && !record.replacements.is_empty() {
        return (Trust::Valid, String::new());
    }
    // Where backends had time before their signals, they may have finished by then: that is what it is for.
    let had_time = record.termination.is_some_and(|it| it.pre_stop > Span::default());
    if record.drain == Drain::Off && !had_time {
        let in_flight = record.at_terminations().iter().sum();
        let trust = match in_flight {
            10.. => Trust::Valid,
            1..=9 => Trust::Degraded,
            0 => Trust::Invalid,
        };
        return (trust, format!("{in_flight} requests were in flight over the terminations"));
    }
    if had_time {
        let in_flight: u64 = record.replacements.iter().filter_map(|it| it.in_flight_at_begin).sum();
        let trust = if in_flight > 0 { Trust::Valid } else { Trust::Invalid };
        return (trust, "nothing was in flight when the backends began to end".to_owned());
    }
    let in_flight: u64 = record.at_deregistrations().iter().sum();
    let trust = if in_flight > 0 { Trust::Valid } else { Trust::Invalid };
    (trust, "nothing was in flight at the deregistrations".to_owned())
}
