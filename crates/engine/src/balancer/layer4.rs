//! What all balancers have in common where their listener works at layer 4: one set of backends, and a log with a
//! line per connection.

use model::access_log::Attempt;
use model::topology::{Layer, Pool, Topology};
use model::units::Span;
use serde::Deserialize;

use super::{LogError, LogLine, Site, wall_nanos};

/// The one set of backends at layer 4. No pool is called so, as names have no underscores.
const EVERY_POOL: &str = "every_pool";

/// Whether `topology` is served at layer 4.
pub(super) fn is_layer4(topology: &Topology) -> bool {
    topology.listener.layer == Layer::Four
}

/// The sets of backends that a balancer chooses among: the pools, or all of them as one where it sees no requests.
pub(super) fn sets(topology: &Topology) -> Vec<Pool> {
    match topology.listener.layer {
        Layer::Seven => topology.pools.clone(),
        Layer::Four => {
            let backends = topology.pools.iter().flat_map(|pool| pool.backends.clone()).collect();
            let health_path = topology.pools.first().map(|pool| pool.health_path.clone()).unwrap_or_default();
            vec![Pool { name: EVERY_POOL.to_owned(), backends, health_path, ..Pool::default() }]
        }
    }
}

/// The name of the set that `backend` is in.
pub(super) fn set_of(topology: &Topology, backend: &str) -> String {
    let is_in = |set: &Pool| set.backends.iter().any(|b| b.id == backend);
    sets(topology).into_iter().find(is_in).map(|set| set.name).unwrap_or_default()
}

/// How long a connection may be silent both ways: there is one limit for clients that keep idle connections and for
/// backends that work on a response, so it is the longer of both.
pub(super) fn silence(topology: &Topology) -> Span {
    topology.response_timeout.max(topology.client_keepalive.unwrap_or_default())
}

/// Reads a line about a connection, which has the same form behind every balancer; `None`: it isn't one.
pub(super) fn read_connection(line: &str, site: &Site) -> Option<Result<LogLine, LogError>> {
    #[derive(Deserialize)]
    struct Line {
        ts: String,
        /// Milliseconds from `ts` to the line.
        ms: i64,
        /// An address, or a backend's name; `-`, empty or `<NOSRV>` for none.
        upstream: Option<String>,
        flags: String,
    }
    if !line.contains(r#""layer":"4""#) {
        return None;
    }
    let read = || {
        let line: Line = serde_json::from_str(line).map_err(|error| LogError(error.to_string()))?;
        let upstream = line.upstream.filter(|host| !matches!(host.as_str(), "" | "-" | "<NOSRV>"));
        let attempt = |host: &str| Attempt { backend: Some(site.backend_at(host)), status: None };
        let attempts = upstream.iter().flat_map(|hosts| hosts.split(", ")).map(attempt).collect();
        Ok(LogLine {
            id: None,
            wall: wall_nanos(&line.ts, line.ms)?,
            status: 0,
            pool: None,
            attempts,
            flags: line.flags,
            queued: None,
            signs: Vec::new(),
            reason: None,
        })
    };
    Some(read())
}
