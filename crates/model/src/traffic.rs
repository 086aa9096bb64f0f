//! The load of a cell: open loop, on a fixed schedule.

use serde::{Deserialize, Serialize};

use crate::statuses::Statuses;
use crate::units::{Bytes, Factor, Rate, Share, Span};

/// The load, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Arrivals per second.
    pub rate: Rate,
    /// How arrivals are spaced.
    pub arrivals: Arrivals,
    /// The measured part; t = 0 is its first arrival.
    #[serde(rename = "for")]
    pub duration: Span,
    /// Whether it ends earlier, once the timeline has ended and a timeout has passed without a loss.
    #[serde(default, skip_serializing_if = "is_false")]
    pub until_settled: bool,
    /// Arrivals before t = 0: sent, recorded and reconciled, but not in the counts.
    pub warmup: Span,
    /// Counted from the intended start; a request that isn't complete by then is a timeout.
    pub timeout: Span,
    /// The most connections open at once.
    pub connections: u32,
    /// Where that number comes from.
    #[serde(default)]
    pub connections_from: Cap,
    /// How many generators send it, each a part.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub generators: u32,
    /// Requests that open a connection of their own and close it.
    pub fresh_connections: Share,
    /// Whether clients take up TLS sessions again; without TLS there are none.
    #[serde(default = "resumption")]
    pub resumption: bool,
    /// Kinds of requests with their shares, which sum to 1.
    pub mix: Vec<RequestClass>,
    /// The users who make the requests; `None`: requests belong to no user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Users>,
}

/// What every load had before scenarios could say it.
fn one() -> u32 {
    1
}

fn is_one(it: &u32) -> bool {
    *it == 1
}

fn is_false(it: &bool) -> bool {
    !it
}

/// Without requests, what a load is unless a scenario says otherwise. A scenario always says its rate and its length.
impl Default for Traffic {
    fn default() -> Traffic {
        Traffic {
            rate: Rate(0.0),
            arrivals: Arrivals::default(),
            duration: Span::default(),
            until_settled: false,
            warmup: Span::millis(2000),
            timeout: Span::millis(10_000),
            connections: 0,
            connections_from: Cap::Load,
            generators: 1,
            fresh_connections: Share(0.1),
            resumption: resumption(),
            mix: Vec::new(),
            users: None,
        }
    }
}

/// Those who make the requests, each with a cookie jar.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Users {
    /// How many.
    pub count: u32,
    /// How much more some of them ask than others.
    pub skew: Skew,
    /// What tells them apart for a balancer.
    pub identity: Identity,
}

impl Users {
    /// The part of the requests that each user makes, in their order.
    pub fn shares(&self) -> impl Iterator<Item = f64> {
        let skew = self.skew;
        let weight = move |rank: u32| match skew {
            Skew::None => 1.0,
            Skew::Zipf(exponent) => f64::from(rank).powf(-exponent),
        };
        let whole: f64 = (1..=self.count).map(weight).sum();
        (1..=self.count).map(move |rank| weight(rank) / whole)
    }
}

/// How requests are spread over users. The first request of each, in the warm-up, comes before any draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skew {
    /// Evenly.
    #[default]
    None,
    /// The n-th busiest user's part is proportional to n to the power of minus this exponent (Zipf's law).
    Zipf(f64),
}

/// What tells users apart for a balancer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// Their cookies: any connection carries the requests of any user.
    #[default]
    Cookie,
    /// Their source addresses as well: each user has one, and connections of its own from there.
    SourceAddress,
}

/// A cap is never derived lower than this.
pub(crate) const FEWEST_CONNECTIONS: u32 = 64;

/// Where the most connections of a load come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cap {
    /// The scenario says it, or an earlier version derived it from the mean latency: it may bind.
    #[default]
    Scenario,
    /// It is what the load can need: arrivals within one timeout. It can't bind.
    Load,
    /// What the load can need is more than this machine carries. Where it binds, that is the machine's shortage.
    Machine,
}

impl Traffic {
    /// Lowers a derived cap to `carried`, where that is less, though not below [`FEWEST_CONNECTIONS`]; the scenario's own
    /// cap stays as it is.
    pub(crate) fn within(&mut self, carried: u32) {
        let carried = carried.max(FEWEST_CONNECTIONS);
        if self.connections_from != Cap::Scenario && carried < self.connections {
            self.connections = carried;
            self.connections_from = Cap::Machine;
        }
    }

    /// The name that clients ask for in TLS (SNI) and that the certificate bears: that of the first class. Connections carry
    /// requests of any class, so there is one.
    pub fn host(&self) -> Option<&str> {
        self.mix.first()?.host.as_deref()
    }

    /// Whether each user has its own source address.
    pub fn has_sources(&self) -> bool {
        self.users.is_some_and(|users| users.identity == Identity::SourceAddress)
    }
}

/// What every client had before scenarios could say it.
fn resumption() -> bool {
    true
}

/// As many requests as can be unfinished at once: the mean number of arrivals within `timeout`, six standard deviations of
/// it as Poisson arrivals have them, and one. A cap at this never binds.
pub(crate) fn most_in_flight(rate: Rate, timeout: Span) -> u64 {
    let mean = rate.0 * timeout.seconds();
    (mean + 6.0 * mean.sqrt()).ceil() as u64 + 1
}

/// How arrivals are spaced in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Arrival *i* is due at i / rate.
    #[default]
    Constant,
    /// Independent exponential gaps of mean 1 / rate, drawn from the seed.
    Poisson,
}

/// One kind of request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestClass {
    /// Its name.
    pub name: String,
    /// Its part of the arrivals.
    pub share: Share,
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
    /// The name that it asks for, in `Host`; `None`: the listener's address, or over TLS rig's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Headers beside those that rig sets.
    pub headers: Vec<(String, String)>,
    /// Size of the request body; sent with its checksum. Zero for GET.
    pub body: Bytes,
    /// What its service time is multiplied by.
    #[serde(default = "no_extra_cost")]
    pub cost: Factor,
    /// The pool that should answer; `None`: the scenario doesn't say.
    #[serde(default)]
    pub expected_pool: Option<String>,
    /// The statuses that count as delivered; `None`: the scenario doesn't say, and expects 2xx.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_status: Option<Statuses>,
    /// The time over which the body is sent, evenly, after the head; `None`: as fast as the connection takes it.
    #[serde(default)]
    pub upload: Option<Span>,
}

/// Without a name, what requests are unless a scenario says otherwise.
impl Default for RequestClass {
    fn default() -> RequestClass {
        RequestClass {
            name: String::new(),
            share: Share(1.0),
            method: Method::default(),
            path: "/".to_owned(),
            host: None,
            headers: Vec::new(),
            body: Bytes(0),
            cost: no_extra_cost(),
            expected_pool: None,
            expect_status: None,
            upload: None,
        }
    }
}

/// Plans that were saved before classes had a cost.
fn no_extra_cost() -> Factor {
    Factor::ONE
}

/// A request method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[strum(serialize_all = "UPPERCASE")]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Idempotent: balancers may send it again.
    #[default]
    Get,
    /// Idempotent, and its response has no body, whatever its head says.
    Head,
    /// Not idempotent.
    Post,
}

impl Method {
    /// As it stands on the request line.
    pub fn name(self) -> &'static str {
        self.into()
    }
}
