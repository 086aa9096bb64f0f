//! What a scenario claims: `with-drain.dropped == 0`, `lc.p99 < 0.25 × rr.p99`, `rr.share[web-1] > 30%`.
//! `expect` and `control` share this one form: `variant.metric[facet] op value | k × variant.metric[facet]`.

mod parse;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::{Share, Span};

pub use parse::ClaimError;

/// A claim about the measured numbers, checked per balancer and repeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// As the scenario words it.
    pub text: String,
    /// The measured side.
    pub left: Reading,
    /// How they compare.
    pub comparison: Comparison,
    /// What it is compared with.
    pub right: Operand,
    /// Whether it is a gate: what `--fail-on` forbids, turned round.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gate: bool,
}

impl Claim {
    /// The gate that holds where this claim does not.
    pub fn forbidden(&self) -> Claim {
        let comparison = self.comparison.opposite();
        // A claim has one sign.
        let text = self.text.replacen(self.comparison.sign(), comparison.sign(), 1);
        Claim { text, comparison, gate: true, ..self.clone() }
    }

    /// What must be measured to judge it.
    pub fn readings(&self) -> impl Iterator<Item = &Reading> {
        let other = match &self.right {
            Operand::Multiple { reading, .. } => Some(reading),
            _ => None,
        };
        std::iter::once(&self.left).chain(other)
    }

    /// The variants that it needs.
    pub fn variants(&self) -> impl Iterator<Item = &str> {
        self.readings().map(|reading| reading.variant.as_str())
    }
}

/// One measured number of a variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The variant.
    pub variant: String,
    /// The number.
    pub metric: Metric,
    /// Which part of it, e.g. a backend.
    pub facet: Option<String>,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// `==`
    #[serde(rename = "==")]
    Equal,
    /// `!=`
    #[serde(rename = "!=")]
    NotEqual,
    /// `<`
    #[serde(rename = "<")]
    Less,
    /// `<=`
    #[serde(rename = "<=")]
    AtMost,
    /// `>`
    #[serde(rename = ">")]
    Greater,
    /// `>=`
    #[serde(rename = ">=")]
    AtLeast,
}

impl Comparison {
    /// Every comparison.
    pub const ALL: [Comparison; 6] = [
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::AtMost,
        Comparison::Greater,
        Comparison::AtLeast,
    ];

    /// What holds where this does not.
    fn opposite(self) -> Comparison {
        match self {
            Comparison::Equal => Comparison::NotEqual,
            Comparison::NotEqual => Comparison::Equal,
            Comparison::Less => Comparison::AtLeast,
            Comparison::AtMost => Comparison::Greater,
            Comparison::Greater => Comparison::AtMost,
            Comparison::AtLeast => Comparison::Less,
        }
    }

    /// As claims write it.
    pub fn sign(self) -> &'static str {
        match self {
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Greater => ">",
            Comparison::AtLeast => ">=",
        }
    }
}

/// The right side of a claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operand {
    /// A count.
    Count(u64),
    /// A number that need not be whole.
    Number(f64),
    /// A length of time.
    Span(Span),
    /// A share.
    Share(Share),
    /// As many as there can be: every replacement, every scheduled request.
    All,
    /// A multiple of another reading.
    Multiple {
        /// The factor; 1 if none is written.
        times: f64,
        /// The other reading.
        reading: Reading,
    },
}

/// What a metric is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain count.
    Count,
    /// A number that need not be whole: a mean of counts, a ratio.
    Number,
    /// A length of time.
    Span,
    /// A share.
    Share,
}

macro_rules! metrics {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident = $name:literal in $unit:ident $(of $whole:literal)? $(per $facet:literal $(or $greatest:literal)?)?;
    )+) => {
        /// The numbers that a claim can be about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Metric {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }
        impl Metric {
            /// Every metric.
            pub const ALL: &'static [Metric] = &[$(Metric::$variant,)+];
            /// Its name in claims.
            pub fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name,)+ }
            }
            /// What it is measured in.
            pub fn unit(self) -> Unit {
                match self { $(Metric::$variant => Unit::$unit,)+ }
            }
            /// What its facet names; `None`: it has none.
            pub fn facet(self) -> Option<&'static str> {
                match self { $(Metric::$variant => None $(.or(Some($facet)))?,)+ }
            }
            /// What it is when its facet is left out; `None`: it can't be.
            pub fn without_facet(self) -> Option<&'static str> {
                match self { $(Metric::$variant => None $($(.or(Some($greatest)))?)?,)+ }
            }
            /// What it is a part of, so that a claim can say `all`; `None`: of nothing that is counted.
            pub fn whole(self) -> Option<&'static str> {
                match self { $(Metric::$variant => None $(.or(Some($whole)))?,)+ }
            }
        }
    };
}

