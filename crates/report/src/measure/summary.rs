//! One cell, summed up.

use std::collections::BTreeMap;

use model::claim::Metric;
use model::history::{CellStage, Setting};
use model::identity::BalancerName;
use model::identity::CellId;
use model::outcome::OutcomeKind;
use model::plan::Variant;
use model::request::Request;
use serde::{Deserialize, Serialize};

use crate::analysis::Analysis;
use crate::analysis::attribution::{DroppedGroup, attribute};
use crate::analysis::books::Books;
use crate::analysis::deaths::{self, Death};
use crate::analysis::ejections::{self, Ejections};
use crate::analysis::faults::{self, FaultRecord};
pub use crate::analysis::frame::Ending;
use crate::analysis::lateness::{Lateness, TimeLimits};
use crate::analysis::stalls::MachineStalls;
use crate::measure::answers::Answers;
use crate::measure::backend_load::{BackendLoad, backend_loads, imbalance};
use crate::measure::balancer_log::BalancerLog;
use crate::measure::counts::{Counts, dropped_kinds};
use crate::measure::cpu::CpuTime;
use crate::measure::curl::Transcript;
use crate::measure::deploy::{self, DeployRecord};
use crate::measure::generator::Generator;
use crate::measure::latency::LatencySummary;
use crate::measure::losses::Losses;
use crate::measure::reloads::{ReloadRecord, WithoutReloads};
use crate::measure::routing::Routing;
use crate::measure::sessions::UserRecord;
use crate::measure::shares::{BackendShare, shares};
use crate::measure::strata::Strata;
use crate::measure::target::{self, IdentityRecord, TargetRecord};
use crate::measure::timeline;
use crate::measure::tls::TlsRecord;
use crate::measure::validity::{self, CellValidity, Trust, Validity};
use crate::measure::waiting::{self, Waiting};
use crate::measure::zero::ZeroBound;

/// Everything that is known of one cell, in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellSummary {
    /// The scenario.
    pub scenario: String,
    /// The balancer under test.
    pub balancer: BalancerName,
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
    /// When requests were dropped; `None`: an earlier version did not ask.
    #[serde(default)]
    pub losses: Option<Losses>,
    /// Latency from the intended start, failures as infinite.
    pub latency_ms: LatencySummary,
    /// Latency of the requests that ended well, alone.
    pub ok_only_latency_ms: LatencySummary,
    /// Who answered.
    pub backends: BTreeMap<String, BackendShare>,
    /// What the balancer gave each backend, and what that had in hand.
    #[serde(default)]
    pub load: BTreeMap<String, BackendLoad>,
    /// How unevenly the requests were spread: 1 is perfectly even; `None`: no backend received any.
    #[serde(default)]
    pub imbalance: Option<f64>,
    /// Who made the requests, and what backends remembered of them; `None`: the load has no users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<UserRecord>,
    /// Which pools answered; `None`: there is one, and no class expects one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// What curl was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curls: Vec<Transcript>,
    /// What a client saw of a target; `None`: rig launched what it measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetRecord>,
    /// Who answered, by the header that a service of the user's has; `None`: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identities: Option<Vec<IdentityRecord>>,
    /// What the deploys did; `None`: the variant has none.
    pub deploy: Option<DeployRecord>,
    /// Who died by itself: the cell is no pass, then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deaths: Vec<Death>,
    /// What the balancer's log says of the requests, beside how they ended; `None`: it can't be held against them, or an
    /// earlier version did not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balancer_log: Option<BalancerLog>,
    /// Whether the balancer says which backends are down, and was asked.
    #[serde(default)]
    pub tells_health: bool,
    /// How often the balancer took backends out of its rotation by itself, by its own view; those of a deploy excluded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ejections: BTreeMap<String, Ejections>,
    /// What the faults did, and who noticed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultRecord>,
    /// What the reloads of the balancer cost; `None`: there were none.
    #[serde(default)]
    pub reloads: Option<ReloadRecord>,
    /// What the same load dropped without the reloads; `None`: there were none, or nothing to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_reloads: Option<WithoutReloads>,
    /// What clients got, beside what the balancer's log says.
    #[serde(default)]
    pub answers: Answers,
    /// Losses and latency by class and by connection.
    #[serde(default)]
    pub strata: Strata,
    /// Where requests were dropped.
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
    /// What TLS did; `None`: it is off.
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
    /// ledger agree on them, the machine ran out of nothing, and where the counts can't be trusted, the ledger, the log or
    /// an event says why: no lateness of the generator makes that. That of everything else does: what has to wait for the
    /// processor outlasts its drain window and fails its probes.
    pub(crate) fn surely_dropped(&self, kinds: &[OutcomeKind]) -> u64 {
        let usable = self.validity.counts.is_usable();
        let much_late = self.much_late().is_some();
        if !self.books.balance() || !self.validity.shortages.is_empty() {
            return 0;
        }
        let of_kinds = self.dropped.iter().filter(|group| kinds.contains(&group.source.outcome));
        match much_late {
            true => of_kinds.map(|group| group.outlasted).sum(),
            false => of_kinds.filter(|group| usable || group.has_a_cause()).map(|group| group.count).sum(),
        }
    }

    /// Who was so late, and by how many milliseconds at p99, that the machine may have decided whether time limits were kept.
    pub(crate) fn much_late(&self) -> Option<(String, f64)> {
        self.lateness.much_late(self.cpu.foreign.is_some_and(validity::processors_were_taken))
    }

    /// How many requests were lost as `metric` counts them and could not have been served by the fastest machine; `None`: it
    /// counts no ends of requests.
    pub(crate) fn certainly_lost(&self, metric: Metric) -> Option<u64> {
        let kinds = dropped_kinds(metric)?;
        let of_kinds = self.dropped.iter().filter(|group| kinds.contains(&group.source.outcome));
        Some(of_kinds.map(|group| group.outlasted).sum())
    }

    /// Whether its CPU times can be trusted: its counts can, and the times as well where they were judged.
    pub fn cpu_is_usable(&self) -> bool {
        let cpu = self.validity.cpu.as_ref();
        self.validity.counts.is_usable() && cpu.is_none_or(Validity::is_usable)
    }
}

