//! The fifth stage: what is said, and in which order, without saying how it looks: a run's report, a comparison, an
//! overview of several runs, what saved runs showed over time, a write-up, a runbook, and the
//! list of all these.

pub(crate) mod answer;
pub mod comparison;
pub mod document;
pub mod dossier;
pub mod metrics;
pub(crate) mod once;
pub mod over_time;
pub(crate) mod overview;
pub mod page;
pub(crate) mod picture;
pub mod runbook;
pub mod table;
pub mod writeup;
