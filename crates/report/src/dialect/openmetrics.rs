//! The OpenMetrics dialect, for what stores figures over time. Only gauges, so that Pushgateway and the textfile
//! collector, which read the older text format, take it as well. Figures that can't be trusted are left out, since
//! nothing here could strike them; `rig_trust` says that they were.

use std::collections::BTreeSet;

use model::claim::{self, Metric};
use model::component::Component;
use model::outcome::OutcomeKind;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::figure::catalogue::figures;
use crate::judge::verdict::{Holding, Role, RunSummary};
use crate::measure::summary::CellSummary;
use crate::numbers::words;

/// Several runs of one scenario: their samples could not be told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SameScenario {
    /// The scenario.
    pub scenario: String,
}

impl std::error::Error for SameScenario {}

impl std::fmt::Display for SameScenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scenario = &self.scenario;
        write!(
            f,
            "OpenMetrics tells runs apart by their scenario, and several of these are of `{scenario}`: report one at a time"
        )
    }
}

/// Lays out runs of different scenarios.
pub(crate) fn render(runs: &[&RunSummary]) -> Result<String, SameScenario> {
    let mut known = BTreeSet::new();
    let again = runs.iter().map(|run| &run.scenario).find(|scenario| !known.insert(*scenario));
    if let Some(scenario) = again {
        return Err(SameScenario { scenario: scenario.clone() });
    }
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Exposition { families: families(runs) }));
    let mut out = String::new();
    text::encode(&mut out, &registry).expect("a string takes every sample");
    Ok(out)
}

type Labels = Vec<(String, String)>;

/// Samples of one name.
#[derive(Debug)]
struct Family {
    name: String,
    help: String,
    unit: Option<Unit>,
    samples: Vec<(Labels, f64)>,
}

/// The library's own families have no order; this one keeps that of the run.
#[derive(Debug)]
struct Exposition {
    families: Vec<Family>,
}

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for family in self.families.iter().filter(|family| !family.samples.is_empty()) {
            let unit = family.unit.as_ref();
            let mut metric =
                encoder.encode_descriptor(&family.name, &family.help, unit, MetricType::Gauge)?;
            for (labels, value) in &family.samples {
                metric.encode_family(labels)?.encode_gauge(value)?;
            }
        }
        Ok(())
    }
}

fn families(runs: &[&RunSummary]) -> Vec<Family> {
    let of_runs = |name: &str, help: &str, samples: fn(&RunSummary) -> Vec<(Labels, f64)>| Family {
        name: name.to_owned(),
        help: help.to_owned(),
        unit: None,
        samples: runs.iter().flat_map(|run| samples(run)).collect(),
    };
    let of_cells = |name: &str, help: &str, unit, samples: fn(&CellSummary) -> Vec<(Labels, f64)>| Family {
        name: name.to_owned(),
        help: help.to_owned(),
        unit,
        samples: runs
            .iter()
            .flat_map(|run| &run.cells)
            .flat_map(|cell| {
                samples(cell).into_iter().map(|(labels, value)| (with_cell(cell, labels), value))
            })
            .collect(),
    };
    let figures = Metric::ALL.iter().map(|metric| of_metric(runs, *metric));
    let others = vec![
        of_runs("rig_run_info", "The run: always 1.", run_info),
        of_runs("rig_verdict", "1 for the run's verdict.", |run| {
            vec![(vec![pair("scenario", &run.scenario), pair("verdict", words(run.verdict))], 1.0)]
        }),
        of_runs("rig_claim", "1 for how a claim stands.", claims),
        of_cells(
            "rig_trust",
            "1 for how far figures can be trusted; INVALID ones are left out.",
            None,
            trust,
        ),
        of_cells("rig_requests", "Measured requests, by how they ended.", None, requests),
        of_cells(
            "rig_books",
            "1 for the grade of the books: which records could be compared.",
            None,
            |cell| vec![(vec![pair("grade", words(cell.books.grade))], 1.0)],
        ),
        of_cells(
            "rig_zero_bound_ratio",
            "If none was dropped: upper bound, at 95 % confidence, on the part of the control's losses that remains.",
            None,
            |cell| counted(cell, zero_bound),
        ),
        of_cells("rig_backend_requests", "Measured requests with a backend's stamp.", None, backends),
        of_cells("rig_cpu", "CPU time over the measured load.", Some(Unit::Seconds), cpu),
    ];
    others.into_iter().chain(figures).collect()
}