metrics! {
    /// Measured requests in the schedule.
    Scheduled = "scheduled" in Count;
    /// Complete expected responses.
    Ok = "ok" in Count of "requests";
    /// Complete responses with a status other than 2xx that `expect_status` declares.
    ExpectedStatus = "expected_status" in Count of "requests";
    /// Everything that a user would call a failed request.
    Dropped = "dropped" in Count of "requests";
    /// Dropped as a status of 500 or more.
    Http5xx = "http_5xx" in Count of "requests";
    /// Dropped as a reset connection.
    Reset = "reset" in Count of "requests";
    /// Dropped as a closed connection.
    Closed = "closed" in Count of "requests";
    /// Dropped as a refused connection.
    Refused = "refused" in Count of "requests";
    /// Dropped as a time-out.
    Timeout = "timeout" in Count of "requests";
    /// Dropped because unfinished requests held every connection.
    NotSent = "not_sent" in Count of "requests";
    /// Complete responses with this status, whether the scenario expects it or not.
    Status = "status" in Count of "requests" per "status";
    /// Requests of which the balancer's log has this word: HAProxy's termination state (`sQ`), Envoy's response flag
    /// (`UO`), nginx's reason (`no live upstreams`).
    Flag = "flag" in Count of "requests" per "flag";
    /// Requests that backends received more than once.
    Duplicates = "duplicates" in Count;
    /// Requests that ended well although an attempt at a backend had failed.
    Masked = "masked" in Count;
    /// Complete responses that came from another pool than their class expects.
    Misrouted = "misrouted" in Count of "responses";
    /// Requests of which client and access log name different pools.
    SplitDisagreements = "split_disagreements" in Count of "ids";
    /// A pool's part of the answered requests.
    PoolShare = "pool_share" in Share per "pool";
    /// Backends that a deploy replaced.
    Replaced = "replaced" in Count of "backends";
    /// Deploys that stopped because a new generation did not become healthy.
    Aborted = "aborted" in Count;
    /// Drains whose window ran out with requests in flight.
    DrainsExpired = "drains_expired" in Count of "drains";
    /// The longest drain.
    LongestDrain = "longest_drain" in Span;
    /// Reloads of the balancer under load.
    Reloads = "reloads" in Count;
    /// Median latency from the intended start, failures counted as infinite.
    P50 = "p50" in Span;
    /// 90th percentile.
    P90 = "p90" in Span;
    /// 99th percentile.
    P99 = "p99" in Span;
    /// 99.9th percentile.
    P999 = "p999" in Span;
    /// The slowest request.
    Max = "max" in Span;
    /// A backend's part of the answered requests.
    BackendShare = "share" in Share per "backend";
    /// How unevenly the balancer spread the requests: those of the busiest backend over the mean of its pool. 1 is
    /// perfectly even.
    Imbalance = "imbalance" in Number;
    /// Sessions that a backend no longer had when their user came back.
    SessionsLost = "sessions_lost" in Count of "sessions";
    /// Sessions that were there whenever their user came back.
    SessionsKept = "sessions_kept" in Count of "sessions";
    /// Requests whose session was kept and whose counter another request of it got as well: one of their updates was
    /// lost.
    UpdatesLost = "updates_lost" in Count;
    /// Users that more than one backend of a pool answered.
    UsersMoved = "users_moved" in Count of "users";
    /// The longest queue seen at a backend.
    QueueMax = "queue_max" in Count per "backend" or "where it is greatest";
    /// The mean length of a backend's queue.
    QueueMean = "queue_mean" in Number per "backend" or "where it is greatest";
    /// By how many requests a second a backend's queue grew over the load: the slope of the least-squares line through its
    /// samples. Above 0 it gets more than it can serve, however long the load lasts.
    QueueGrowth = "queue_growth" in Number per "backend" or "where it is greatest";
    /// The most requests seen in flight at a backend, those in its queue included.
    InFlightMax = "in_flight_max" in Count per "backend" or "where it is greatest";
    /// The mean number of requests in flight at a backend, those in its queue included.
    InFlightMean = "in_flight_mean" in Number per "backend" or "where it is greatest";
    /// Measured requests that waited for a full TLS handshake.
    HandshakesFull = "handshakes_full" in Count of "requests";
    /// Measured requests that waited for a TLS handshake which took up an earlier session.
    HandshakesResumed = "handshakes_resumed" in Count of "requests";
    /// TLS handshakes of the backends while they were looked at, those of the balancer's probes included.
    BackendHandshakes = "backend_handshakes" in Count;
    /// CPU time of the balancer over the load, for each request that was begun.
    BalancerCpu = "balancer_cpu_per_request" in Span;
    /// CPU time of all backends over the load, for each request that was begun.
    BackendCpu = "backend_cpu_per_request" in Span;
    /// CPU time of balancer and backends together over the load, for each request that was begun.
    Cpu = "cpu_per_request" in Span;
    /// CPU time of the balancer over the load, whatever it did, for each TLS handshake of a client.
    BalancerCpuPerHandshake = "balancer_cpu_per_handshake" in Span;
    /// CPU time of all backends over the load, whatever they did, for each TLS handshake of a client.
    BackendCpuPerHandshake = "backend_cpu_per_handshake" in Span;
    /// From a fault until the balancer's view says that the backend is down; the slowest, if it has several.
    Detection = "detection" in Span per "backend";
    /// How long the balancer's active probes may take for that, by their configuration.
    Bound = "bound" in Span per "backend";
    /// From a fault to the start of the last attempt of the load at the backend.
    Removal = "removal" in Span per "backend";
    /// Dropped requests that a fault of the backend cost.
    Harmed = "harmed" in Count per "backend";
    /// From the healing of a fault to the first request that ends well at the backend again.
    Recovery = "recovery" in Span per "backend";
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.variant, self.metric)?;
        match &self.facet {
            Some(facet) => write!(f, "[{facet}]"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sign())
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Count(count) => count.fmt(f),
            Operand::Number(number) => number.fmt(f),
            Operand::Span(span) => span.fmt(f),
            Operand::Share(share) => share.fmt(f),
            Operand::All => f.write_str("all"),
            Operand::Multiple { times, reading } => write!(f, "{times} × {reading}"),
        }
    }
}
