//! What a run will do, resolved and checked: scenario ⊕ variant ⊕ `--set`, for each chosen balancer.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::catalog::{BalancerKind, Release};
use crate::claim::{AnswerPicture, Claim, RestsOn};
use crate::identity::{BalancerName, CellId};
use crate::prose::Prose;
use crate::target::Target;
use crate::timeline::{
    Action, Addition, Deploy, Entry, Fault, FaultKind, Keeps, Reload, ReloadProcess, Removal, SplitChange,
};
use crate::topology::{Pool, Topology};
use crate::traffic::Traffic;
use crate::version::Version;

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
    /// What the picture of its answer shows.
    #[serde(default = "AnswerPicture::of_losses")]
    pub figure: AnswerPicture,
    /// What its numbers mean.
    #[serde(default)]
    pub reading: Option<Prose>,
    /// Variants that the runtime can't run: they have no cells, and claims about them don't apply.
    #[serde(default)]
    pub unavailable: Vec<Unavailable>,
    /// Balancers that were asked for and are not installed, where the user lets them be skipped: no variant has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedBalancer>,
}

/// What a variant may need that not every runtime has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A fault.
    Fault(FaultKind),
    /// A source address for each user of the load.
    SourceAddresses,
    /// Backends that are a command of the user's.
    Command,
    /// Backends that are containers of an image of the user's.
    Image,
    /// A second process of the balancer beside the first.
    SecondBalancer,
}

impl Need {
    /// The name that scenarios use.
    pub fn name(self) -> &'static str {
        match self {
            Need::Fault(kind) => kind.name(),
            Need::SourceAddresses => "identity: source_address",
            Need::Command => "command",
            Need::Image => "image",
            Need::SecondBalancer => "reload: process",
        }
    }
}

/// A variant that the runtime of a run can't run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unavailable {
    /// The variant.
    pub variant: String,
    /// What the runtime lacks, and why.
    pub reason: String,
}

/// A balancer that is not installed, and that the user lets be skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedBalancer {
    /// The balancer.
    pub balancer: BalancerName,
    /// Why it can't be used.
    pub reason: String,
}

/// A plan of which the runtime can't run a single cell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no cell is left to run: {}; choose another runtime, or other variants", reasons(.0))]
pub struct NothingToRun(Vec<Unavailable>);

fn reasons(unavailable: &[Unavailable]) -> String {
    let each: Vec<_> = unavailable.iter().map(|u| format!("{}: {}", u.variant, u.reason)).collect();
    each.join("; ")
}

/// One variant, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// The balancers that it runs on.
    pub balancers: Vec<BalancerName>,
    /// Of these, the ones that the scenario gives a name to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub own: BTreeMap<BalancerName, OwnBalancer>,
    /// What the load goes to, if rig launches nothing: the topology then has no more than the names of instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// What stands.
    pub topology: Topology,
    /// The load.
    pub traffic: Traffic,
    /// What happens.
    pub timeline: Vec<Entry>,
}

/// A balancer with a configuration of the user's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnBalancer {
    /// What it is.
    pub kind: BalancerKind,
    /// The version of it that is asked for; `None`: whatever is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Its configuration: a template, as `rig adopt` writes it.
    pub config: PathBuf,
}

impl Variant {
    /// What the balancer `name` is; `None`: rig does not launch it.
    pub fn kind(&self, name: BalancerName) -> Option<BalancerKind> {
        self.release(name).map(|release| release.kind)
    }

    /// What the balancer `name` is, in which version; `None`: rig does not launch it.
    pub fn release(&self, name: BalancerName) -> Option<Release> {
        let own = self.own.get(&name).map(|own| Release { kind: own.kind, version: own.version });
        own.or_else(|| Some(Release { kind: name.kind()?, version: name.version() }))
    }

    /// What its balancers are, each once.
    pub fn releases(&self) -> BTreeSet<Release> {
        self.balancers.iter().filter_map(|name| self.release(*name)).collect()
    }

    /// What its balancers are, each kind once.
    pub fn kinds(&self) -> BTreeSet<BalancerKind> {
        self.balancers.iter().filter_map(|name| self.kind(*name)).collect()
    }

