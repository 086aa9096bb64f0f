//! The second stage: what one cell measured, in numbers. An [`Analysis`](crate::analysis::Analysis) becomes a
//! [`CellSummary`](summary::CellSummary), whose parts are the files here, and the [`Series`](series::Series) that pictures
//! are drawn from.

pub mod after_signal;
pub mod answers;
pub mod backend_load;
pub mod balancer_log;
pub mod counts;
pub mod cpu;
pub mod curl;
pub mod deploy;
pub mod generator;
pub mod latency;
pub mod losses;
pub mod reloads;
pub mod replacement;
pub mod routing;
pub mod series;
pub mod sessions;
pub mod shares;
pub mod strata;
pub mod summary;
pub mod target;
pub mod timeline;
pub mod tls;
pub mod validity;
pub mod waiting;
pub mod zero;
