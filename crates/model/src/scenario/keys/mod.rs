//! Every key of the language, one file for each part of a document. A file declares its keys, and checks what depends on
//! two of them.

mod actions;
mod class;
mod degrade;
mod deploy;
mod document;
mod leaving;
mod load;
mod policies;
mod pool;
mod retries;
mod routes;
mod scale;
mod service;
mod shares;
mod target;
mod timeline;
mod topology;
mod users;

pub(crate) use document::{BalancerChoice, Whole, document, variant};
pub(crate) use pool::next_spare;
