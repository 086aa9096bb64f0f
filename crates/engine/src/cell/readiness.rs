//! Ready means: requests *through the listener* have been answered by every backend that should serve. A port
//! that accepts proves nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use model::identity::Incarnation;
use model::job::STATUS_PATH;
use model::topology::{Balance, HeaderMatch, Layer, Route, Topology};
use tokio::time::Instant;

use super::error::CellError;
use super::listener::BalancerListener;

/// Between two probes.
const PAUSE: Duration = Duration::from_millis(5);
/// Source addresses that probes take in turn on loopback, so that a hash of the source reaches every backend.
const SOURCES: u8 = 64;

/// Probes until every serving backend of every routed pool has answered through `listener`, the listener. Where a hash of
/// the source would send all probes to one backend, because they have one address, the others answer at their own addresses,
/// which `address_of` tells. `gone` is asked between probes and ends the wait. Returns what was proved; `Err`: who has
/// not answered within `within`.
pub(super) async fn every_backend_answers(
    topology: &Topology,
    listener: &BalancerListener,
    address_of: impl Fn(&str) -> SocketAddr,
    within: Duration,
    gone: impl Fn() -> bool,
) -> Result<String, String> {
    let begun = Instant::now();
    let (mut probes, mut direct) = (0, 0);
    let mut last = String::new();
    let mut answered: BTreeSet<&str> = BTreeSet::new();
    for way in ways(topology) {
        let path = way.status_path();
        let header = way.header;
        let mut missing: BTreeSet<&str> =
            way.backends.iter().copied().filter(|id| !answered.contains(id)).collect();
        answered.extend(missing.iter().copied());
        while !missing.is_empty() {
            if gone() || begun.elapsed() > within {
                let names: Vec<&str> = missing.into_iter().collect();
                return Err(format!(
                    "no answer from {} on {}; last: {last}",
                    names.join(", "),
                    listener.url(&path)
                ));
            }
            probes += 1;
            let source = source(listener.address, probes);
            match listener.stamp(&way.nth_status_path(probes), header, source).await {
                Ok(_) if source.is_none() && topology.balance == Balance::SourceHash => {
                    for backend in std::mem::take(&mut missing) {
                        // A backend speaks plain HTTP with who begins so.
                        let own = BalancerListener { address: address_of(backend), tls: None, host: None };
                        direct += 1;
                        if let Err(why) = own.stamp(STATUS_PATH, None, None).await {
                            last = why;
                            missing.insert(backend);
                        }
                    }
                }
                Ok(incarnation) => {
                    missing.remove(incarnation.backend.as_str());
                }
                Err(why) => last = why,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(match direct {
        0 => format!("every backend answered through the listener, {probes} probes"),
        _ => format!(
            "one backend answered through the listener, {probes} probes, and every backend at its own address: a hash of \
             the source sends rig's one address to one backend"
        ),
    })
}

/// The same where backends stamp nothing: probes until every serving backend of every routed pool is among those that the
/// balancer's log names, which `logged` tells.
pub(super) async fn every_backend_is_logged(
    topology: &Topology,
    listener: &BalancerListener,
    logged: impl Fn() -> Result<BTreeSet<String>, CellError>,
    within: Duration,
    gone: impl Fn() -> bool,
) -> Result<Result<String, String>, CellError> {
    let begun = Instant::now();
    let mut probes = 0;
    for way in ways(topology) {
        let health =
            topology.pool_of(way.backends.first().copied().unwrap_or_default()).map(|pool| pool.ready_path());
        // Another route may have the health path: then any answer of a backend does.
        let on_the_way = health.filter(|path| path.starts_with(way.path));
        let path = on_the_way.unwrap_or(way.path);
        let expected = if on_the_way.is_some() { 200..300 } else { 200..500 };
        loop {
            probes += 1;
            let answer = listener.status(path, way.header, source(listener.address, probes)).await;
            let fits = answer.as_ref().is_ok_and(|status| expected.contains(status));
            let known = logged()?;
            let missing: Vec<&str> = way.backends.iter().copied().filter(|it| !known.contains(*it)).collect();
            if fits && missing.is_empty() {
                break;
            }
            let last = match answer {
                Ok(status) if fits => format!("status {status}, and the access log does not name them"),
                Ok(status) => format!("status {status}"),
                Err(why) => why,
            };
            if gone() || begun.elapsed() > within {
                let url = listener.url(path);
                return Ok(Err(format!("no answer from {} on {url}; last: {last}", missing.join(", "))));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(Ok(format!("the access log names every backend for a request through the listener, {probes} probes")))
}

/// Asks through `listener`, without any cookie and from changing addresses, until `wanted` answers; returns how often
/// it took. `None`: it did not answer within `within`.
pub(super) async fn incarnation_answers(
    topology: &Topology,
    listener: &BalancerListener,
    wanted: &Incarnation,
    within: Duration,
) -> Option<u64> {
    let begun = Instant::now();
    let way = ways(topology).into_iter().find(|way| way.backends.contains(&wanted.backend.as_str()))?;
    let mut probes = 0;
    while begun.elapsed() <= within {
        probes += 1;
        let asked =
            listener.stamp(&way.nth_status_path(probes), way.header, source(listener.address, probes)).await;
        if asked.as_ref() == Ok(wanted) {
            return Some(probes);
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}

/// The source address of the `n`-th probe, if the way there has those.
fn source(listener: SocketAddr, n: u64) -> Option<IpAddr> {
    // In networks of their own: some balancers hash the /24 only.
    let here = Ipv4Addr::new(127, 0, (n % u64::from(SOURCES)) as u8, 1);
    listener.ip().is_loopback().then_some(IpAddr::V4(here))
}

/// A way through the listener, and whom it leads to.
struct WayIn<'t> {
    path: &'t str,
    header: Option<&'t HeaderMatch>,
    backends: Vec<&'t str>,
}

impl WayIn<'_> {
    fn status_path(&self) -> String {
        format!("{}{STATUS_PATH}", self.path.trim_end_matches('/'))
    }

    /// The same by another path each time, so that a hash of the path reaches every backend.
    fn nth_status_path(&self, n: u64) -> String {
        format!("{}/{n}{STATUS_PATH}", self.path.trim_end_matches('/'))
    }
}

/// The routes, those first that lead to one pool: a pool that gets few of a route's requests may have been reached by
/// another then. A pool that gets none can't be. At layer 4 there is one way, which leads to all.
fn ways(topology: &Topology) -> Vec<WayIn<'_>> {
    let serving = |pool: &'_ str| -> Vec<&str> {
        let pool = topology.pools.iter().find(|known| known.name == pool);
        // A backup gets nothing while others live.
        pool.into_iter()
            .flat_map(|pool| pool.serving())
            .filter(|b| !b.backup)
            .map(|b| b.id.as_str())
            .collect()
    };
    match topology.listener.layer {
        Layer::Four => {
            let backends = topology.pools.iter().flat_map(|pool| serving(&pool.name)).collect();
            vec![WayIn { path: "/", header: None, backends }]
        }
        Layer::Seven => {
            let mut routes: Vec<&Route> = topology.routes.iter().collect();
            routes.sort_by_key(|route| route.to.only().is_none());
            let way = |route: &'_ Route| -> Vec<&str> {
                let parts = route.to.parts().iter().filter(|part| part.share.0 > 0.0);
                parts.flat_map(|part| serving(&part.pool)).collect()
            };
            let routes = routes.into_iter();
            routes
                .map(|route| WayIn { path: &route.path, header: route.header.as_ref(), backends: way(route) })
                .collect()
        }
    }
}
