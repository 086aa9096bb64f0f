//! The language for editors and for people: `rig schema`, and the reference page. Both are written from the declarations
//! of its keys.

mod json;
mod reference;
#[cfg(test)]
mod tests;

use super::keys;
use super::shape::Outline;
use crate::catalog::Catalog;

/// The language as JSON Schema (draft 7).
pub fn schema() -> String {
    format!("{:#}\n", json::json())
}

/// The language as a page of markdown.
pub fn reference() -> String {
    reference::reference()
}

/// The whole scenario.
fn document() -> Outline {
    keys::document(&[], &Catalog::default()).outline()
}

/// What a variant may change of it.
fn patch() -> Outline {
    keys::variant("", &Catalog::default(), None).outline()
}
