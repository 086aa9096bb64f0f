//! Which pool answered, and which should have: by the stamp that the client saw, beside what the balancer logged.
//!
//! A response from the wrong pool is delivered all the same: *misrouted* is counted beside the outcomes and changes
//! none of them.

use std::collections::BTreeMap;

use model::access_log::Logged;
use model::history::{Event, Happening};
use model::outcome::Outcome;
use model::plan::Variant;
use model::request::Request;
use model::split::Split;
use model::topology::{Layer, Topology};
use model::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::analysis::evidence::LogState;
use crate::analysis::joined::{Joined, Traces};
use crate::measure::shares::BackendShare;

/// Where a cell's measured requests went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Routing {
    /// Complete responses of the classes that name their pool; `None`: no class does.
    pub expected: Option<u64>,
    /// Of these, those from another pool.
    pub misrouted: u64,
    /// The classes that name their pool, or else all.
    pub classes: BTreeMap<String, ClassRouting>,
    /// Each pool's part of the answered requests.
    pub pools: BTreeMap<String, BackendShare>,
    /// Stamped responses whose log line was compared; `None`: the log tells no pools, or isn't whole.
    pub compared: Option<u64>,
    /// Of these, those for which the log names another pool, or that it lacks.
    pub disagreements: u64,
    /// The routes whose requests are split.
    pub splits: Vec<RouteSplit>,
}

/// Where the requests of a class went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassRouting {
    /// The pool that should answer.
    pub expected_pool: Option<String>,
    /// Complete responses, by pool.
    pub answered: BTreeMap<String, u64>,
    /// The same requests, by the pool that the balancer logged; those without one are absent.
    #[serde(default)]
    pub logged: BTreeMap<String, u64>,
    /// Those from another pool than the expected one.
    pub misrouted: u64,
}

/// How the requests of a route were split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteSplit {
    /// The route.
    pub route: String,
    /// The shares that were in force, one after the other.
    pub phases: Vec<SplitPhase>,
    /// Requests that were under way while the shares changed: they belong to no phase.
    pub between: u64,
}

/// A time in which a route's shares stood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitPhase {
    /// The timeline's entry that began it; `None`: the beginning.
    pub entry: Option<String>,
    /// The shares that were asked for.
    pub to: Split,
    /// Stamped responses, by the pool that the client saw.
    pub client: BTreeMap<String, u64>,
    /// The same requests, by the pool that the balancer logged.
    pub logged: BTreeMap<String, u64>,
    /// From when it was in force.
    #[serde(skip)]
    from: Option<Nanos>,
    /// When the next one was asked for.
    #[serde(skip)]
    until: Option<Nanos>,
}

impl Routing {
    /// What the records say of `measured`; `None` where there is one pool, and no class expects one.
    pub fn of(
        variant: &Variant,
        measured: &[&Request],
        joined: &Joined<'_>,
        history: &[Event],
        log: LogState,
    ) -> Option<Routing> {
        let topology = &variant.topology;
        let asks = variant.traffic.mix.iter().any(|class| class.expected_pool.is_some());
        if topology.pools.len() < 2 && !asks {
            return None;
        }
        // There is nothing to compare the log with.
        let by_log = topology.services().next().is_some();
        let mut routing = Routing {
            expected: asks.then_some(0),
            pools: topology.pools.iter().map(|p| (p.name.clone(), BackendShare::default())).collect(),
            compared: (log == LogState::Whole && !by_log).then_some(0),
            splits: splits(topology, history),
            ..Routing::default()
        };
        let routes = routes_of_classes(variant);
        for request in measured {
            let traces = joined.get(request.id);
            let logged_as = (by_log && request.outcome.kind().is_delivered()).then_some(traces);
            let Some(pool) = answered_by(request, logged_as, topology) else { continue };
            let logged = traces.logged.first().copied();
            routing.count(variant, request, pool, logged);
            let route = routes.get(request.class.as_str()).copied();
            if let Some(split) = routing.splits.iter_mut().find(|split| Some(split.route.as_str()) == route) {
                let received = traces.executions.first().map(|execution| execution.received);
                split.count(request.sent, received, pool, logged);
            }
        }
        let answered: u64 = routing.pools.values().map(|share| share.requests).sum();
        for share in routing.pools.values_mut() {
            share.share = share.requests as f64 / u64::max(answered, 1) as f64;
        }
        Some(routing)
    }

