//! What stands in a cell: pools of backends, routes, and how the balancer is set up. All values are resolved:
//! defaults are filled in, names are known to exist.

mod policies;
mod retries;
mod routes;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::discovery::Discovery;
use crate::service::OwnService;
use crate::sessions::Sessions;
use crate::split::Split;
use crate::tls::Tls;
use crate::traffic::RequestClass;
use crate::units::{Bytes, Share, Span};

pub use policies::{BackendLimit, Limits, PassiveHealth, Threshold, UpstreamKeepalive};
pub use retries::{Retries, Retry, RetryCause};
pub use routes::{HeaderMatch, Route, Sticky};

/// The balancer's side of a cell and the backends behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    /// Pools in the order of the document.
    pub pools: Vec<Pool>,
    /// Routes, the most specific first: the first match wins.
    pub routes: Vec<Route>,
    /// What the balancer takes in.
    #[serde(default)]
    pub listener: Listener,
    /// How a backend is chosen within a pool.
    pub balance: Balance,
    /// Active health checks; `None` is `off`.
    pub health_check: Option<HealthCheck>,
    /// Whether the balancer sends a failed request again.
    pub retries: Retries,
    /// Whether failed traffic ejects a backend.
    pub passive_health: PassiveHealth,
    /// The share of healthy backends below which the balancer uses the others as well.
    #[serde(default)]
    pub panic: Threshold,
    /// The share of backends that failed traffic may eject at once.
    #[serde(default)]
    pub max_ejection: Threshold,
    /// How much the balancer lets through at once.
    #[serde(default)]
    pub limits: Limits,
    /// Over how long a backend that comes back is given more and more requests; `None`: it gets its part at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<Span>,
    /// Whether the balancer keeps its connections to backends.
    #[serde(default)]
    pub upstream_keepalive: UpstreamKeepalive,
    /// How long the balancer keeps an idle client connection open; `None` closes it after each response.
    pub client_keepalive: Option<Span>,
    /// How long the balancer waits for a backend's response.
    pub response_timeout: Span,
    /// How long, after a reload, what the old configuration has in hand may take to end; `None` cuts it off.
    #[serde(default = "reload_grace")]
    pub reload_grace: Option<Span>,
    /// Worker processes or threads of the balancer.
    pub workers: u16,
}

/// Where nothing stands yet, with what a balancer is unless a scenario says otherwise.
impl Default for Topology {
    fn default() -> Topology {
        Topology {
            pools: Vec::new(),
            routes: Vec::new(),
            listener: Listener::default(),
            balance: Balance::default(),
            health_check: Some(HealthCheck::default()),
            retries: Retries::default(),
            passive_health: PassiveHealth::default(),
            panic: Threshold::default(),
            max_ejection: Threshold::default(),
            limits: Limits::default(),
            slow_start: None,
            upstream_keepalive: UpstreamKeepalive::default(),
            client_keepalive: Some(Span::millis(75_000)),
            response_timeout: Span::default(),
            reload_grace: reload_grace(),
            workers: 1,
        }
    }
}

/// What every balancer had before scenarios could say it.
fn reload_grace() -> Option<Span> {
    Some(Span::millis(30_000))
}

