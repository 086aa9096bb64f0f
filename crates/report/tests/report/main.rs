//! The report, tested over hand-built records.

mod books;
mod build;
mod evidence;
mod failures;
mod fates;
mod latency_logs;
mod phases;
mod plan;
mod properties;
mod renderings;
mod repeats;
mod validity;
mod verdicts;
