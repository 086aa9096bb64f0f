//! `rig validate --explain`: a plan written out in the scenario language, with every default.

use super::keys::{Whole, document};
use super::written::Written;
use crate::catalog::Catalog;
use crate::plan::SavedPlan;

/// Every resolved value of every variant. The text is itself a scenario, which builds the same plan.
pub fn explain(plan: &SavedPlan) -> String {
    match document(&[], &Catalog::default()).write(&Whole::of(plan)) {
        Written::Lines(lines) => lines.into_iter().map(|line| line + "\n").collect(),
        _ => String::new(),
    }
}