impl Topology {
    /// The pool called `name`.
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name)
    }
    /// The backends of all pools, spares included.
    pub fn backends(&self) -> impl Iterator<Item = &Backend> {
        self.pools.iter().flat_map(|pool| &pool.backends)
    }
    /// The pool that `backend` belongs to.
    pub fn pool_of(&self, backend: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.backends.iter().any(|b| b.id == backend))
    }
    /// The backend called `id`.
    pub fn backend(&self, id: &str) -> Option<&Backend> {
        self.pools.iter().flat_map(|pool| &pool.backends).find(|b| b.id == id)
    }
    /// What stands behind the balancer, if that is no backend of rig's own: all pools agree on that.
    pub fn services(&self) -> impl Iterator<Item = &OwnService> {
        self.pools.iter().filter_map(|pool| pool.service.as_ref())
    }
    /// What `backend` is, if it is none of rig's own.
    pub fn service_of(&self, backend: &str) -> Option<&OwnService> {
        self.pool_of(backend)?.service.as_ref()
    }
    /// The balancer's cookie for the users of `pool`. All routes to a pool agree on it.
    pub fn sticky_cookie(&self, pool: &str) -> Option<&str> {
        let mut leading = self.routes.iter().filter(|route| route.to.pools().any(|name| name == pool));
        leading.find_map(|route| route.sticky.as_ref()).map(|sticky| sticky.cookie.as_str())
    }
    /// How the balancer finds `backend`; `None`: its configuration names it.
    pub fn discovery_of(&self, backend: &str) -> Option<Discovery> {
        self.pool_of(backend)?.discovery
    }
    /// Whether some pool is found by its name: a DNS server then stands beside the backends.
    pub fn is_discovered(&self) -> bool {
        self.pools.iter().any(|pool| pool.discovery.is_some())
    }
    /// Whether some pool keeps its sessions in Redis, which then stands beside the backends.
    pub fn has_session_store(&self) -> bool {
        self.pools.iter().any(|pool| pool.sessions == Some(Sessions::Redis))
    }
    /// The route called `name`.
    pub fn route(&self, name: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.name == name)
    }
    /// The route of a request of `class`, whose path may have a query. At layer 4 it is not looked at.
    pub fn route_of(&self, class: &RequestClass) -> Option<&Route> {
        let path = class.path.split('?').next().unwrap_or(&class.path);
        let host = class.host.iter().map(|host| ("Host".to_owned(), host.clone()));
        let headers: Vec<_> = class.headers.iter().cloned().chain(host).collect();
        let matches = |route: &&Route| {
            path.starts_with(&route.path) && route.header.as_ref().is_none_or(|header| header.is_in(&headers))
        };
        self.routes.iter().find(matches)
    }
    /// This topology with another split of `route`.
    pub fn with_split(&self, route: &str, to: &Split) -> Topology {
        let mut changed = self.clone();
        for route in changed.routes.iter_mut().filter(|known| known.name == route) {
            route.to = to.clone();
        }
        changed
    }
}

/// Interchangeable backends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Its backends, spares last.
    pub backends: Vec<Backend>,
    /// Where they say whether they are healthy.
    #[serde(default = "health_path")]
    pub health_path: String,
    /// How long one that a deploy ends may take to exit before it is killed.
    #[serde(default = "grace", skip_serializing_if = "is_usual_grace")]
    pub grace: Span,
    /// Where they keep sessions; `None`: they keep none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
    /// What its backends are, if they are not rig's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<OwnService>,
    /// How the balancer finds them; `None`: its configuration names each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery: Option<Discovery>,
}

/// Without a name and backends, what a pool is unless a scenario says otherwise.
impl Default for Pool {
    fn default() -> Pool {
        Pool {
            name: String::new(),
            backends: Vec::new(),
            health_path: health_path(),
            grace: GRACE,
            sessions: None,
            service: None,
            discovery: None,
        }
    }
}

/// How long a backend may take to exit unless the scenario says otherwise: Kubernetes' `terminationGracePeriodSeconds`.
pub const GRACE: Span = Span(Duration::from_secs(30));

fn grace() -> Span {
    GRACE
}

fn is_usual_grace(grace: &Span) -> bool {
    *grace == GRACE
}

fn weight() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_usual_weight(weight: &u32) -> bool {
    *weight == 1
}

/// Where backends say whether they are healthy, and where balancers ask, unless the scenario says otherwise.
pub(crate) fn health_path() -> String {
    "/health".to_owned()
}

impl Pool {
    /// The backends that serve from the start.
    pub fn serving(&self) -> impl Iterator<Item = &Backend> {
        self.backends.iter().filter(|b| !b.spare)
    }
    /// Whether some of them are to get more than others.
    pub fn is_weighted(&self) -> bool {
        let mut weights = self.backends.iter().map(|b| b.weight);
        weights.next().is_some_and(|first| weights.any(|other| other != first))
    }
    /// Whether some of them are used only where no other can be.
    pub fn has_backups(&self) -> bool {
        self.backends.iter().any(|b| b.backup)
    }
    /// The part of the requests that `backend` should get where those called `serving` serve; of a backup, where only the
    /// backups among them do. 1 if the pool doesn't know it.
    pub fn part_of<'n>(&self, backend: &str, serving: impl Iterator<Item = &'n str>) -> f64 {
        let known = |id: &str| self.backends.iter().find(|b| b.id == id);
        let Some(own) = known(backend) else { return 1.0 };
        let beside = serving.filter(|id| *id != backend).filter_map(known).filter(|b| b.backup == own.backup);
        let weights: u32 = beside.map(|b| b.weight).sum();
        f64::from(own.weight) / f64::from(weights + own.weight)
    }
    /// Where rig asks whether a backend can serve.
    pub fn ready_path(&self) -> &str {
        let own = self.service.as_ref().and_then(|service| service.ready.path.as_deref());
        own.unwrap_or(&self.health_path)
    }
}

