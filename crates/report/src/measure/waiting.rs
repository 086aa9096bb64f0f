//! Requests that waited in the generator for a connection, because `load.connections` of them were taken: what an open
//! loop must not do, and a cap makes it do.

use model::request::Request;
use model::traffic::{Cap, Traffic};
use serde::{Deserialize, Serialize};

use crate::analysis::quantile::rank;
use crate::measure::validity::Trust;
use crate::numbers::{millis, percent};

/// What the measured requests of a cell waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// How many waited.
    pub requests: u64,
    /// Their part of the measured requests, 0 to 1.
    pub share: f64,
    /// What 99 % of those did not exceed, in milliseconds.
    pub p99_ms: f64,
    /// The longest, in milliseconds.
    pub max_ms: f64,
    /// The most connections that the load could have.
    pub connections: u32,
    /// Where that number comes from.
    pub connections_from: Cap,
    /// How many generators had a part of them each; 0: an earlier version knew one.
    #[serde(default)]
    pub generators: u32,
}

impl Waiting {
    /// Over the `measured` requests of `traffic`; `None`: none waited.
    pub fn of(traffic: &Traffic, measured: &[&Request]) -> Option<Waiting> {
        let waited = measured.iter().filter(|request| request.waited > 0);
        let mut waited: Vec<f64> = waited.map(|request| request.waited as f64 / 1e6).collect();
        waited.sort_by(f64::total_cmp);
        let requests = waited.len() as u64;
        Some(Waiting {
            requests,
            share: requests as f64 / measured.len() as f64,
            p99_ms: *waited.get(rank(0.99, requests))?,
            max_ms: *waited.last()?,
            connections: traffic.connections,
            connections_from: traffic.connections_from,
            generators: traffic.generators,
        })
    }

    /// What figures are worth where requests waited: a cap that the scenario chose is part of what was measured, one that
    /// the machine imposed is not.
    pub fn trust(&self) -> Trust {
        match self.connections_from {
            Cap::Scenario | Cap::Load => Trust::Degraded,
            Cap::Machine => Trust::Invalid,
        }
    }

    /// Why they are worth no more.
    pub fn reason(&self) -> String {
        let whose = match self.connections_from {
            Cap::Scenario | Cap::Load if self.generators > 1 => format!(
                "a generator's part of the {} of `load.connections`, which {} generators divide, was in use",
                self.connections, self.generators
            ),
            Cap::Scenario | Cap::Load => {
                format!("all {} of `load.connections` were in use", self.connections)
            }
            Cap::Machine => format!(
                "this machine's limits of open files and ports allow only {} connections",
                self.connections
            ),
        };
        format!(
            "{} of the requests waited in the generator for a connection (p99 {}, at most {}): {whose}",
            percent(self.share),
            millis(self.p99_ms),
            millis(self.max_ms)
        )
    }
}

/// What a reader should know where a machine carries less than a load could need; `None`: it carries it.
pub fn lowered(traffic: &Traffic) -> Option<String> {
    (traffic.connections_from == Cap::Machine).then(|| {
        format!(
            "the load may have at most {} connections: its rate and timeout could need more than this machine's limits of \
             open files and ports allow",
            traffic.connections
        )
    })
}
