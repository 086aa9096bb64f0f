//! What each balancer can do, as plain data, so that a plan can be checked without the engine.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use crate::identity::VERSION_SIGN;
use crate::version::Version;

macro_rules! balancers {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal;)+) => {
        /// The balancers that rig has an adapter for. Matched in one place of the engine, nowhere else.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum BalancerKind {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl BalancerKind {
            /// Every balancer, in the order of tables.
            pub const ALL: [BalancerKind; [$($name),+].len()] = [$(BalancerKind::$variant),+];

            /// The name that scenarios and the command line use.
            pub fn name(self) -> &'static str {
                match self { $(BalancerKind::$variant => $name,)+ }
            }
        }
    };
}

balancers! {
    /// nginx, open source.
    Nginx = "nginx";
    /// HAProxy, community edition.
    Haproxy = "haproxy";
    /// Envoy, configured from files.
    Envoy = "envoy";
    /// Caddy, the standard build.
    Caddy = "caddy";
    /// Traefik, configured from files.
    Traefik = "traefik";
}

impl BalancerKind {
    /// Those that a scenario asks if it names none: they can do most of what the language can ask.
    pub const UNLESS_NAMED: [BalancerKind; 3] =
        [BalancerKind::Nginx, BalancerKind::Haproxy, BalancerKind::Envoy];
}

impl fmt::Display for BalancerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no balancer has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown balancer `{0}`; rig knows {known}", known = BalancerKind::ALL.map(BalancerKind::name).join(", "))]
pub struct UnknownBalancer(pub String);

impl FromStr for BalancerKind {
    type Err = UnknownBalancer;
    fn from_str(text: &str) -> Result<BalancerKind, UnknownBalancer> {
        BalancerKind::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| UnknownBalancer(text.to_owned()))
    }
}

/// Something that a scenario can ask of a balancer and that not every balancer has.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Probes its backends by itself.
    ActiveHealthChecks,
    /// Ejects backends because of failed traffic.
    PassiveHealth,
    /// Does so without probing them actively as well.
    PassiveHealthAlone,
    /// Chooses the better of two random backends.
    TwoChoices,
    /// Chooses the backend with the fewest requests.
    LeastConnections,
    /// Forwards connections, without reading the requests on them.
    Layer4,
    /// Takes one backend out while it runs, without a reload.
    LiveDeregister,
    /// Takes several backends of a pool out at the same time while it runs, without a reload.
    LiveDeregisterSeveral,
    /// Takes one backend out by a new configuration and a reload.
    ReloadDeregister,
    /// Says how many requests each backend has in flight.
    InFlightView,
    /// Takes one backend out while it runs, without a reload, where its listener works at layer 4.
    LiveDeregisterAtLayer4,
    /// Keeps users at backends by a cookie, and chooses the backends of new ones by an algorithm of its own.
    BalanceBesideSticky,
    /// Uses unhealthy backends where too few are healthy.
    Panic,
    /// Limits how many backends failed traffic may eject.
    MaxEjection,
    /// Limits how many requests each backend has at once.
    BackendLimit,
    /// Lets so many requests wait for a backend, and refuses the next one.
    BoundedQueue,
    /// Refuses at once what exceeds a limit.
    NoQueue,
    /// Limits how long a request waits for a backend.
    QueueTimeout,
    /// Sends a request again that met a refused connection, and not one that met a broken one.
    RetryRefusedAlone,
    /// Sends a request again whose connection broke, and not one that met a refused connection.
    RetryResetAlone,
    /// Sends a request again whose connection broke, and not one whose response is late.
    RetryWithoutTimeout,
    /// Sends a request again whose response is late, and not one whose connection broke.
    RetryTimeoutAlone,
    /// Sends a request again because of the status of the response.
    RetryStatus,
    /// Sends a request again because of the status of the response, and not one that met a refused connection.
    RetryStatusAlone,
    /// Tells a backend's 502 and 504 from those that it would answer with itself.
    RetryOwnStatusApart,
    /// Waits before it sends a request again, for a time that can be set.
    RetryBackoff,
    /// Limits the share of requests that it sends again.
    RetryBudget,
    /// Connects again at layer 4.
    RetriesAtLayer4,
    /// Gives backends different weights at layer 4.
    WeightsAtLayer4,
    /// Gives backends different weights, and chooses the one with the fewest requests for its weight.
    WeightedLeastConnections,
    /// Gives backends different weights, and chooses the better of two random ones.
    WeightedTwoChoices,
    /// Gives backends different weights, and chooses by a hash of the client's address.
    WeightedHash,
    /// Uses some backends only where it can use no other.
    Backup,
    /// Does so where it chooses by a hash or at random.
    BackupBesideHash,
    /// Does so where a cookie keeps users at backends.
    BackupBesideSticky,
    /// Gives a backend that comes back more and more requests, over a time that can be set.
    SlowStart,
    /// Does so where it chooses by a hash.
    SlowStartOfHash,
    /// Runs a configuration of the user's, as `rig adopt` takes it over.
    OwnConfiguration,
    /// Forgets at a reload from its original file what it was told while it ran.
    ForgetfulReload,
    /// Finds the backends of a pool by resolving its name again and again.
    DnsDiscovery,
    /// Saves the state of its servers, and loads it again at a reload.
    SavedState,
    /// Hands its listening sockets over to a second process of itself.
    Takeover,
    /// Lets a second process of itself bind its address, and ends when that is told.
    Rebind,
}

