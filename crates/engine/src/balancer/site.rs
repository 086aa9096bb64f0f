//! Where a balancer stands, and which backends it is to use.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use model::discovery::{Discovery, name_of};
use model::identity::BalancerName;
use model::plan::Variant;
use model::timeline::ReloadProcess;
use model::topology::Pool;
use model::units::Span;
use model::version::Version;

use crate::host::certificates::Certificates;

/// Where a balancer stands: addresses and its private directory.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its private directory, absolute.
    pub directory: PathBuf,
    /// Where clients connect.
    pub listener: SocketAddr,
    /// The socket of its control interface, if it has one: in a directory that no other user can enter.
    pub admin: PathBuf,
    /// The address of each backend, spares included.
    pub backends: BTreeMap<String, SocketAddr>,
    /// Where it finds the backends of pools that have a name; `None`: none has.
    pub names: Option<SocketAddr>,
    /// The cell's certificates; `None`: TLS is off.
    pub certificates: Option<Certificates>,
    /// Modules that it has to load for a listener at layer 4, by their files.
    pub modules: Vec<String>,
    /// The version that was asked for: what it has may be used. `None`: whatever is installed, of which only that may be
    /// used that every version has.
    pub version: Option<Version>,
    /// Client connections that it must be able to hold at once.
    pub connections: u32,
    /// Its worker processes or threads.
    pub workers: u16,
    /// Whether it loads the state of its servers that it saves before a reload.
    pub saves_state: bool,
    /// Which process serves after its reloads.
    pub succession: ReloadProcess,
    /// Whether it is started by root, and should stay so (its directory is root's).
    pub as_root: bool,
}

impl Site {
    /// The backend that has `address`; the address itself where none has.
    pub fn backend_at(&self, address: &str) -> String {
        let parsed: Option<SocketAddr> = address.parse().ok();
        self.backends
            .iter()
            .find(|(_, known)| Some(**known) == parsed)
            .map_or_else(|| address.to_owned(), |(name, _)| name.clone())
    }

    /// How it finds the backends of `pool`; `None`: its configuration names each.
    pub(super) fn discovered(&self, pool: &Pool) -> Option<Discovered> {
        let Discovery { ttl } = pool.discovery?;
        let port = self.backends.get(&pool.backends.first()?.id)?.port();
        Some(Discovered {
            server: self.names?,
            name: name_of(&pool.name),
            port,
            ttl,
            most: pool.backends.len(),
        })
    }

    /// The address of `backend`.
    ///
    /// # Panics
    /// If no backend of the topology has that name: the plan has been validated.
    pub fn address_of(&self, backend: &str) -> SocketAddr {
        *self.backends.get(backend).expect("every backend of a validated plan has an address")
    }
}

/// A pool that is found by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Discovered {
    /// The DNS server.
    pub(super) server: SocketAddr,
    /// The name, without a full stop at its end.
    pub(super) name: String,
    /// Where all its backends listen.
    pub(super) port: u16,
    /// How long an answer may be used.
    pub(super) ttl: Span,
    /// How many backends it can have at once.
    pub(super) most: usize,
}

impl Discovered {
    /// The TTL as balancers that don't look at it are told how often to ask.
    pub(super) fn seconds(&self) -> String {
        format!("{}s", self.ttl.0.as_secs())
    }
}

/// Whether a balancer may send a backend new requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    In,
    /// It finishes what it has there, and sends nothing new.
    Draining,
    /// It doesn't: a spare, or gone for good.
    Out,
}

/// The standing of every backend: the desired state that adapters work towards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    standings: BTreeMap<String, Standing>,
}

impl Rotation {
    /// Spares out, everyone else in.
    pub fn initial(topology: &model::topology::Topology) -> Rotation {
        let standings = topology
            .pools
            .iter()
            .flat_map(|pool| &pool.backends)
            .map(|b| (b.id.clone(), if b.spare { Standing::Out } else { Standing::In }))
            .collect();
        Rotation { standings }
    }

    /// This rotation with `backend` at `standing`.
    pub fn with(&self, backend: &str, standing: Standing) -> Rotation {
        let mut changed = self.clone();
        changed.standings.insert(backend.to_owned(), standing);
        changed
    }

    /// The standing of `backend`.
    pub fn of(&self, backend: &str) -> Standing {
        self.standings.get(backend).copied().unwrap_or(Standing::Out)
    }
}

/// A file of a balancer's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile {
    /// Relative to the balancer's directory.
    pub path: String,
    /// Its content.
    pub text: String,
    /// The template that it was rendered from; `None`: it has none.
    pub template: Option<&'static str>,
}

impl ConfigFile {
    /// The file `path` with `text`, of no template.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> ConfigFile {
        ConfigFile { path: path.into(), text: text.into(), template: None }
    }
}

/// A site with example addresses for the balancer `name`, for showing a configuration without running it.
pub fn example_site(variant: &Variant, name: BalancerName) -> Site {
    let address = |host: u8| SocketAddr::from(([127, 0, 1, host], 20_000));
    let backends = variant.topology.pools.iter().flat_map(|pool| &pool.backends);
    Site {
        directory: PathBuf::from("/run/rig/balancer"),
        listener: address(1),
        admin: PathBuf::from("/run/rig/admin.sock"),
        backends: backends.zip(10..).map(|(backend, host)| (backend.id.clone(), address(host))).collect(),
        names: variant.topology.is_discovered().then(|| address(2)),
        certificates: (variant.topology.listener.tls.at_listener())
            .then(|| Certificates::at("/run/rig/certificates", variant.traffic.host())),
        modules: Vec::new(),
        version: variant.release(name).and_then(|release| release.version),
        connections: variant.traffic.connections,
        workers: variant.topology.workers,
        saves_state: variant.saves_state(),
        succession: variant.succession(),
        as_root: false,
    }
}