    /// The deploys of its timeline.
    pub fn deploys(&self) -> impl Iterator<Item = &Deploy> {
        self.timeline.iter().filter_map(|entry| match &entry.action {
            Action::Deploy(deploy) => Some(deploy),
            _ => None,
        })
    }

    /// The backends that its timeline removes, each as often as it does.
    pub fn removals(&self) -> impl Iterator<Item = &Removal> {
        self.timeline.iter().filter_map(|entry| match &entry.action {
            Action::Remove(removal) => Some(removal),
            _ => None,
        })
    }

    /// The backends that its timeline adds, each as often as it does.
    pub fn additions(&self) -> impl Iterator<Item = &Addition> {
        self.timeline.iter().filter_map(|entry| match &entry.action {
            Action::Add(addition) => Some(addition),
            _ => None,
        })
    }

    /// How often its timeline replaces a pool, or removes or adds a backend.
    pub fn rollouts(&self) -> usize {
        self.timeline.iter().filter(|entry| entry.action.is_a_rollout()).count()
    }

    /// The split changes of its timeline.
    pub fn splits(&self) -> impl Iterator<Item = &SplitChange> {
        self.timeline.iter().filter_map(|entry| match &entry.action {
            Action::Split(split) => Some(split),
            _ => None,
        })
    }

    /// The reloads of its timeline.
    pub fn reloads(&self) -> impl Iterator<Item = &Reload> {
        self.timeline.iter().filter_map(|entry| match &entry.action {
            Action::Reload(reload) => Some(reload),
            _ => None,
        })
    }

    /// Whether one of its reloads keeps the state that the balancer has saved.
    pub fn saves_state(&self) -> bool {
        self.reloads().any(|reload| reload.keeps == Keeps::State)
    }

    /// Which process serves after its reloads, which validation has all of one kind.
    pub fn succession(&self) -> ReloadProcess {
        self.reloads().map(|reload| reload.process).next().unwrap_or_default()
    }

    /// The pool that `action` replaces, or whose backend it removes or adds; `None`: it does neither.
    pub fn rolled_out(&self, action: &Action) -> Option<&Pool> {
        match action {
            Action::Deploy(deploy) => self.topology.pool(&deploy.pool),
            Action::Remove(removal) => self.topology.pool_of(&removal.backend),
            Action::Add(addition) => self.topology.pool_of(&addition.backend),
            _ => None,
        }
    }

    /// Whether its timeline asks for curl.
    pub fn curls(&self) -> bool {
        self.timeline.iter().any(|entry| matches!(entry.action, Action::Curl(_)))
    }

    /// What it needs of a runtime.
    pub fn needs(&self) -> BTreeSet<Need> {
        let faults = self.faults().map(|fault| Need::Fault(fault.kind));
        let services = self.topology.services().map(|service| match service.image {
            None => Need::Command,
            Some(_) => Need::Image,
        });
        let sources = self.traffic.has_sources().then_some(Need::SourceAddresses);
        let second = (self.succession() != ReloadProcess::Kept).then_some(Need::SecondBalancer);
        faults.chain(sources).chain(services).chain(second).collect()
    }

    /// The faults of its timeline.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.timeline.iter().filter_map(|entry| match &entry.action {
            Action::Fault(fault) => Some(fault),
            _ => None,
        })
    }
}

