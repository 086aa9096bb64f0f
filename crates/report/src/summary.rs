//! One cell, summed up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::catalog::BalancerKind;
use model::history::{CellStage, Setting};
use model::identity::CellId;
use model::job::{GeneratorReport, WAKE_QUANTUM};
use model::outcome::OutcomeKind;
use model::plan::{SavedPlan, Variant};
use model::records::CellRecords;
use model::request::Request;
use model::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::answers::Answers;
use crate::attribution::{DroppedGroup, attribute};
use crate::backend_load::{BackendLoad, backend_loads, imbalance};
use crate::books::{self, Books};
use crate::counts::Counts;
use crate::cpu::CpuTime;
use crate::curl::Transcript;
use crate::deaths::{self, Death};
use crate::deploy::{self, DeployRecord};
use crate::ejections::{self, Ejections};
use crate::evidence::Evidence;
use crate::faults::{self, FaultRecord};
use crate::frame::Frame;
use crate::joined::join;
use crate::latency::Latency;
use crate::lateness::{self, Lateness, Machine, depends_on_time};
use crate::phases::Phases;
use crate::reloads::{Reloads, WithoutReloads};
use crate::routing::Routing;
use crate::sessions::UserRecord;
use crate::strata::Strata;
use crate::timeline;
use crate::tls::TlsRecord;
use crate::validity::{self, CellValidity, Trust, Validity};
use crate::waiting::{self, Waiting};
use crate::zero::ZeroBound;

/// Everything that is known of one cell, in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellSummary {
    /// The scenario.
    pub scenario: String,
    /// The balancer under test.
    pub balancer: BalancerKind,
    /// What it says its version is.
    pub balancer_version: String,
    /// `process` or `docker`.
    pub runtime: String,
    /// The variant.
    pub variant: String,
    /// Which repeat, from 1.
    pub repeat: u32,
    /// How it ended.
    pub ending: Ending,
    /// What can be trusted.
    pub validity: CellValidity,
    /// How the measured requests ended.
    pub counts: Counts,
    /// How the requests of the warm-up ended: reconciled, but not counted above.
    pub warmup: Counts,
    /// Latency from the intended start, failures as infinite.
    pub latency_ms: Latency,
    /// Latency of the requests that ended well, alone.
    pub ok_only_latency_ms: Latency,
    /// Who answered.
    pub backends: BTreeMap<String, BackendShare>,
    /// What the balancer gave each backend, and what that had in hand.
    #[serde(default)]
    pub load: BTreeMap<String, BackendLoad>,
    /// How unevenly the requests were spread: 1 is perfectly even; `None`: nobody received any.
    #[serde(default)]
    pub imbalance: Option<f64>,
    /// Who made the requests, and what backends remembered of them; `None`: the load has no users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<UserRecord>,
    /// Which pools answered; `None`: there is one, and nobody asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// What curl was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curls: Vec<Transcript>,
    /// What the deploys did; `None`: the variant has none.
    pub deploy: Option<DeployRecord>,
    /// Who died by itself: the cell is no pass, then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deaths: Vec<Death>,
    /// How often the balancer took backends out of its rotation by itself, by its own view; those of a deploy excluded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ejections: BTreeMap<String, Ejections>,
    /// What the faults did, and who noticed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultRecord>,
    /// What the reloads of the balancer cost; `None`: there were none.
    #[serde(default)]
    pub reloads: Option<Reloads>,
    /// What the same load dropped without the reloads; `None`: there were none, or nothing to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_reloads: Option<WithoutReloads>,
    /// What clients got, beside what the balancer's log says.
    #[serde(default)]
    pub answers: Answers,
    /// Losses and latency by class and by connection.
    #[serde(default)]
    pub strata: Strata,
    /// Where the dropped requests come from.
    pub dropped: Vec<DroppedGroup>,
    /// What a zero among them proves, beside the control of the same run.
    pub zero: ZeroBound,
    /// Client, ledger and access log compared.
    pub books: Books,
    /// Settings that decide about drops, in the balancer's own words.
    pub settings: Vec<Setting>,
    /// Where people could reach the listener from the machine that ran the cell, if that was elsewhere.
    #[serde(default)]
    pub published: Option<String>,
    /// What the load generator says about itself.
    pub generator: Generator,
    /// How late the machine was, at each percentile.
    #[serde(default)]
    pub lateness: Lateness,
    /// CPU time of the components over the measured load.
    #[serde(default)]
    pub cpu: CpuTime,
    /// What requests waited for a connection of the generator's; `None`: none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// What TLS did; `None`: nobody speaks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsRecord>,
    /// How long each stage took, in seconds; what the history doesn't say is absent.
    #[serde(default)]
    pub stages: BTreeMap<CellStage, f64>,
    /// What the engine wants the reader to know.
    pub warnings: Vec<String>,
    /// Why it could not be run to its end, in full; empty if it could.
    #[serde(default)]
    pub failures: Vec<String>,
}

