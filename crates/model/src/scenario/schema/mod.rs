//! The language as data: `rig schema`, and the reference page.
//!
//! Readers (`read_*.rs`) say what a scenario means, and these files what may stand in it. Each says it by itself, and a
//! test holds them together: what the readers ask for, key by key, word by word and limit by limit, is what is
//! described here, and the other way round (`tests.rs`).

mod document;
mod form;
mod json;
mod reference;
#[cfg(test)]
mod tests;
mod timeline;
mod topology;
mod traffic;

pub(super) use form::Measured;
#[cfg(test)]
pub(super) use form::Unit;

/// The language as JSON Schema (draft 7).
pub fn schema() -> String {
    format!("{:#}\n", json::json())
}

/// The language as a page of markdown.
pub fn reference() -> String {
    reference::reference()
}