    fn count(&mut self, variant: &Variant, request: &Request, pool: &str, logged: Option<&Logged>) {
        self.pools.entry(pool.to_owned()).or_default().requests += 1;
        if let Some(compared) = &mut self.compared {
            *compared += 1;
            self.disagreements +=
                u64::from(logged.and_then(|line| line.pool).is_none_or(|logged| *logged != *pool));
        }
        if !matches!(request.outcome, Outcome::Answered { .. }) {
            return;
        }
        let class = variant.traffic.mix.iter().find(|class| class.name == request.class);
        let expected = class.and_then(|class| class.expected_pool.as_deref());
        let wrong = expected.is_some_and(|expected| expected != pool);
        if expected.is_some() {
            *self.expected.get_or_insert(0) += 1;
        }
        self.misrouted += u64::from(wrong);
        let class = self.classes.entry(request.class.to_string()).or_default();
        class.expected_pool = expected.map(str::to_owned);
        class.misrouted += u64::from(wrong);
        *class.answered.entry(pool.to_owned()).or_default() += 1;
        if let Some(pool) = logged.and_then(|line| line.pool) {
            *class.logged.entry(pool.to_string()).or_default() += 1;
        }
    }
}

impl RouteSplit {
    /// A request belongs to a phase if it was sent when that was in force, and received before the next was asked for.
    fn count(&mut self, sent: Option<Nanos>, received: Option<Nanos>, pool: &str, logged: Option<&Logged>) {
        let (Some(sent), Some(received)) = (sent, received) else {
            self.between += 1;
            return;
        };
        let within = |phase: &&mut SplitPhase| {
            phase.from.is_none_or(|from| from <= sent) && phase.until.is_none_or(|until| received <= until)
        };
        let Some(phase) = self.phases.iter_mut().find(within) else {
            self.between += 1;
            return;
        };
        *phase.client.entry(pool.to_owned()).or_default() += 1;
        if let Some(pool) = logged.and_then(|line| line.pool) {
            *phase.logged.entry(pool.to_string()).or_default() += 1;
        }
    }
}

/// The pool whose backend stamped a response, or that `logged_as` says answered.
fn answered_by<'t>(
    request: &Request,
    logged_as: Option<Traces<'_>>,
    topology: &'t Topology,
) -> Option<&'t str> {
    let by_log = || logged_as.and_then(|traces| traces.executions.last()).map(|execution| &execution.by);
    let by = request.served_by.as_ref().or_else(by_log)?;
    topology.pool_of(&by.backend).map(|pool| pool.name.as_str())
}

/// The route of each class; at layer 4 there is none.
fn routes_of_classes(variant: &Variant) -> BTreeMap<&str, &str> {
    let classes = variant.traffic.mix.iter().filter(|_| variant.topology.listener.layer == Layer::Seven);
    let route = |class| variant.topology.route_of(class).map(|route| route.name.as_str());
    classes.filter_map(|class| Some((class.name.as_str(), route(class)?))).collect()
}

/// The split routes with their phases, as the history tells them.
fn splits(topology: &Topology, history: &[Event]) -> Vec<RouteSplit> {
    let phase = |entry, to, from| SplitPhase {
        entry,
        to,
        client: BTreeMap::new(),
        logged: BTreeMap::new(),
        from,
        until: None,
    };
    if topology.listener.layer == Layer::Four {
        return Vec::new();
    }
    let split = topology.routes.iter().filter(|route| route.to.only().is_none());
    let mut splits: Vec<RouteSplit> = split
        .map(|route| RouteSplit {
            route: route.name.clone(),
            phases: vec![phase(None, route.to.clone(), None)],
            between: 0,
        })
        .collect();
    let mut wanted: BTreeMap<&str, (&str, &Split)> = BTreeMap::new();
    for event in history {
        match &event.what {
            Happening::Splitting { entry, route, to } => {
                wanted.insert(entry, (route, to));
                let split = splits.iter_mut().find(|split| split.route == *route);
                if let Some(last) = split.and_then(|split| split.phases.last_mut()) {
                    last.until.get_or_insert(event.at);
                }
            }
            Happening::SplitInForce { entry, .. } => {
                let Some((route, to)) = wanted.get(entry.as_str()) else { continue };
                if let Some(split) = splits.iter_mut().find(|split| split.route == *route) {
                    split.phases.push(phase(Some(entry.clone()), (*to).clone(), Some(event.at)));
                }
            }
            _ => {}
        }
    }
    splits
}