impl CellSummary {
    /// Which cell this is.
    pub fn cell(&self) -> CellId {
        CellId { balancer: self.balancer, variant: self.variant.clone(), repeat: self.repeat }
    }

    /// Whether claims can be judged by it: its counts can be trusted, and what was to happen to it happened.
    pub fn is_usable(&self) -> bool {
        let CellValidity { counts, deploy, timeline, .. } = &self.validity;
        [Some(counts), deploy.as_ref(), timeline.as_ref()].into_iter().flatten().all(Validity::is_usable)
    }

    /// Trust in its CPU times, which is no better than that in its counts; `None`: it was not judged.
    pub fn cpu_trust(&self) -> Option<Trust> {
        self.validity.cpu.as_ref().map(|cpu| cpu.verdict.max(self.validity.counts.verdict))
    }

    /// How many of its dropped requests of `kinds` were dropped whatever becomes of the trust in its counts: client and
    /// ledger agree on them, the machine ran out of nothing, and no lateness of the generator makes a reset or a 5xx. That
    /// of backends does: what has to wait for the processor outlasts its drain window and fails its probes.
    pub(crate) fn surely_dropped(&self, kinds: &[OutcomeKind]) -> u64 {
        let usable = self.validity.counts.is_usable();
        let stood = !usable && self.lateness.backends_were_much_late();
        if !self.books.balance() || !self.validity.shortages.is_empty() || stood {
            return 0;
        }
        let sure = |kind: &&OutcomeKind| kind.is_dropped() && (usable || !depends_on_time(**kind));
        kinds.iter().filter(sure).map(|kind| self.counts.of(*kind)).sum()
    }

    /// Whether its CPU times can be trusted: its counts can, and the times as well where they were judged.
    pub fn cpu_is_usable(&self) -> bool {
        let cpu = self.validity.cpu.as_ref();
        self.validity.counts.is_usable() && cpu.is_none_or(Validity::is_usable)
    }
}

/// How a cell ended; where several are true, the last of them is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// By itself.
    #[default]
    Complete,
    /// Its history stops.
    Truncated,
    /// It could not be run to its end.
    Failed,
    /// The user interrupted it.
    Interrupted,
}

/// A backend's part of the measured requests that backends answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BackendShare {
    /// Requests that bear its stamp.
    pub requests: u64,
    /// Their part, 0 to 1.
    pub share: f64,
}

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

