//! Records in, strings out. Nothing here does I/O, reads a clock or draws a random number: the same records
//! give the same bytes, whether a cell has just ended or its run is a year old.
//!
//! A folder is a stage, and each uses only itself and those before it:
//!
//! 1. [`analysis`]: a cell's records are joined by id; each request has a fate, known from its own records and the evidence of
//!    the history; the books say whether client, ledger and log agree. All of it is one [`Analysis`].
//! 2. [`measure`]: the [`CellSummary`], in numbers, with what can be trusted; and its [`Series`] over time.
//! 3. [`figure`]: one number of it by its name, how several are told together, and what a zero proves.
//! 4. [`judge`](mod@judge): all cells of a run against the plan's claims, a [`RunSummary`]; and runs against each other.
//! 5. [`compose`]: what is said and in which order, in blocks and [`table`]s.
//! 6. [`dialect`]: how it looks, for a terminal, Markdown, HTML, SVG, CSV, JSON, JUnit, OpenMetrics, GitHub, HdrHistogram.

pub mod analysis;
pub mod compose;
pub mod dialect;
pub mod figure;
pub mod judge;
pub mod measure;
pub mod numbers;

use model::plan::SavedPlan;
use model::records::CellRecords;

pub use analysis::lateness::Corrected;
pub use analysis::{
    Analysis, attribution, books, deaths, ejections, errors, evidence, fate, faults, joined, lateness, phases,
};
pub use compose::{comparison, document, dossier, metrics, over_time, page, runbook, table, writeup};
pub use dialect::json::verdict_json;
pub use dialect::openmetrics::SameScenario;
pub use dialect::pictures::Illustrated;
pub use dialect::recording::recording;
pub use dialect::render::{
    Colour, Format, Style, render, render_answer, render_comparisons, render_figure, render_page,
    render_several, render_table,
};
pub use figure::reading::NoReading;
pub use figure::{catalogue, reading};
pub use judge::verdict::{RunSummary, Verdict, judge};
pub use judge::{compare, handshakes, run, verdict};
pub use measure::series::Series;
pub use measure::summary::CellSummary;
pub use measure::{
    after_signal, backend_load, balancer_log, cpu, deploy, latency, replacement, routing, series, sessions,
    strata, summary, tls, validity, zero,
};

/// Sums up one cell.
pub fn summarise(plan: &SavedPlan, records: &CellRecords) -> CellSummary {
    Analysis::of(plan, &Corrected::of(plan, records)).summary()
}

/// One cell over time; `None`: its load never began.
pub fn series(plan: &SavedPlan, records: &CellRecords) -> Option<Series> {
    Analysis::of(plan, &Corrected::of(plan, records)).series()
}

/// The latency of one cell as a log that other tools read.
pub fn latency_log(plan: &SavedPlan, records: &CellRecords) -> String {
    Analysis::of(plan, &Corrected::of(plan, records)).latency_log()
}