impl SavedPlan {
    /// The variant called `name`.
    pub fn variant(&self, name: &str) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.name == name)
    }

    /// Why the runtime can't run `variant`; `None`: it can.
    pub fn why_unavailable(&self, variant: &str) -> Option<&str> {
        let unavailable = self.unavailable.iter().find(|unavailable| unavailable.variant == variant);
        unavailable.map(|unavailable| unavailable.reason.as_str())
    }

    /// The seed of a repeat, from 1: repeats differ, and each can be had alone, as `--repeat 2` is `--seed N` and
    /// `--seed N+1`.
    pub fn seed_of(&self, repeat: u32) -> u64 {
        self.seed.wrapping_add(u64::from(repeat.saturating_sub(1)))
    }

    /// The balancers of all variants, in the order of tables.
    pub fn balancers(&self) -> BTreeSet<BalancerName> {
        self.variants.iter().flat_map(|variant| variant.balancers.iter().copied()).collect()
    }

    /// Every cell in the order of tables: by balancer, variant (as in the document), repeat. Variants that the
    /// runtime can't run have none.
    pub fn cells(&self) -> Vec<CellId> {
        let mut cells = Vec::new();
        for balancer in self.balancers() {
            let runs =
                |v: &&Variant| v.balancers.contains(&balancer) && self.why_unavailable(&v.name).is_none();
            for variant in self.variants.iter().filter(runs) {
                for repeat in 1..=self.repeats {
                    cells.push(CellId { balancer, variant: variant.name.clone(), repeat });
                }
            }
        }
        cells
    }

    /// Whether a claim is about a latency or a CPU time of `variant`, which other cells at the same time would change.
    pub fn needs_the_machine(&self, variant: &str) -> bool {
        let of_it = self.control.iter().chain(&self.expect).flat_map(Claim::readings);
        let mut of_it = of_it.filter(|reading| reading.variant == variant);
        of_it.any(|it| matches!(it.metric.rests_on(), RestsOn::Percentile | RestsOn::CpuTime))
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

    /// This plan where a load can have no more than `connections`: caps that the scenario leaves open are lowered to that.
    pub fn carried(&self, connections: u32) -> Plan {
        let mut plan = self.clone();
        plan.saved.variants.iter_mut().for_each(|variant| variant.traffic.within(connections));
        plan
    }

    /// This plan, whose files and commands are found from `directory` on.
    pub fn in_directory(&self, directory: &Path) -> Plan {
        let mut plan = self.clone();
        for variant in &mut plan.saved.variants {
            if let Some(target) = &mut variant.target {
                target.directory = directory.to_owned();
            }
            for service in variant.topology.pools.iter_mut().filter_map(|pool| pool.service.as_mut()) {
                service.directory = directory.to_owned();
            }
            for own in variant.own.values_mut() {
                own.config = directory.join(&own.config);
            }
        }
        plan
    }

    /// This plan in a runtime that can't do everything: `lacks` says why it can't do one thing, `None` that it
    /// can. A variant that needs such a thing becomes [`Unavailable`], for the runtime called `runtime`. Fails
    /// where that leaves no cell.
    pub fn within(
        &self,
        runtime: &str,
        lacks: impl Fn(Need) -> Option<&'static str>,
    ) -> Result<Plan, NothingToRun> {
        let unavailable = |variant: &Variant| {
            let missing: Vec<_> = variant
                .needs()
                .into_iter()
                .filter_map(|need| lacks(need).map(|why| format!("no `{}` ({why})", need.name())))
                .collect();
            (!missing.is_empty()).then(|| Unavailable {
                variant: variant.name.clone(),
                reason: format!("{runtime} runtime: {}", missing.join(", ")),
            })
        };
        let unavailable: Vec<_> = self.variants.iter().filter_map(unavailable).collect();
        let mut saved = self.saved.clone();
        saved.unavailable.extend(unavailable);
        Plan::with_a_cell(saved)
    }

    /// This plan without balancers that are not installed. A variant that is left without one becomes [`Unavailable`].
    /// Fails where that leaves no cell.
    pub fn without(&self, skipped: Vec<SkippedBalancer>) -> Result<Plan, NothingToRun> {
        let mut saved = self.saved.clone();
        for variant in &mut saved.variants {
            let asked = variant.balancers.len();
            variant.balancers.retain(|name| !skipped.iter().any(|it| it.balancer == *name));
            if variant.balancers.is_empty() && asked > 0 {
                let reason = "none of its balancers is installed".to_owned();
                saved.unavailable.push(Unavailable { variant: variant.name.clone(), reason });
            }
        }
        saved.skipped.extend(skipped);
        Plan::with_a_cell(saved)
    }

    fn with_a_cell(saved: SavedPlan) -> Result<Plan, NothingToRun> {
        let plan = Plan { saved };
        if plan.cells().is_empty() {
            return Err(NothingToRun(plan.saved.unavailable));
        }
        Ok(plan)
    }
}

impl Deref for Plan {
    type Target = SavedPlan;
    fn deref(&self) -> &SavedPlan {
        &self.saved
    }
}