/// One place in a pool where a toy backend runs; an incarnation of it is a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backend {
    /// Unique in the topology, e.g. `web-1`.
    pub id: String,
    /// An address that a deploy moves to: empty and out of rotation at first.
    pub spare: bool,
    /// How many requests it gets for each one that a backend of weight 1 gets.
    #[serde(default = "weight", skip_serializing_if = "is_usual_weight")]
    pub weight: u32,
    /// Whether it is used only where no other backend of its pool can be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backup: bool,
    /// How long a process takes from its start until it listens.
    pub boot: Span,
    /// How long a request is worked on.
    pub latency: Latency,
    /// Requests worked on at once; `None` is without limit.
    pub at_once: Option<u32>,
    /// Requests that wait for a free place; the next one is answered 503.
    pub queue: u32,
    /// Size of the response body.
    pub body: Bytes,
    /// What becomes of requests in flight when SIGTERM arrives.
    pub on_term: OnTerm,
    /// Whether `/health` waits in the queue like other requests (else it is answered at once).
    pub health_in_queue: bool,
}

/// Without a name, what a backend is unless a scenario says otherwise: it answers at once.
impl Default for Backend {
    fn default() -> Backend {
        Backend {
            id: String::new(),
            spare: false,
            weight: weight(),
            backup: false,
            boot: Span::default(),
            latency: Latency::default(),
            at_once: None,
            queue: 1000,
            body: Bytes(1024),
            on_term: OnTerm::default(),
            health_in_queue: false,
        }
    }
}

/// Distribution of a backend's service time. Each request draws from hash(seed, request id), so that it costs
/// the same in every variant and behind every balancer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The shortest draw of the uniform part.
    pub from: Span,
    /// The longest draw of the uniform part; equal to `from` for a fixed time.
    pub to: Span,
    /// A slow tail beside it.
    pub tail: Option<Tail>,
}

impl Latency {
    /// The longest draw there is.
    pub fn slowest(&self) -> Span {
        self.tail.map_or(self.to, |tail| self.to.max(tail.at))
    }
}

/// A share of requests that takes a longer, fixed time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    /// How many of the requests.
    pub share: Share,
    /// How long each takes.
    pub at: Span,
}

/// What a backend does on SIGTERM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTerm {
    /// Exits at once; requests in flight are lost.
    #[default]
    Exit,
    /// Stops listening, finishes the requests in flight, then exits.
    Finish,
}

/// What a balancer takes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// How deep it looks into it.
    pub layer: Layer,
    /// Where TLS ends.
    #[serde(default)]
    pub tls: Tls,
}

/// The layer of the OSI model at which a listener works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layer {
    /// Connections: it reads no request, so no route applies, and the backends of all pools are one set.
    #[serde(rename = "4")]
    Four,
    /// HTTP requests.
    #[default]
    #[serde(rename = "7")]
    Seven,
}

/// How a backend is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in flight, by a full scan.
    LeastConnections,
    /// The better of two random ones.
    TwoChoices,
    /// By a consistent hash of the client's address.
    SourceHash,
}

/// Active health checks of the balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Requested with GET; 200 is healthy.
    pub path: String,
    /// Time between two probes of one backend.
    pub every: Span,
    /// How long a probe may take.
    pub timeout: Span,
    /// Failed probes in a row that mark a backend down.
    pub fall: u32,
    /// Successful probes in a row that mark it up.
    pub rise: u32,
}

/// What probes are unless a scenario says otherwise.
impl Default for HealthCheck {
    fn default() -> HealthCheck {
        let (every, timeout) = (Span::millis(500), Span::millis(250));
        HealthCheck { path: health_path(), every, timeout, fall: 2, rise: 1 }
    }
}