/// Every sample of one metric.
fn of_metric(runs: &[&RunSummary], metric: Metric) -> Family {
    // Seconds are the unit of times here, and milliseconds that of figures.
    let (unit, scale) = match metric.unit() {
        claim::Unit::Span => (Some(Unit::Seconds), 1e3),
        claim::Unit::Share => (Some(Unit::Other("ratio".to_owned())), 1.0),
        claim::Unit::Count | claim::Unit::Number => (None, 1.0),
    };
    let cells = || runs.iter().flat_map(|run| &run.cells);
    let figures = figures(cells()).into_iter().filter(|figure| figure.metric == metric);
    let samples = figures.flat_map(|figure| {
        let usable = cells().filter(|cell| figure.is_usable(cell)).map(|cell| (cell, figure.read(cell)));
        let known = usable.filter_map(|(cell, value)| Some((cell, value?)));
        let label =
            metric.facet().zip(figure.facet.as_deref()).map(|(name, facet)| pair(&name.to_string(), facet));
        known
            .map(|(cell, value)| (with_cell(cell, label.iter().cloned().collect()), value / scale))
            .collect::<Vec<_>>()
    });
    let samples = samples.collect();
    Family { name: format!("rig_{}", metric.name()), help: metric.what().to_owned(), unit, samples }
}

fn pair(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn with_cell(cell: &CellSummary, more: Labels) -> Labels {
    let mut labels = vec![
        pair("scenario", &cell.scenario),
        pair("balancer", cell.balancer.as_str()),
        pair("variant", &cell.variant),
        pair("repeat", cell.repeat.to_string()),
    ];
    labels.extend(more);
    labels
}

fn run_info(run: &RunSummary) -> Vec<(Labels, f64)> {
    let mut runtimes: Vec<&str> = run.cells.iter().map(|cell| cell.runtime.as_str()).collect();
    runtimes.dedup();
    let labels = vec![
        pair("scenario", &run.scenario),
        pair("rig", &run.environment.rig),
        pair("started", &run.environment.started),
        pair("runtime", runtimes.join(",")),
        pair("seed", run.seed.to_string()),
    ];
    vec![(labels, 1.0)]
}

fn claims(run: &RunSummary) -> Vec<(Labels, f64)> {
    let sample = |claim: &crate::judge::verdict::ClaimVerdict| {
        let holding = match claim.holding {
            Holding::Held => "held",
            Holding::Failed => "failed",
            Holding::Masked => "masked",
            Holding::Unproven(_) => "unproven",
            Holding::NotApplicable(_) => "n/a",
        };
        let role = match claim.role {
            Role::Control => "control",
            Role::Expect => "expect",
        };
        let labels = vec![
            pair("scenario", &run.scenario),
            pair("balancer", claim.balancer.as_str()),
            pair("repeat", claim.repeat.to_string()),
            pair("role", role),
            pair("claim", &claim.text),
            pair("holding", holding),
        ];
        (labels, 1.0)
    };
    run.claims.iter().map(sample).collect()
}

fn trust(cell: &CellSummary) -> Vec<(Labels, f64)> {
    let validity = &cell.validity;
    let of = [
        ("counts", Some(&validity.counts)),
        ("latency", Some(&validity.latency)),
        ("deploy", validity.deploy.as_ref()),
    ];
    let of = of.into_iter().map(|(figures, validity)| (figures, validity.map(|validity| validity.verdict)));
    let of = of.chain([("cpu", cell.cpu_trust())]);
    let known = of.filter_map(|(figures, trust)| Some((figures, trust?)));
    known.map(|(figures, trust)| (vec![pair("figures", figures), pair("trust", words(trust))], 1.0)).collect()
}

fn requests(cell: &CellSummary) -> Vec<(Labels, f64)> {
    if !cell.is_usable() {
        return Vec::new();
    }
    let kinds = OutcomeKind::ALL.iter().copied();
    kinds
        .map(|kind| (vec![pair("outcome", words(kind).replace(' ', "_"))], cell.counts.of(kind) as f64))
        .collect()
}

/// A figure that rests on the counts.
fn counted(cell: &CellSummary, of: fn(&CellSummary) -> Option<f64>) -> Vec<(Labels, f64)> {
    let figure = of(cell).filter(|_| cell.is_usable());
    figure.map(|figure| (Vec::new(), figure)).into_iter().collect()
}

/// What a zero proves, where a control shows that it could have been more.
fn zero_bound(cell: &CellSummary) -> Option<f64> {
    cell.zero.per_request.filter(|_| cell.is_usable() && cell.counts.dropped == 0)
}

fn backends(cell: &CellSummary) -> Vec<(Labels, f64)> {
    if !cell.is_usable() {
        return Vec::new();
    }
    let each = cell.backends.iter();
    each.map(|(id, share)| (vec![pair("backend", id)], share.requests as f64)).collect()
}

fn cpu(cell: &CellSummary) -> Vec<(Labels, f64)> {
    let cpu = &cell.cpu;
    if !cell.cpu_is_usable() {
        return Vec::new();
    }
    let components = [
        (Component::Balancer.to_string(), cpu.seconds(&Component::Balancer)),
        (Component::Generator.to_string(), cpu.generator_seconds()),
        ("backends".to_owned(), cpu.backends_seconds),
    ];
    let known = components.into_iter().filter_map(|(name, seconds)| Some((name, seconds?)));
    known.map(|(name, seconds)| (vec![pair("component", &name)], seconds)).collect()
}
