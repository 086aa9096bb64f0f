//! What a run will do, resolved and checked: scenario ⊕ variant ⊕ `--set`, for each chosen balancer.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::catalog::BalancerKind;
use crate::claim::Claim;
use crate::identity::CellId;
use crate::timeline::{Action, Deploy, Entry};
use crate::topology::Topology;
use crate::traffic::Traffic;

/// The version of `plan.json`.
pub const SCHEMA: u32 = 1;

/// A plan as `plan.json` holds it. The report judges by it; the engine does not accept it, because reading a
/// file proves nothing about its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The question that it answers.
    pub question: String,
    /// The seed of arrivals, service times and the order of cells.
    pub seed: u64,
    /// How often each cell is run.
    pub repeats: u32,
    /// The variants that are run, in the order of the document.
    pub variants: Vec<Variant>,
    /// Negative controls: claims that must hold so that a zero proves something.
    pub control: Vec<Claim>,
    /// What the scenario expects.
    pub expect: Vec<Claim>,
}

/// One variant, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// The balancers that it runs on.
    pub balancers: Vec<BalancerKind>,
    /// What stands.
    pub topology: Topology,
    /// The load.
    pub traffic: Traffic,
    /// What happens.
    pub timeline: Vec<Entry>,
}

impl Variant {
    /// The deploys of its timeline.
    pub fn deploys(&self) -> impl Iterator<Item = &Deploy> {
        self.timeline.iter().filter_map(|entry| match &entry.action {
            Action::Deploy(deploy) => Some(deploy),
            _ => None,
        })
    }
}

impl SavedPlan {
    /// The variant called `name`.
    pub fn variant(&self, name: &str) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.name == name)
    }

    /// Every cell in the order of tables: by balancer, variant (as in the document), repeat.
    pub fn cells(&self) -> Vec<CellId> {
        let mut cells = Vec::new();
        for balancer in BalancerKind::ALL {
            for variant in self.variants.iter().filter(|v| v.balancers.contains(&balancer)) {
                for repeat in 1..=self.repeats {
                    cells.push(CellId { balancer, variant: variant.name.clone(), repeat });
                }
            }
        }
        cells
    }

    /// Whether `variant` is a negative control.
    pub fn is_control(&self, variant: &str) -> bool {
        self.control.iter().any(|claim| claim.variants().any(|name| name == variant))
    }
}

/// A checked plan: can be had only from [`crate::scenario`]'s validation.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    saved: SavedPlan,
}

impl Plan {
    /// Only validation calls this.
    pub(crate) fn checked(saved: SavedPlan) -> Plan {
        Plan { saved }
    }
}

impl Deref for Plan {
    type Target = SavedPlan;
    fn deref(&self) -> &SavedPlan {
        &self.saved
    }
}
