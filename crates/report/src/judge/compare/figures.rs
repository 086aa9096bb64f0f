//! The figures that are compared.

use model::claim::{Better, Metric};

use crate::figure::catalogue::{self, Figure};
use crate::measure::summary::CellSummary;

/// Metrics that are not compared, and why.
pub const LEFT_OUT: [(Metric, &str); 3] = [
    (Metric::Scheduled, "the plan sets it, so it is the same on all sides"),
    (Metric::ErrorRate, "it is `dropped` over the same number of requests on all sides"),
    (Metric::Ok, "it is what is neither dropped nor an expected status"),
];

/// Statuses from here on are no plain success, which is counted anyway.
const NO_SUCCESS: u16 = 300;

/// Everything that can be compared of `cells`, which are those of one variant on every side.
pub(super) fn figures(cells: &[&CellSummary]) -> Vec<Figure> {
    let compared = |figure: &Figure| {
        let left_out = LEFT_OUT.iter().any(|(metric, _)| *metric == figure.metric);
        let facet = figure.facet.as_deref();
        let status = facet.filter(|_| figure.metric == Metric::Status).and_then(|s| s.parse().ok());
        // What is told of where it is greatest is not told of each as well.
        let part = facet.is_some() && figure.metric.without_facet().is_some();
        !left_out && !part && status.is_none_or(|status: u16| status >= NO_SUCCESS)
    };
    catalogue::figures(cells.iter().copied()).into_iter().filter(compared).collect()
}

/// Whether a figure is told even if it is zero on all sides. Beside what was lost stands what was not: a request that was
/// tried again was not lost, and cost twice.
pub(super) fn always(figure: &Figure) -> bool {
    figure.better() != Better::Neither || figure.metric == Metric::Masked
}
