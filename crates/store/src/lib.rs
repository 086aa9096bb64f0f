//! The layout of `results/`, written in stages so that a crash loses nothing that was already measured:
//!
//! ```text
//! results/<scenario>/<run-id>/
//!   scenario.yaml  plan.json  environment.json            before the first cell
//!   cells/<balancer>.<variant>.<n>/                       during and after each cell
//!     config/  history.ndjson  requests.ndjson.zst  ledger.ndjson.zst  access.ndjson.zst
//!     samples.ndjson  access.log.zst  balancer.log  summary.json  latency.hlog
//!   interrupted                                           only if the user interrupted the run
//!   summary.json  verdict.json  report.md                               at the end
//! results/<scenario>/latest -> <run-id>
//! ```
//!
//! A [`RunWriter`] writes it, cell by cell through a [`CellDir`]; a [`SavedRun`] reads it back. Whole files are
//! replaced atomically ([`write_atomic`]); the history, the samples and the client's records grow by whole lines, and a
//! line that a crash tore off is dropped by the reader, who says so.

mod atomic;
mod bounded;
mod cell;
mod error;
mod ndjson;
mod newest;
mod run;
mod saved;
mod unfinished;

pub use atomic::write_atomic;
pub use bounded::{open_regular, read_bounded, read_end};
pub use cell::{CellDir, HistoryWriter, SampleWriter};
pub use error::StoreError;
pub use ndjson::ReadWarning;
pub use newest::{newest, runs};
pub use run::RunWriter;
pub use saved::{LoadedCell, PlanIs, SavedRun, plan_of, read_versioned};
pub use unfinished::unfinished;
