//! What of a scenario to run.

use crate::identity::BalancerName;

/// A choice from the command line; `None` is what the scenario says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Only these balancers: in place of the list of the scenario, and of those that a variant of it names.
    pub balancers: Option<Vec<BalancerName>>,
    /// Only these variants, and the negative controls.
    pub variants: Option<Vec<String>>,
    /// How often each cell is run.
    pub repeats: Option<u32>,
    /// The seed.
    pub seed: Option<u64>,
    /// Claims that must not hold, beside what the scenario expects.
    pub fail_on: Vec<String>,
    /// Whether a claim that few were lost may stand without a control: it is then unproven at best.
    pub without_controls: bool,
}
