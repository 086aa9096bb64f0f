//! The report, tested over hand-built records.

mod books;
mod build;
mod evidence;
mod failures;
mod fates;
mod phases;
mod plan;
mod properties;
mod renderings;
mod validity;
mod verdicts;
