//! Records in, strings out. Nothing here does I/O, reads a clock or draws a random number: the same records
//! give the same bytes, whether a cell has just ended or its run is a year old.
//!
//! A cell's records are [joined](joined::join) by id; each request has a [`fate`](fate::fate), told by its own records and
//! the [`evidence`] of the history; the [`books`] say whether client, ledger and log agree, the [`phases`]
//! when a deploy did what. [`summarise`] makes a [`CellSummary`] of it, [`judge`] holds all cells of a run
//! against the plan's claims, and [`render()`] lays the [`RunSummary`] out as a format-neutral
//! [`document`] of [`table`]s, for a terminal, Markdown, CSV, JSON, JUnit or OpenMetrics. A cell's [`latency_log()`] goes
//! from its records straight to other tools, and its [`series()`] is what the pictures of [`html()`] are drawn from.

pub mod answers;
pub mod attribution;
pub mod backend_load;
pub mod books;
pub mod compare;
pub mod counts;
pub mod cpu;
pub mod curl;
pub mod deaths;
pub mod deploy;
pub mod document;
pub mod ejections;
pub mod errors;
pub mod evidence;
pub mod fate;
pub mod faults;
pub mod figures;
mod frame;
pub mod html;
pub mod joined;
pub mod latency;
pub mod lateness;
pub mod page;
pub mod phases;
pub mod reading;
pub mod reloads;
pub mod render;
pub mod routing;
pub mod run;
pub mod runbook;
pub mod series;
pub mod sessions;
pub mod shell;
pub mod strata;
pub mod summary;
pub mod table;
pub mod timeline;
pub mod tls;
pub mod validity;
pub mod verdict;
pub mod waiting;
pub mod writeup;
pub mod zero;

mod csv;
mod junit;
mod latency_log;
mod markdown;
mod openmetrics;
mod overview;
mod spread;
mod terminal;

pub use html::{Illustrated, html};
pub use latency_log::latency_log;
pub use openmetrics::SameScenario;
pub use render::{
    Colour, Format, Style, render, render_comparisons, render_overview, render_page, render_table,
    verdict_json,
};
pub use series::{Series, series};
pub use summary::{CellSummary, summarise};
pub use verdict::{RunSummary, Verdict, judge};