/// Sums up a cell. Whatever its records lack makes it INVALID, with the reason.
pub fn summarise(plan: &SavedPlan, records: &CellRecords) -> CellSummary {
    let records = &*lateness::judged(plan, records);
    let frame = Frame::read(&records.history);
    let variant = plan.variant(&records.cell.variant);
    let evidence = Evidence::gather(&records.history).under(variant);
    let phases = Phases::read(&records.history);
    let joined = join(records);
    let without_id = records.access.iter().filter(|line| line.id.is_none()).count() as u64;
    let (books, fates) = books::keep(frame.scheduled, &joined, without_id, &evidence);

    // Without an origin nothing separates the warm-up, and the cell is INVALID anyway.
    let origin = frame.origin.unwrap_or(Nanos(i64::MIN));
    let recorded: Vec<&Request> =
        joined.values().filter_map(|traces| traces.requests.first().copied()).collect();
    let (measured, warmup): (Vec<&Request>, Vec<&Request>) = recorded.iter().partition(|r| r.due >= origin);
    let cpu = frame.origin.map(|origin| CpuTime::of(&records.history, origin, &recorded)).unwrap_or_default();
    let counts = Counts::of_all(measured.iter().map(|r| r.outcome.kind()));

    let timeout_ms = variant.map_or(0.0, |v| v.traffic.timeout.as_millis());
    let quantum = variant.and_then(quantum);
    let latency = Latency::of(measured.iter().copied(), timeout_ms);
    let (late_p50, late_p99) = validity::late_wake(&measured);
    let deploy = variant.and_then(|variant| {
        let load_end = frame.origin? + variant.traffic.duration.0;
        deploy::record(variant, &records.history, &phases, &joined, load_end)
    });
    let executed = measured.iter().filter_map(|r| joined.get(&r.id)).flat_map(|traces| &traces.executions);
    let load = variant
        .map(|variant| backend_loads(variant, origin, executed.copied(), &records.samples))
        .unwrap_or_default();
    let timeout = variant.map_or(Duration::ZERO, |v| v.traffic.timeout.0);
    let machine = Machine::of(&records.history, recorded.iter().copied(), &evidence);
    let traced = measured.iter().filter_map(|r| Some((*r, joined.get(&r.id)?)));
    let lateness = Lateness::of(&machine, traced, &evidence, origin, timeout);
    let shortages = validity::shortages(&records.history, &measured);
    let mut counts_validity = validity::counts(
        &records.history,
        &books,
        &counts,
        &measured,
        &phases,
        &shortages,
        lateness.unproven_timeouts,
    );
    if variant.is_none() {
        counts_validity.lower(Trust::Invalid, "the plan has no such variant");
    }
    let busiest = frame.generator.and_then(|generator| generator.busiest_second);
    let (of_all, percentiles) = validity::latency(&latency, &lateness, &cpu, busiest);
    let mut validity = CellValidity {
        counts: counts_validity,
        latency: of_all,
        percentiles,
        shortages,
        deploy: variant.and_then(|v| deploy_validity(v, deploy.as_ref())),
        timeline: variant.and_then(|v| timeline::validity(v, &records.history, frame.origin)),
        cpu: Some(validity::cpu(&records.history, origin, &cpu)),
    };
    let waited = variant.and_then(|variant| Waiting::of(&variant.traffic, &measured));
    if let Some(waited) = &waited {
        validity.counts.lower(waited.trust(), waited.reason());
        validity.lower_latency(waited.trust(), &waited.reason());
    }
    if !validity.counts.is_usable() {
        validity.lower_latency(Trust::Invalid, "the counts are INVALID");
    }
    let fated = measured.iter().filter_map(|r| Some((*r, fates.get(&r.id)?)));
    let dropped = attribute(fated, &joined, &phases, &evidence);
    CellSummary {
        scenario: plan.scenario.clone(),
        balancer: records.cell.balancer,
        balancer_version: frame.balancer_version,
        runtime: frame.runtime,
        variant: records.cell.variant.clone(),
        repeat: records.cell.repeat,
        ending: frame.ending,
        validity,
        warmup: Counts::of_all(warmup.iter().map(|r| r.outcome.kind())),
        latency_ms: latency,
        ok_only_latency_ms: Latency::of(measured.iter().copied().filter(|r| is_ok(r)), timeout_ms),
        backends: shares(variant, &measured),
        imbalance: variant.and_then(|variant| imbalance(variant, &load)),
        load,
        users: variant.and_then(|v| UserRecord::of(v, &recorded, &measured)),
        routing: variant.and_then(|v| Routing::of(v, &measured, &joined, &records.history, evidence.log)),
        curls: Transcript::all(&records.history),
        ejections: variant.zip(frame.origin).map_or_else(BTreeMap::new, |(variant, origin)| {
            ejections::of(&records.history, origin + variant.traffic.duration.0)
        }),
        deaths: deaths::of(&records.history, records.cell.balancer, origin, &dropped),
        tls: variant.and_then(|v| TlsRecord::of(v, &measured, &records.samples, origin)),
        without_reloads: None,
        reloads: Reloads::of(evidence.reloads(), &dropped, &measured),
        dropped,
        zero: ZeroBound::over_replacements(deploy.as_ref().map_or(0, |d| d.replaced)),
        answers: Answers::of(&measured, &joined, &records.history, &books),
        strata: Strata::of(&measured, timeout_ms),
        faults: variant
            .map(|variant| faults::record(variant, &records.history, &measured, &joined, origin))
            .unwrap_or_default(),
        counts,
        waiting: waited,
        deploy,
        books,
        settings: frame.settings,
        published: frame.published,
        cpu,
        stages: frame.stages,
        generator: Generator { quantum_ms: quantum, ..generator(frame.generator, late_p50, late_p99) },
        lateness,
        warnings: frame
            .warnings
            .into_iter()
            .chain(variant.and_then(|v| waiting::lowered(&v.traffic)))
            .collect(),
        failures: frame.failures,
    }
}