impl Analysis<'_> {
    /// The cell, summed up. Whatever its records lack makes it INVALID, with the reason.
    pub fn summary(&self) -> CellSummary {
        let Analysis { variant, measured, joined, evidence, phases, books, frame, .. } = self;
        let (variant, origin, history) = (*variant, self.origin(), &self.records.history);
        let (cell, samples) = (&self.records.cell, &self.records.samples);
        let stood = variant.map(|variant| &variant.topology);
        let cpu_of = |origin| CpuTime::of(stood, history, origin, &self.recorded);
        let cpu = frame.origin.map(cpu_of).unwrap_or_default();
        let counts = Counts::of_all(measured.iter().map(|r| r.outcome.kind()));
        let timeout_ms = variant.map_or(0.0, |v| v.traffic.timeout.as_millis());
        let latency = LatencySummary::of(measured.iter().copied(), timeout_ms);
        let handled = &self.handled();
        let deploy = variant.and_then(|variant| {
            // What a target's own processes did is not known.
            variant.target.is_none().then_some(())?;
            let load_end = frame.origin? + variant.traffic.duration.0;
            deploy::record(variant, history, phases, handled, load_end)
        });
        let executed = measured.iter().flat_map(|request| handled.get(request.id).executions);
        let load = variant
            .filter(|variant| variant.target.is_none())
            .map(|variant| backend_loads(variant, origin, executed.copied(), samples))
            .unwrap_or_default();
        let lateness = self.lateness();
        let waiting = variant.and_then(|variant| Waiting::of(&variant.traffic, measured));
        let generator = Generator::of(frame.generator.as_ref(), variant, measured);
        let validity = self.validity(
            &counts,
            &latency,
            &lateness,
            &cpu,
            &generator,
            (deploy.as_ref(), waiting.as_ref()),
        );
        let dropped = attribute(self);
        CellSummary {
            scenario: self.plan.scenario.clone(),
            balancer: cell.balancer,
            balancer_version: frame.balancer_version.clone(),
            runtime: frame.runtime.clone(),
            variant: cell.variant.clone(),
            repeat: cell.repeat,
            ending: frame.ending,
            validity,
            warmup: Counts::of_all(self.warmup.iter().map(|r| r.outcome.kind())),
            losses: Some(Losses::of(measured)),
            latency_ms: latency,
            ok_only_latency_ms: LatencySummary::of(measured.iter().copied().filter(|r| is_ok(r)), timeout_ms),
            target: variant.and_then(|v| target::record(v, history, &self.recorded, measured, origin)),
            identities: variant.and_then(|v| target::identities_of_service(v, history, measured)),
            backends: shares(variant, measured, handled),
            imbalance: variant.and_then(|variant| imbalance(variant, &load)),
            load,
            users: variant.and_then(|v| UserRecord::of(v, &self.recorded, measured)),
            routing: variant.and_then(|v| Routing::of(v, measured, handled, history, evidence.log)),
            curls: Transcript::all(history),
            balancer_log: BalancerLog::of(measured, joined, books, &evidence.gaps),
            tells_health: frame.tells_health,
            ejections: variant.zip(frame.origin).map_or_else(BTreeMap::new, |(variant, origin)| {
                ejections::of(history, origin + variant.traffic.duration.0)
            }),
            deaths: deaths::of(history, cell.balancer, origin, &dropped),
            tls: variant.and_then(|v| TlsRecord::of(v, measured, samples, origin)),
            without_reloads: None,
            reloads: ReloadRecord::of(evidence.reloads(), &dropped, measured),
            dropped,
            zero: ZeroBound::over_replacements(deploy.as_ref().map_or(0, |d| d.replaced)),
            answers: Answers::of(measured, joined, history, books),
            strata: Strata::of(measured, timeout_ms),
            faults: variant
                .map(|variant| faults::record(variant, history, measured, handled, origin))
                .unwrap_or_default(),
            counts,
            waiting,
            deploy,
            books: books.clone(),
            settings: frame.settings.clone(),
            published: frame.published.clone(),
            cpu,
            stages: frame.stages.clone(),
            generator,
            lateness,
            warnings: frame
                .warnings
                .iter()
                .cloned()
                .chain(variant.and_then(|v| waiting::lowered(&v.traffic)))
                .collect(),
            failures: frame.failures.clone(),
        }
    }

    /// How many generators sent the load.
    fn generators(&self) -> u32 {
        self.variant.map_or(1, |variant| variant.traffic.generators)
    }

    /// How late the machine was.
    fn lateness(&self) -> Lateness {
        let limits = self.variant.map(|v| TimeLimits::of(v, &self.records.history)).unwrap_or_default();
        let machine = MachineStalls::of(
            &self.records.history,
            self.recorded.iter().copied(),
            &self.evidence,
            self.generators(),
        );
        let traced = self.measured.iter().map(|request| (*request, self.joined.get(request.id)));
        Lateness::of(&machine, traced, &self.evidence, self.origin(), limits)
    }

    /// What of its figures can be trusted.
    fn validity(
        &self,
        counts: &Counts,
        latency: &LatencySummary,
        lateness: &Lateness,
        cpu: &CpuTime,
        generator: &Generator,
        (deploy, waiting): (Option<&DeployRecord>, Option<&Waiting>),
    ) -> CellValidity {
        let (history, measured) = (&self.records.history, &self.measured);
        let shortages = validity::shortages(history, measured, self.generators());
        let mut of_counts = validity::counts(
            history,
            &self.books,
            counts,
            (measured, self.generators()),
            &self.phases,
            &shortages,
            lateness.unproven_timeouts,
        );
        if self.variant.is_none() {
            of_counts.lower(Trust::Invalid, "the plan has no such variant");
        }
        let (of_all, percentiles) = validity::latency(latency, lateness, cpu, generator);
        let mut validity = CellValidity {
            counts: of_counts,
            latency: of_all,
            percentiles,
            shortages,
            deploy: self.variant.and_then(|v| match v.target {
                Some(_) => target::validity(v, history, measured, self.origin()),
                None => deploy_validity(v, deploy),
            }),
            timeline: self.variant.and_then(|v| timeline::validity(v, history, self.frame.origin)),
            cpu: Some(validity::cpu(history, self.origin(), cpu)),
        };
        if let Some(waited) = waiting {
            validity.counts.lower(waited.trust(), waited.reason());
            validity.lower_latency(waited.trust(), &waited.reason());
        }
        if !validity.counts.is_usable() {
            validity.lower_latency(Trust::Invalid, "the counts are INVALID");
        }
        validity
    }
}

fn is_ok(request: &Request) -> bool {
    request.outcome.kind() == OutcomeKind::Ok
}

/// A variant with a deploy of which nothing was recorded is as little proved as a deploy that went wrong.
fn deploy_validity(variant: &Variant, record: Option<&DeployRecord>) -> Option<Validity> {
    if variant.rollouts() == 0 {
        return None;
    }
    Some(match record {
        Some(record) => validity::deploy(variant, record),
        None => {
            let mut validity = Validity::default();
            validity.lower(Trust::Invalid, "the load never began");
            validity
        }
    })
}
