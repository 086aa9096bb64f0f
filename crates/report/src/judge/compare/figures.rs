//! The figures that are compared, and which end of each is the better one.

use std::collections::BTreeSet;

use model::claim::Metric;
use serde::Serialize;

use crate::figure::reading::{does_not_apply, inputs, read, show};
use crate::measure::summary::CellSummary;
use crate::measure::validity::Validity;
use crate::numbers::micros;

/// Which of two figures is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// The lower one.
    Lower,
    /// Neither: it describes, and does not judge.
    Neither,
}

/// A figure of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    source: Source,
    /// Which end is the better one.
    pub(super) better: Better,
    /// Whether it is told even if it is zero everywhere.
    pub(super) always: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Metric(Metric, Option<String>),
    CpuPerRequest,
}

/// Everything that can be compared of `cells`, which are those of one variant on every side.
pub(super) fn figures(cells: &[&CellSummary]) -> Vec<Figure> {
    let metric = |metric, better, always| Figure { source: Source::Metric(metric, None), better, always };
    // Beside what was lost stands what was not: a request that was tried again was not lost, and cost twice: who is to
    // say which is better?
    let mut figures = vec![
        metric(Metric::Dropped, Better::Lower, true),
        metric(Metric::Masked, Better::Neither, true),
        metric(Metric::Duplicates, Better::Lower, true),
    ];
    figures.extend(
        [
            Metric::Http5xx,
            Metric::Reset,
            Metric::Closed,
            Metric::Refused,
            Metric::Timeout,
            Metric::NotSent,
            Metric::ExpectedStatus,
        ]
        .map(|kind| metric(kind, Better::Neither, false)),
    );
    let statuses: BTreeSet<u16> =
        cells.iter().flat_map(|cell| cell.answers.statuses.keys()).filter(|s| **s >= 300).copied().collect();
    let flags: BTreeSet<&String> =
        cells.iter().flat_map(|cell| cell.answers.flags.iter().flatten()).map(|(flag, _)| flag).collect();
    let statuses =
        statuses.into_iter().map(|status| Source::Metric(Metric::Status, Some(status.to_string())));
    let flags = flags.into_iter().map(|flag| Source::Metric(Metric::Flag, Some(flag.clone())));
    figures.extend(statuses.chain(flags).map(|source| Figure {
        source,
        better: Better::Neither,
        always: false,
    }));
    let misrouting = [Metric::Misrouted, Metric::SplitDisagreements];
    figures.extend(misrouting.map(|kind| metric(kind, Better::Lower, true)));
    let latency = [Metric::P50, Metric::P90, Metric::P99, Metric::P999];
    figures.extend(latency.map(|kind| metric(kind, Better::Lower, true)));
    figures.push(metric(Metric::DrainsExpired, Better::Lower, false));
    // As long as the slowest request in hand: it says more about that than about the balancer.
    figures.push(metric(Metric::LongestDrain, Better::Neither, true));
    let mut faulted: Vec<&str> =
        cells.iter().flat_map(|cell| &cell.faults).map(|fault| fault.backend.as_str()).collect();
    faulted.sort_unstable();
    faulted.dedup();
    for backend in faulted {
        for kind in [Metric::Detection, Metric::Removal, Metric::Harmed, Metric::Recovery] {
            let source = Source::Metric(kind, Some(backend.to_owned()));
            figures.push(Figure { source, better: Better::Lower, always: true });
        }
    }
    figures.push(metric(Metric::Imbalance, Better::Neither, true));
    figures.push(Figure { source: Source::CpuPerRequest, better: Better::Lower, always: true });
    figures
}

impl Figure {
    /// What tables call it.
    pub(super) fn name(&self) -> String {
        match &self.source {
            Source::Metric(metric, None) => metric.name().to_owned(),
            Source::Metric(metric, Some(facet)) => format!("{}[{facet}]", metric.name()),
            Source::CpuPerRequest => "balancer CPU per request".to_owned(),
        }
    }

    /// Its value in `cell`, infinite where what it times never happened; `None`: the cell has none.
    pub(super) fn read(&self, cell: &CellSummary) -> Option<f64> {
        match &self.source {
            Source::Metric(metric, facet) => {
                let facet = facet.as_deref();
                let applies = does_not_apply(cell, *metric, facet).is_none();
                applies.then(|| read(cell, *metric, facet).ok()).flatten()
            }
            Source::CpuPerRequest => cell.cpu.balancer_us_per_request,
        }
    }

    /// A value with its unit.
    pub(super) fn show(&self, cell: &CellSummary, value: f64) -> String {
        match &self.source {
            Source::Metric(metric, _) => show(cell, *metric, value),
            Source::CpuPerRequest => micros(value),
        }
    }

    /// Whether what it rests on can be trusted in `cell`.
    pub(super) fn is_usable(&self, cell: &CellSummary) -> bool {
        match &self.source {
            Source::Metric(metric, _) => inputs(cell, *metric).into_iter().all(Validity::is_usable),
            Source::CpuPerRequest => cell.cpu_is_usable(),
        }
    }
}
