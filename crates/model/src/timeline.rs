//! What happens to the topology while the load runs.

mod leaving;

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use crate::degrade::Degrade;
use crate::sessions::JwtKeys;
use crate::split::Split;
use crate::target::POOL;
use crate::units::Span;

pub use leaving::{Deregister, Drain, Leaving, Termination, ToldAfter, Until};

/// One entry of a timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name in the document.
    pub name: String,
    /// When it begins.
    pub when: When,
    /// How much later than that at most: drawn from the seed for each repeat, so that repeats meet other phases of
    /// what goes on periodically.
    #[serde(default)]
    pub jitter: Span,
    /// What it does.
    pub action: Action,
}

/// When an entry begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// So long after the first measured arrival.
    At(Span),
    /// When the entry of that name has ended.
    After(String),
}

/// What an entry does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Replaces every backend of a pool by a new generation, one after another.
    Deploy(Deploy),
    /// Harms one backend.
    Fault(Fault),
    /// Tells a running backend to misbehave.
    Degrade(Degrade),
    /// Changes the shares of a route's pools, while the balancer runs.
    Split(SplitChange),
    /// Asks the listener once with curl, and keeps what was said.
    Curl(CurlRequest),
    /// Lets the balancer read its configuration again.
    Reload(Reload),
    /// Runs the command that deploys a target at once.
    Roll(Roll),
    /// Takes one backend away: scaling in.
    Remove(Removal),
    /// Starts a backend that does not run: scaling out.
    Add(Addition),
}

/// The deploy of a target by its command `roll`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roll {}

/// Something of a timeline that requests can be lost by, and the pool that it happens to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Harm<'a> {
    Deploy(&'a str),
    Remove(&'a str),
    Add(&'a str),
    Fault(&'a str),
    Degrade(&'a str),
    Reload,
}

impl Action {
    /// How requests can be lost by it; `pool` finds the pool of a backend.
    pub(crate) fn harm<'a>(&'a self, pool: impl Fn(&'a str) -> &'a str) -> Option<Harm<'a>> {
        match self {
            Action::Deploy(deploy) => Some(Harm::Deploy(&deploy.pool)),
            Action::Fault(fault) => Some(Harm::Fault(pool(&fault.backend))),
            Action::Degrade(degrade) => Some(Harm::Degrade(pool(&degrade.backend))),
            Action::Reload(_) => Some(Harm::Reload),
            Action::Roll(_) => Some(Harm::Deploy(POOL)),
            Action::Remove(removal) => Some(Harm::Remove(pool(&removal.backend))),
            Action::Add(addition) => Some(Harm::Add(pool(&addition.backend))),
            Action::Split(_) | Action::Curl(_) => None,
        }
    }

    /// Whether it changes nothing that the load could meet.
    pub fn only_looks(&self) -> bool {
        matches!(self, Action::Curl(_))
    }

    /// How long it lasts, if it ends by itself.
    pub fn lasts(&self) -> Option<Span> {
        match self {
            Action::Fault(fault) => fault.lasts,
            Action::Degrade(degrade) => degrade.lasts,
            Action::Deploy(_)
            | Action::Remove(_)
            | Action::Add(_)
            | Action::Split(_)
            | Action::Curl(_)
            | Action::Reload(_)
            | Action::Roll(_) => None,
        }
    }

    /// The way in which the balancer is told, if that is a part of it.
    pub fn tells_by(&self) -> Option<Deregister> {
        match self {
            Action::Deploy(deploy) => deploy.tells_the_balancer().then_some(deploy.leaving.deregister),
            Action::Remove(removal) => removal.tells_the_balancer().then_some(removal.leaving.deregister),
            Action::Add(addition) => Some(addition.register),
            _ => None,
        }
    }

    /// Whether it is one that backends are replaced, removed or added by.
    pub fn is_a_rollout(&self) -> bool {
        matches!(self, Action::Deploy(_) | Action::Remove(_) | Action::Add(_))
    }
}

/// A change of a route's shares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitChange {
    /// The route.
    pub route: String,
    /// The shares from then on.
    pub to: Split,
}

/// A request that curl makes. It has no id, so it is no part of the load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurlRequest {
    /// Its path and query.
    pub path: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// How often it is asked, each time on a connection of its own.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// Reloads of the balancer, as its operators make them: it goes on serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reload {
    /// How many.
    pub times: u32,
    /// From the beginning of one to that of the next, which waits until the one before has taken effect.
    pub every: Span,
    /// What of the backends' standing it keeps.
    #[serde(default)]
    pub keeps: Keeps,
    /// Which process serves after it.
    #[serde(default)]
    pub process: ReloadProcess,
}

/// One, of which nothing is kept but the rotation.
impl Default for Reload {
    fn default() -> Reload {
        let (every, keeps, process) = (Span::default(), Keeps::default(), ReloadProcess::default());
        Reload { times: 1, every, keeps, process }
    }
}

/// Which process of the balancer serves after a reload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReloadProcess {
    /// The same.
    #[default]
    Kept,
    /// A second one, which is given the listening sockets of the first: HAProxy's `-x` with `-sf`, Envoy's hot restart.
    Takeover,
    /// A second one, which binds the listener's address beside the first: HAProxy's `-sf` alone. What waits in the queue of
    /// the first one's socket may be lost.
    Rebind,
}

