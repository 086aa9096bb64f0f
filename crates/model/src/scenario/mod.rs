//! The scenario language: a YAML document that reads like the experiment's own description, and the only way
//! to a [`Plan`](crate::plan::Plan).
//!
//! Data flows `text → located tree → base ⊕ variant ⊕ --set → typed nouns`: [`Scenario::parse`] makes the tree,
//! in which every key and value knows where it was written. `Plan::build` merges each variant (RFC 7386), reads
//! the merged tree by hand-written readers, one file per section of the document, and gathers every problem on
//! the way. A reader that meets a bad value records it and goes on with a harmless one, so that one run of
//! validation shows everything that is wrong. No plan is built when there is any problem.

#[cfg(test)]
mod asked;
mod build;
mod capabilities;
mod choice;
mod claims;
mod controls;
mod document;
mod explain;
mod limits;
mod problem;
mod read_defaults;
mod read_degrade;
mod read_listener;
mod read_routes;
mod read_timeline;
mod read_topology;
mod read_traffic;
mod read_users;
mod reader;
mod schema;
mod set;
mod suggest;
mod tree;
mod yaml;

pub use choice::Choice;
pub use document::Scenario;
pub use explain::explain;
pub use limits::FILE as LONGEST_FILE;
pub use problem::{Place, Problem, Problems};
pub use schema::{reference, schema};
pub use set::{Set, SetError};
pub(crate) use suggest::{listed, suggestion};
