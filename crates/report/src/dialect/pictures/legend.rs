//! What the colours of pictures mean.

use super::ink::Ink;
use crate::measure::series::{BackendState, Group, Series};

/// A colour, and what it stands for.
pub(crate) type LegendEntry = (Ink, &'static str);

/// How requests ended; only what occurs in one of `series`.
pub(crate) fn outcomes(series: &[&Series]) -> Vec<LegendEntry> {
    let occurs = |group: &Group| series.iter().any(|s| s.outcomes.total(*group) > 0);
    Group::ALL.iter().copied().filter(occurs).map(|group| (Ink::Outcome(group), group.name())).collect()
}

/// What was done to backends; only what occurs in one of `series`.
pub(crate) fn states(series: &[&Series]) -> Vec<LegendEntry> {
    let occurs =
        |state: &BackendState| series.iter().any(|s| s.bands.iter().any(|band| band.state == *state));
    let states =
        BackendState::ALL.iter().copied().filter(occurs).map(|state| (Ink::State(state), state.name()));
    [(Ink::Serving, "serving")].into_iter().chain(states).collect()
}