impl Capability {
    /// Every capability.
    pub const ALL: &'static [Capability] = Capability::VARIANTS;
}

/// A balancer in the version that a name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    /// What it is.
    pub kind: BalancerKind,
    /// `None`: whatever is installed.
    pub version: Option<Version>,
}

impl From<BalancerKind> for Release {
    fn from(kind: BalancerKind) -> Release {
        Release { kind, version: None }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            None => self.kind.fmt(f),
            Some(version) => f.pad(&format!("{}{VERSION_SIGN}{version}", self.kind)),
        }
    }
}

/// A capability that a balancer lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lack {
    /// Which.
    pub capability: Capability,
    /// Why, as tables and errors print it.
    pub reason: &'static str,
    /// The first version that has it, where one does.
    pub until: Option<Version>,
}

impl Lack {
    /// No version has it.
    pub const fn always(capability: Capability, reason: &'static str) -> Lack {
        Lack { capability, reason, until: None }
    }

    /// Versions from `until` on have it.
    pub const fn until(until: Version, capability: Capability, reason: &'static str) -> Lack {
        Lack { capability, reason, until: Some(until) }
    }

    /// Whether it holds of `version`. What is installed, whatever it is, may be an old one.
    pub fn holds_of(&self, version: Option<Version>) -> bool {
        match (self.until, version) {
            (Some(first), Some(version)) => version.is_before(&first),
            _ => true,
        }
    }
}

/// What the balancers can do. The engine builds it from its adapters; tests build their own.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Missing capabilities.
    pub missing: Vec<(BalancerKind, Lack)>,
    /// The words of each balancer's log for what can go wrong with a request.
    pub signs: Vec<(BalancerKind, &'static str)>,
}

impl Catalog {
    /// Why `release` lacks `capability`; `None` if it has it.
    pub fn lacks(&self, release: impl Into<Release>, capability: Capability) -> Option<Lack> {
        let Release { kind, version } = release.into();
        let lacks = |lack: &Lack| lack.capability == capability && lack.holds_of(version);
        self.missing.iter().find(|(of, lack)| *of == kind && lacks(lack)).map(|(_, lack)| *lack)
    }

    /// The words that the logs of `kinds` have for what can go wrong.
    pub fn signs_of(&self, kinds: &BTreeSet<BalancerKind>) -> impl Iterator<Item = &'static str> {
        self.signs.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, word)| *word)
    }
}
