//! The committed results of the bundled scenarios. They have no records, so their series over time are those of hand-built cells.

use std::fs;
use std::path::Path;

use report::{RunSummary, Series, series};

use crate::build::*;

/// A run as large as a real one.
pub(crate) struct Referenced {
    pub(crate) run: RunSummary,
    pub(crate) series: Vec<Series>,
}

/// The committed run of a scenario.
pub(crate) fn reference(scenario: &str) -> Referenced {
    let path = format!("../../results/reference/{scenario}/summary.json");
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("it is committed");
    let run: RunSummary = serde_json::from_str(&text).expect("it is a summary");
    let [lossy, clean] =
        [CONTROL, DRAINED].map(|variant| series(&plan(), &cell(variant)).expect("its load began"));
    let of = |summary: &report::CellSummary| {
        let like = if summary.counts.dropped > 0 { &lossy } else { &clean };
        like_the_cell(summary, like.clone())
    };
    let series = run.cells.iter().map(of).collect();
    Referenced { run, series }
}

/// As long as the cell's load was, with a deploy where that has one.
fn like_the_cell(summary: &report::CellSummary, mut series: Series) -> Series {
    let part = (summary.counts.scheduled as f64 / 8000.0).min(1.0);
    let kept = |windows: usize| ((windows as f64 * part).ceil() as usize).max(1);
    // The deploy begins after a fifth.
    let from = |windows: usize| (windows / 6).min(windows - kept(windows));
    let bins = series.outcomes.bins.len();
    series.outcomes.bins = series.outcomes.bins.into_iter().skip(from(bins)).take(kept(bins)).collect();
    let windows = series.latency.windows.len();
    series.latency.windows =
        series.latency.windows.into_iter().skip(from(windows)).take(kept(windows)).collect();
    let windows = series.shares.windows.len();
    series.shares.windows =
        series.shares.windows.into_iter().skip(from(windows)).take(kept(windows)).collect();
    for band in &mut series.bands {
        (band.from, band.to) = (band.from * part, band.to * part);
    }
    series.marks.iter_mut().for_each(|mark| mark.at *= part);
    if summary.deploy.is_none() {
        series.bands.clear();
        series.marks.clear();
    }
    Series { cell: summary.cell(), seconds: series.seconds * part, ..series }
}
