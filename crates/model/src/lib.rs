//! The nouns of rig, in the order in which data flows through it:
//!
//! a [`scenario`] document is validated into a [`plan::Plan`]; the engine builds each cell's [`topology`],
//! runs its [`timeline`] beside its [`traffic`], and leaves records behind: one [`request::Request`] per
//! scheduled request (the client's side), one [`ledger::Execution`] per request that a backend received, one
//! [`access_log::Logged`] per line of the balancer's log, [`sample::Sample`]s of what was in flight meanwhile, and one
//! [`history::Event`] per thing that happened.
//! The report judges them against the plan's [`claim`]s.
//!
//! Nothing here is async and nothing does I/O.

pub mod access_log;
pub mod catalog;
pub mod claim;
pub mod component;
pub mod control;
pub mod degrade;
pub mod detection;
pub mod discovery;
pub mod draw;
pub mod errno;
pub mod experiment;
pub mod generators;
pub mod history;
pub mod identity;
pub mod interned;
pub mod job;
pub mod ledger;
pub mod operations;
pub mod outcome;
pub mod plan;
pub mod prose;
pub mod records;
pub mod request;
pub mod sample;
pub mod scenario;
pub mod service;
pub mod service_time;
pub mod sessions;
pub mod shell;
pub mod split;
pub mod statuses;
pub mod target;
pub mod timeline;
pub mod tls;
pub mod topology;
pub mod traffic;
pub mod units;
pub mod version;
pub mod visible;
