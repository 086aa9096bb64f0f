//! Ready means: requests *through the listener* have been answered by every backend that should serve. A port
//! that accepts proves nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use model::identity::{Incarnation, STAMP_HEADER};
use model::job::STATUS_PATH;
use model::topology::Topology;
use tokio::time::Instant;

/// Between two probes.
const PAUSE: Duration = Duration::from_millis(5);
/// Source addresses that probes take in turn, so that a hash of the source reaches every backend.
const SOURCES: u8 = 64;

/// Probes until every serving backend of every routed pool has answered through `listener`. `gone` is asked
/// between probes and ends the wait. `Err`: who has not answered within `within`.
pub(super) async fn every_backend_answers(
    topology: &Topology,
    listener: SocketAddr,
    within: Duration,
    gone: impl Fn() -> bool,
) -> Result<usize, String> {
    let begun = Instant::now();
    let mut probes = 0;
    let mut last = String::new();
    for route in &topology.routes {
        let mut missing: BTreeSet<&str> = topology
            .pool(&route.to)
            .into_iter()
            .flat_map(|pool| pool.serving())
            .map(|b| b.id.as_str())
            .collect();
        let url = format!("http://{listener}{}{STATUS_PATH}", route.path.trim_end_matches('/'));
        while !missing.is_empty() {
            if gone() || begun.elapsed() > within {
                let names: Vec<&str> = missing.into_iter().collect();
                return Err(format!("no answer from {} on {url}; last: {last}", names.join(", ")));
            }
            probes += 1;
            let source = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1 + (probes % usize::from(SOURCES)) as u8));
            match stamp(&url, source).await {
                Ok(incarnation) => {
                    missing.remove(incarnation.backend.as_str());
                }
                Err(why) => last = why,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(probes)
}

/// Who answers a request to `url`, on a connection of its own from `source`.
async fn stamp(url: &str, source: IpAddr) -> Result<Incarnation, String> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .local_address(source)
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(2))
        .build()
        .map_err(|error| error.to_string())?;
    let answer = client.get(url).send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    answer
        .headers()
        .get(STAMP_HEADER)
        .and_then(|stamp| stamp.to_str().ok())
        .and_then(|stamp| stamp.parse().ok())
        .ok_or_else(|| format!("status {status} without a backend's stamp"))
}
