//! The report, tested over hand-built records.

mod books;
mod build;
mod fates;
mod phases;
mod plan;
mod properties;
mod renderings;
mod validity;
mod verdicts;