fn is_ok(request: &Request) -> bool {
    request.outcome.kind() == OutcomeKind::Ok
}

/// A variant with a deploy of which nothing was recorded is as little proved as a deploy that went wrong.
fn deploy_validity(variant: &Variant, record: Option<&DeployRecord>) -> Option<Validity> {
    variant.deploys().next()?;
    Some(match record {
        Some(record) => validity::deploy(variant, record),
        None => {
            let mut validity = Validity::default();
            validity.lower(Trust::Invalid, "the load never began");
            validity
        }
    })
}

/// Shares of the answered requests; backends that serve from the start are listed even if none reached them.
fn shares(variant: Option<&Variant>, measured: &[&Request]) -> BTreeMap<String, BackendShare> {
    let pools = variant.map_or(&[][..], |v| &v.topology.pools);
    let mut shares: BTreeMap<String, BackendShare> = pools
        .iter()
        .flat_map(|pool| pool.serving())
        .map(|backend| (backend.id.clone(), BackendShare::default()))
        .collect();
    let mut answered = 0;
    for stamp in measured.iter().filter_map(|r| r.served_by.as_ref()) {
        answered += 1;
        shares.entry(stamp.backend.clone()).or_default().requests += 1;
    }
    for share in shares.values_mut() {
        share.share = share.requests as f64 / u64::max(answered, 1) as f64;
    }
    shares
}

fn generator(report: Option<GeneratorReport>, late_p50: f64, late_p99: f64) -> Generator {
    let report = report.unwrap_or_default();
    Generator {
        cpu_seconds_per_million: (report.recorded > 0)
            .then(|| report.cpu_seconds * 1e6 / report.recorded as f64),
        late_wake_p50_ms: late_p50,
        late_wake_p99_ms: late_p99,
        busiest_second: report.busiest_second,
        quantum_ms: None,
        connections: report.connections,
        unannounced_closes: report.unannounced_closes,
        announced_closes: report.announced_closes,
        surplus: report.surplus,
    }
}

/// The steps in which requests are released, if there are too many for a wake-up each.
fn quantum(variant: &Variant) -> Option<f64> {
    let apart = Duration::try_from_secs_f64(1.0 / variant.traffic.rate.0).unwrap_or(Duration::MAX);
    (apart < WAKE_QUANTUM).then(|| WAKE_QUANTUM.as_secs_f64() * 1e3)
}

/// Cells that the plan has and `cells` has not.
pub(crate) fn missing(plan: &SavedPlan, cells: &[CellSummary]) -> Vec<CellId> {
    let present: BTreeSet<CellId> = cells.iter().map(CellSummary::cell).collect();
    let planned = plan.cells().into_iter();
    planned.filter(|cell| !present.contains(cell)).collect()
}
