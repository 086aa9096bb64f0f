//! Every figure of a cell, by its name: what formats, comparisons and documents go through, so that a new metric is in all
//! of them at once.

use std::collections::BTreeSet;

use model::claim::{Better, Facet, Metric};

use crate::figure::reading::{does_not_apply, inputs, read, show};
use crate::measure::summary::CellSummary;
use crate::measure::validity::Validity;

/// A metric, or one part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// The metric.
    pub metric: Metric,
    /// Which part of it, such as a backend.
    pub facet: Option<String>,
}

impl Figure {
    /// As claims write it: `dropped`, `share[web-1]`.
    pub fn name(&self) -> String {
        match &self.facet {
            None => self.metric.name().to_owned(),
            Some(facet) => format!("{}[{facet}]", self.metric.name()),
        }
    }

    /// What columns call it.
    pub fn heading(&self) -> String {
        let heading = self.metric.heading();
        match &self.facet {
            None => heading.to_owned(),
            Some(facet) => format!("{heading} {facet}"),
        }
    }

    /// Which end of it is better.
    pub fn better(&self) -> Better {
        self.metric.better()
    }

    /// Its value in `cell`: a count, a number, milliseconds (infinite where what it times never came), or a share from 0
    /// to 1. `None`: the cell has none.
    pub fn read(&self, cell: &CellSummary) -> Option<f64> {
        let facet = self.facet.as_deref();
        let applies = does_not_apply(cell, self.metric, facet).is_none();
        applies.then(|| read(cell, self.metric, facet).ok()).flatten()
    }

    /// A value of it with its unit.
    pub fn show(&self, cell: &CellSummary, value: f64) -> String {
        show(cell, self.metric, value)
    }

    /// Whether what it rests on can be trusted in `cell`.
    pub fn is_usable(&self, cell: &CellSummary) -> bool {
        inputs(cell, self.metric).into_iter().all(Validity::is_usable)
    }
}

/// Every metric, and of those with facets each that any of `cells` has, in the order of the metrics; one that is greatest
/// somewhere comes before its parts.
pub fn figures<'c>(cells: impl IntoIterator<Item = &'c CellSummary>) -> Vec<Figure> {
    let cells: Vec<&CellSummary> = cells.into_iter().collect();
    let of_metric = |metric: &Metric| {
        let facets: BTreeSet<String> = cells.iter().flat_map(|cell| facets(cell, *metric)).collect();
        let whole = metric.facet().is_none() || metric.without_facet().is_some();
        let all = whole.then_some(None).into_iter().chain(facets.into_iter().map(Some));
        all.map(|facet| Figure { metric: *metric, facet }).collect::<Vec<_>>()
    };
    // Not every backend has a fault.
    let known =
        |figure: &Figure| figure.facet.is_none() || cells.iter().any(|cell| figure.read(cell).is_some());
    Metric::ALL.iter().flat_map(of_metric).filter(known).collect()
}

/// What `metric` could be read of in `cell`.
fn facets(cell: &CellSummary, metric: Metric) -> Vec<String> {
    let Some(facet) = metric.facet() else { return Vec::new() };
    match facet {
        Facet::Status => cell.answers.statuses.keys().map(u16::to_string).collect(),
        Facet::Flag => cell.answers.flags.iter().flat_map(|flags| flags.keys().cloned()).collect(),
        Facet::Pool => cell.routing.iter().flat_map(|routing| routing.pools.keys().cloned()).collect(),
        Facet::Backend => {
            let faulted = cell.faults.iter().map(|fault| &fault.backend);
            cell.backends.keys().chain(cell.load.keys()).chain(faulted).cloned().collect()
        }
    }
}
