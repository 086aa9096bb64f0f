//! Labels on everything that rig makes on an engine: what is whose.

use std::collections::HashMap;

pub(super) use crate::host::owner::{Owner, OwnerState};

/// The run of rig that something belongs to.
pub(super) const RUN: &str = "rig.run";
/// The cell within the run, as a number.
pub(super) const CELL: &str = "rig.cell";
/// What it is in its cell.
pub(super) const COMPONENT: &str = "rig.component";
/// The [`Owner`].
pub(super) const OWNER: &str = "rig.owner";
/// The component that removes the others once their owner is gone.
pub(super) const REAPER: &str = "reaper";

/// A filter by labels, as the engine's lists take it.
pub(super) fn filter(labels: &[String]) -> HashMap<&'static str, Vec<String>> {
    HashMap::from([("label", labels.to_vec())])
}