/// What a reload keeps of what the balancer was told while it ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keeps {
    /// The rotation: its file is rendered again, with the backends that are out of it.
    #[default]
    Rotation,
    /// Its configuration alone: it reads the file that it was started from. A backend that is being drained gets requests
    /// again.
    #[serde(alias = "nothing")]
    Configuration,
    /// What it wrote into a file of its own just before: HAProxy's state of its servers.
    State,
}

/// A fault of one backend, or of the session store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What befalls it.
    pub kind: FaultKind,
    /// The backend, or [`STORE`](crate::sessions::STORE).
    pub backend: String,
    /// After which it is healed; `None`: it stays.
    #[serde(rename = "for")]
    pub lasts: Option<Span>,
}

/// What can befall a backend. Each means the same in every runtime that can do it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::VariantArray,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Its process gets SIGKILL; its address refuses connections until it is started again, which heals it.
    Crash,
    /// Its process gets SIGTERM, and ends as the backend's `on_term` says; its address refuses connections until
    /// it is started again, which heals it.
    Term,
    /// Its process stands still, its connections stay: it accepts, and never answers. Letting it go on heals it.
    Freeze,
    /// Its network is cut: packets to and from it vanish, its process runs on. Reconnecting heals it.
    Partition,
    /// Its process is killed, then its address vanishes: silence, not refusal. It comes back with its address.
    HostLoss,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: &'static [FaultKind] = FaultKind::VARIANTS;

    /// The name that scenarios use.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A rolling deploy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deploy {
    /// The pool that is replaced.
    pub pool: String,
    /// In which order old and new come.
    pub strategy: Strategy,
    /// How each backend leaves.
    #[serde(flatten)]
    pub leaving: Leaving,
    /// How long a new generation may take to become healthy, before the deploy is aborted.
    pub ready_within: Span,
    /// A new generation that never becomes healthy, to see what a deploy does then.
    pub new_generation_unhealthy: bool,
    /// What the new generation's key for tokens has to do with the old one's.
    #[serde(default)]
    pub jwt_keys: JwtKeys,
    /// How many are replaced at the same time.
    #[serde(default, skip_serializing_if = "Batch::is_one")]
    pub batch: Batch,
    /// Whether each new generation gets an address that none had before, and leaves the old one empty, as pods do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new_address: bool,
}

/// How long a backend may take to become healthy, unless more is said.
pub const READY_WITHIN: Span = Span::millis(15_000);

/// Of no pool, what a deploy is unless a scenario says otherwise.
impl Default for Deploy {
    fn default() -> Deploy {
        Deploy {
            pool: String::new(),
            strategy: Strategy::default(),
            leaving: Leaving::ABRUPT,
            ready_within: READY_WITHIN,
            new_generation_unhealthy: false,
            jwt_keys: JwtKeys::default(),
            batch: Batch::default(),
            new_address: false,
        }
    }
}

impl Deploy {
    /// Whether it leaves backends at other addresses than it found them.
    pub fn moves(&self) -> bool {
        self.new_address || self.strategy == Strategy::Surge
    }

    /// Whether the balancer is told that backends come and go: to drain them, or to use a spare.
    pub fn tells_the_balancer(&self) -> bool {
        let late = self.leaving.termination.is_some_and(|it| it.told_after != ToldAfter::Never);
        self.leaving.drain != Drain::Off || self.moves() || late
    }
}

/// Scaling in: one backend leaves, and nothing takes its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The backend that leaves.
    pub backend: String,
    /// How.
    #[serde(flatten)]
    pub leaving: Leaving,
}

impl Removal {
    /// Whether the balancer is told: without a drain once the backend has exited, as its address stays empty.
    pub fn tells_the_balancer(&self) -> bool {
        self.leaving.termination.is_none_or(|it| it.told_after != ToldAfter::Never)
    }
}

/// Scaling out: a spare backend, or one that was removed, starts and is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addition {
    /// The backend that starts.
    pub backend: String,
    /// How the balancer is told.
    pub register: Deregister,
    /// How long it may take to become healthy.
    pub ready_within: Span,
}

/// How many backends a deploy replaces at the same time; the next ones follow when all of these have been replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Batch {
    /// So many.
    Of(u32),
    /// The whole pool.
    All,
}

impl Default for Batch {
    fn default() -> Batch {
        Batch::Of(1)
    }
}

impl Batch {
    /// How many of `backends` that is.
    pub fn size(self, backends: usize) -> usize {
        match self {
            Batch::Of(most) => backends.min(most as usize).max(1),
            Batch::All => backends.max(1),
        }
    }

    fn is_one(&self) -> bool {
        *self == Batch::default()
    }
}

/// In which order old and new come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The old generation leaves, the new one takes its address.
    #[default]
    InPlace,
    /// The new generation starts on a spare address, then the old one leaves.
    Surge,
}
