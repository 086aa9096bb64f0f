//! The scenario language: a YAML document that reads like the experiment's own description, and the only way
//! to a [`Plan`](crate::plan::Plan).
//!
//! Data flows `text → located tree → base ⊕ variant ⊕ --set → typed nouns`: [`Scenario::parse`] makes the tree,
//! in which every key and value knows where it was written. `Plan::build` merges each variant (RFC 7386), reads
//! the merged tree by the declarations of its keys (`keys/`), and gathers every problem on the way. A reader that
//! meets a bad value records it and goes on with a harmless one, so that one run of validation shows everything
//! that is wrong. No plan is built when there is any problem. Schema, reference page and `--explain` are written from
//! the same declarations.

mod build;
mod capabilities;
mod choice;
mod claims;
mod controls;
mod document;
mod explain;
mod form;
mod keys;
mod limits;
mod measurable;
mod picture;
mod problem;
mod reader;
mod schema;
mod section;
mod services;
mod set;
mod shape;
mod suggest;
mod tree;
mod written;
mod yaml;

pub use choice::Choice;
pub use document::Scenario;
pub use explain::explain;
pub use limits::BACKENDS as MOST_BACKENDS;
pub use limits::FILE as LONGEST_FILE;
pub use limits::POOLS as MOST_POOLS;
pub use problem::{Place, Problem, Problems};
pub use schema::{reference, schema};
pub use set::{Set, SetError};
pub(crate) use suggest::listed;
pub use suggest::suggestion;
