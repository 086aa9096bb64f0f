//! Every figure that a claim can be about, a row each: its name, what it is, what it is measured in, and how it is judged.
//! Tables, formats and documents go through these rows; how a figure is read from what was measured is the report's.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::VariantArray;

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

/// What a metric is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::VariantArray)]
pub enum Kind {
    /// How requests ended.
    Outcomes,
    /// How long they took.
    Latency,
    /// What a deploy or a reload did.
    Deploys,
    /// What a fault did, and who noticed.
    Faults,
    /// Who answered requests, and how many waited there.
    Backends,
    /// Which pool answered.
    Routing,
    /// What became of users and their sessions.
    Sessions,
    /// Handshakes.
    Tls,
    /// CPU time.
    Cpu,
}

impl Kind {
    /// Every kind.
    pub const ALL: &'static [Kind] = Kind::VARIANTS;

    /// As a heading.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Outcomes => "How requests ended",
            Kind::Latency => "Latency",
            Kind::Deploys => "Deploys and reloads",
            Kind::Faults => "Faults",
            Kind::Backends => "Backends",
            Kind::Routing => "Routing",
            Kind::Sessions => "Users and sessions",
            Kind::Tls => "TLS",
            Kind::Cpu => "CPU time",
        }
    }
}

/// What has to be trusted so that a metric can be, beside the deploy and the rest of the timeline, which must have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestsOn {
    /// The counts.
    Counts,
    /// The counts, and if it fails, backends that did not have to wait for the machine: who waits outlasts a time limit, and
    /// is taken out, given up or cut off.
    Pace,
    /// The counts, and this percentile of the latency.
    Percentile,
    /// The counts, and the CPU times.
    CpuTime,
}

/// Which of two figures is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// The lower one.
    Lower,
    /// The higher one.
    Higher,
    /// Neither: it describes, and does not judge.
    Neither,
}

/// What a metric is read for, one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Facet {
    /// A backend.
    Backend,
    /// A status of a response.
    Status,
    /// A word of the balancer's log.
    Flag,
    /// A pool.
    Pool,
}

/// What a metric counts a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
#[allow(missing_docs, reason = "each is what it is called")]
pub enum PartOf {
    Requests,
    Responses,
    Ids,
    Backends,
    Removals,
    Additions,
    Drains,
    Sessions,
    Users,
}

macro_rules! metrics {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident = $name:literal $(was $old:literal)? $(headed $heading:literal)?
            in $unit:ident $(of $whole:ident)? $(per $facet:ident $(or $greatest:literal)?)?:
            $kind:ident by $rests_on:ident, $better:ident is better $(, a loss of $loss:ident)?;
    )+) => {
        /// The numbers that a claim can be about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Metric {
            $($(#[doc = $doc])+ #[serde(rename = $name $(, alias = $old)?)] $variant,)+
        }
        impl Metric {
            /// Every metric.
            pub const ALL: &'static [Metric] = &[$(Metric::$variant,)+];
            /// Its name in claims.
            pub fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name,)+ }
            }
            /// The metric that claims call so, or did so once: saved plans keep the old name.
            pub fn named(name: &str) -> Option<Metric> {
                let is_it = |metric: &Metric| match metric {
                    $(Metric::$variant => name == $name $(|| name == $old)?,)+
                };
                Metric::ALL.iter().copied().find(is_it)
            }
            /// What it is, in a sentence.
            pub fn what(self) -> &'static str {
                match self { $(Metric::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
            /// What columns call it.
            pub fn heading(self) -> &'static str {
                let own = match self { $(Metric::$variant => None $(.or(Some($heading)))?,)+ };
                own.unwrap_or(self.name())
            }
            /// What it is measured in.
            pub fn unit(self) -> Unit {
                match self { $(Metric::$variant => Unit::$unit,)+ }
            }
            /// What it is about.
            pub fn kind(self) -> Kind {
                match self { $(Metric::$variant => Kind::$kind,)+ }
            }
            /// What has to be trusted so that it can be.
            pub fn rests_on(self) -> RestsOn {
                match self { $(Metric::$variant => RestsOn::$rests_on,)+ }
            }
            /// Which end of it is better.
            pub fn better(self) -> Better {
                match self { $(Metric::$variant => Better::$better,)+ }
            }
            /// What its facet names; `None`: it has none.
            pub fn facet(self) -> Option<Facet> {
                match self { $(Metric::$variant => None $(.or(Some(Facet::$facet)))?,)+ }
            }
            /// What it is when its facet is left out; `None`: it can't be.
            pub fn without_facet(self) -> Option<&'static str> {
                match self { $(Metric::$variant => None $($(.or(Some($greatest)))?)?,)+ }
            }
            /// What it is a part of, so that a claim can say `all`; `None`: of nothing that is counted.
            pub fn whole(self) -> Option<PartOf> {
                match self { $(Metric::$variant => None $(.or(Some(PartOf::$whole)))?,)+ }
            }
            /// The losses that it tells of: its own count, or what it lacks; `None`: it is no count of losses. Masked
            /// requests ended well, and what a deploy did is no loss.
            pub fn loss(self) -> Option<Metric> {
                match self { $(Metric::$variant => None $(.or(Some(Metric::$loss)))?,)+ }
            }
        }
    };
}

metrics! {
    /// Measured requests in the schedule.
    Scheduled = "scheduled" in Count: Outcomes by Counts, Neither is better;
    /// Complete expected responses.
    Ok = "ok" in Count of Requests: Outcomes by Pace, Higher is better, a loss of Dropped;
    /// Complete responses with a status other than 2xx that `expect_status` declares.
    ExpectedStatus = "expected_status" headed "expected status" in Count of Requests: Outcomes by Counts, Neither is better;
    /// Requests without the complete expected response in time: what a user would call failed.
    Dropped = "dropped" in Count of Requests: Outcomes by Pace, Lower is better, a loss of Dropped;
    /// The part of the scheduled requests that were dropped.
    ErrorRate = "error_rate" headed "error rate" in Share: Outcomes by Pace, Lower is better, a loss of Dropped;
    /// From the first measured request to the first that was dropped, as they were scheduled.
    TimeToFirstLoss = "time_to_first_loss" headed "time to first loss" in Span: Outcomes by Pace, Neither is better;
    /// The longest part of the schedule in which every request was dropped: from the first of them to the next that was not.
    LongestOutage = "longest_outage" headed "longest outage" in Span: Outcomes by Pace, Lower is better, a loss of Dropped;
    /// Dropped as a status of 500 or more.
    Http5xx = "http_5xx" headed "5xx" in Count of Requests: Outcomes by Pace, Neither is better, a loss of Http5xx;
    /// Dropped as a reset connection.
    Reset = "reset" in Count of Requests: Outcomes by Pace, Neither is better, a loss of Reset;
    /// Dropped as a closed connection.
    Closed = "closed" in Count of Requests: Outcomes by Pace, Neither is better, a loss of Closed;
    /// Dropped as a refused connection.
    Refused = "refused" in Count of Requests: Outcomes by Pace, Neither is better, a loss of Refused;
    /// Dropped as a timeout.
    Timeout = "timeout" in Count of Requests: Outcomes by Pace, Neither is better, a loss of Timeout;
    /// Dropped because unfinished requests held every connection.
    NotSent = "not_sent" headed "not sent" in Count of Requests: Outcomes by Pace, Neither is better, a loss of NotSent;
    /// Complete responses with this status, whether the scenario expects it or not.
    Status = "status" in Count of Requests per Status: Outcomes by Pace, Neither is better, a loss of Status;
    /// Requests of which the balancer's log has this word: HAProxy's termination state (`sQ`), Envoy's response flag
    /// (`UO`), nginx's reason (`no live upstreams`).
    Flag = "flag" in Count of Requests per Flag: Outcomes by Pace, Neither is better, a loss of Flag;
    /// Requests that the balancer refused because of a limit, by its log: they found it reached, or waited too long.
    RefusedByLimit = "refused_by_limit" headed "refused by limit" in Count of Requests: Outcomes by Pace, Neither is better, a loss of RefusedByLimit;
    /// Attempts at backends beyond the first, for each request that the balancer tried at all, by its log: with 0.5, backends
    /// get half as much again as clients sent.
    RetriesPerRequest = "retries_per_request" headed "retries per request" in Number: Outcomes by Pace, Neither is better;
    /// Requests that backends received more than once.
    Duplicates = "duplicates" headed "twice" in Count: Outcomes by Counts, Lower is better, a loss of Duplicates;
    /// Requests that ended well although an attempt at a backend had failed.
    Masked = "masked" in Count: Outcomes by Pace, Neither is better;
    /// Complete responses that came from another pool than their class expects.
    Misrouted = "misrouted" in Count of Responses: Routing by Counts, Lower is better, a loss of Misrouted;
    /// Requests of which client and access log name different pools.
    SplitDisagreements = "split_disagreements" headed "split disagreements" in Count of Ids: Routing by Counts, Lower is better;
    /// A pool's part of the answered requests.
    PoolShare = "pool_share" headed "pool share" in Share per Pool: Routing by Counts, Neither is better;
    /// Backends that a deploy replaced.
    Replaced = "replaced" in Count of Backends: Deploys by Pace, Neither is better;
    /// Backends that the timeline removed: they have exited, and the balancer was told what it was to be told.
    Removed = "removed" in Count of Removals: Deploys by Pace, Neither is better;
    /// Backends that the timeline added: they were registered, and answered requests.
    Added = "added" in Count of Additions: Deploys by Pace, Neither is better;
    /// Deploys that stopped because a new generation did not become healthy.
    Aborted = "aborted" in Count: Deploys by Pace, Neither is better;
    /// Drains whose window ran out with requests in flight.
    DrainsExpired = "drains_expired" headed "drains expired" in Count of Drains: Deploys by Pace, Lower is better;
    /// The longest drain.
    LongestDrain = "longest_drain" headed "longest drain" in Span: Deploys by Pace, Neither is better;
    /// The longest time from the signal that ended a backend until the balancer had confirmed that it leaves; 0 if it had
    /// done so before each signal.
    ToldLate = "told_late" headed "told late" in Span: Deploys by Pace, Lower is better;
    /// Requests that the balancer sent to a backend, or to its address, after the signal that ended it.
    SentAfterSignal = "sent_after_signal" headed "sent after signal" in Count: Deploys by Pace, Lower is better;
    /// Of these, those that it sent after the process was gone and before its successor was there.
    SentAfterExit = "sent_after_exit" headed "sent after exit" in Count: Deploys by Pace, Lower is better;
    /// The longest time from the signal that ended a backend to the last request that the balancer sent there.
    LastAfterSignal = "last_after_signal" headed "last after signal" in Span: Deploys by Pace, Lower is better;
    /// The longest time from the removal of a backend's record from DNS to the last request that the balancer sent there; 0 if it
    /// sent none after it.
    LastAtOldAddress = "last_at_old_address" headed "last at old address" in Span: Deploys by Pace, Lower is better;
    /// Backends that had not exited within their grace, and were killed.
    KilledAtGrace = "killed_at_grace" headed "killed at grace" in Count of Backends: Deploys by Pace, Lower is better;
    /// Reloads of the balancer under load.
    Reloads = "reloads" in Count: Deploys by Counts, Neither is better;
    /// Median latency from the intended start, failures counted as infinite.
    P50 = "p50" in Span: Latency by Percentile, Lower is better;
    /// 90th percentile of the latency from the intended start.
    P90 = "p90" in Span: Latency by Percentile, Lower is better;
    /// 95th percentile of the latency from the intended start.
    P95 = "p95" in Span: Latency by Percentile, Lower is better;
    /// 99th percentile of the latency from the intended start.
    P99 = "p99" in Span: Latency by Percentile, Lower is better;
    /// 99.9th percentile of the latency from the intended start.
    P999 = "p999" headed "p99.9" in Span: Latency by Percentile, Lower is better;
    /// The slowest request.
    Max = "max" in Span: Latency by Percentile, Neither is better;
    /// Median time that requests waited at the balancer for a backend, by its log; for Envoy, for a connection to one.
    QueuedP50 = "queued_p50" headed "queued p50" in Span: Latency by Pace, Neither is better;
    /// 99th percentile of the time that requests waited at the balancer for a backend, by its log; for Envoy, for a
    /// connection to one.
    QueuedP99 = "queued_p99" headed "queued p99" in Span: Latency by Pace, Neither is better;
    /// A backend's part of the answered requests.
    BackendShare = "share" in Share per Backend: Backends by Pace, Neither is better;
    /// How unevenly the balancer spread the requests: those of the busiest backend over the mean of its pool; of
    /// weighted backends, those per weight. 1 is perfectly even.
    Imbalance = "imbalance" in Number: Backends by Pace, Neither is better;
    /// Sessions that a backend no longer had when their user came back.
    SessionsLost = "sessions_lost" headed "sessions lost" in Count of Sessions: Sessions by Pace, Lower is better, a loss of SessionsLost;
    /// Sessions that were there whenever their user came back.
    SessionsKept = "sessions_kept" headed "sessions kept" in Count of Sessions: Sessions by Pace, Higher is better, a loss of SessionsLost;
    /// Requests whose session was kept and whose counter another request of it got as well: one of their updates was
    /// lost.
    UpdatesLost = "updates_lost" headed "updates lost" in Count: Sessions by Pace, Lower is better, a loss of UpdatesLost;
    /// Users that more than one backend of a pool answered.
    UsersMoved = "users_moved" headed "users moved" in Count of Users: Sessions by Pace, Neither is better, a loss of UsersMoved;
    /// The longest queue seen at a backend.
    QueueMax = "queue_max" headed "queue max" in Count per Backend or "where it is greatest": Backends by Pace, Neither is better;
    /// The mean length of a backend's queue.
    QueueMean = "queue_mean" headed "queue mean" in Number per Backend or "where it is greatest": Backends by Pace, Neither is better;
    /// By how many requests a second a backend's queue grew over the load: the slope of the least-squares line through its
    /// samples. Above 0 it gets more than it can serve, however long the load lasts.
    QueueGrowth = "queue_growth" headed "queue growth" in Number per Backend or "where it is greatest": Backends by Pace, Lower is better;
    /// The most requests seen in flight at a backend, those in its queue included.
    InFlightMax = "in_flight_max" headed "in flight max" in Count per Backend or "where it is greatest": Backends by Pace, Neither is better;
    /// The mean number of requests in flight at a backend, those in its queue included.
    InFlightMean = "in_flight_mean" headed "in flight mean" in Number per Backend or "where it is greatest": Backends by Pace, Neither is better;
    /// Measured requests that waited for a full TLS handshake.
    HandshakesFull = "handshakes_full" headed "handshakes full" in Count of Requests: Tls by Pace, Neither is better;
    /// Measured requests that waited for a TLS handshake which resumed an earlier session.
    HandshakesResumed = "handshakes_resumed" headed "handshakes resumed" in Count of Requests: Tls by Pace, Neither is better;
    /// TLS handshakes of the backends between their first and last sample, those of the balancer's probes included.
    BackendHandshakes = "backend_handshakes" headed "backend handshakes" in Count: Tls by Pace, Neither is better;
    /// CPU time of the balancer over the load, for each request that was begun.
    BalancerCpu = "balancer_cpu_per_request" headed "balancer CPU per request" in Span: Cpu by CpuTime, Lower is better;
    /// CPU time of all backends over the load, for each request that was begun.
    BackendCpu = "backend_cpu_per_request" headed "backend CPU per request" in Span: Cpu by CpuTime, Lower is better;
    /// CPU time of balancer and backends together over the load, for each request that was begun.
    Cpu = "cpu_per_request" headed "CPU per request" in Span: Cpu by CpuTime, Lower is better;
    /// CPU time of the balancer over the load, whatever it did, for each TLS handshake of a client.
    BalancerCpuPerHandshake = "balancer_cpu_per_handshake" headed "balancer CPU per handshake" in Span: Cpu by CpuTime, Lower is better;
    /// CPU time of all backends over the load, whatever they did, for each TLS handshake of a client.
    BackendCpuPerHandshake = "backend_cpu_per_handshake" headed "backend CPU per handshake" in Span: Cpu by CpuTime, Lower is better;
    /// How often the balancer took a backend out of its rotation by itself, by its own view; what a deploy did is none.
    Ejections = "ejections" in Count per Backend or "of all together": Faults by Pace, Neither is better;
    /// From a fault until the balancer's view says that the backend is down; the slowest, if it has several.
    Detection = "detection" in Span per Backend: Faults by Pace, Lower is better;
    /// How long the balancer's active probes may take for that, by their configuration.
    Bound = "bound" in Span per Backend: Faults by Counts, Neither is better;
    /// From a fault to the start of the last attempt of the load at the backend.
    TimeToEject = "time_to_eject" was "removal" headed "time to eject" in Span per Backend: Faults by Pace, Lower is better;
    /// Dropped requests that a fault of the backend cost.
    FailedRequests = "failed_requests" was "harmed" headed "failed requests" in Count per Backend: Faults by Pace, Lower is better, a loss of FailedRequests;
    /// From the healing of a fault to the first request that ends well at the backend again.
    TimeToRestore = "time_to_restore" was "recovery" headed "time to restore" in Span per Backend: Faults by Pace, Lower is better;
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_said_in_sentences_and_headed_in_words() {
        for metric in Metric::ALL {
            let (what, heading) = (metric.what(), metric.heading());
            assert!(what.ends_with('.') && !what.contains("  "), "{metric}: {what}");
            assert!(!heading.contains('_') && heading.len() <= 30, "{metric}: {heading}");
        }
    }

    #[test]
    fn a_loss_is_lost_in_its_own_way_or_another() {
        for loss in Metric::ALL.iter().filter_map(|metric| metric.loss()) {
            assert_eq!(loss.loss(), Some(loss), "{loss} is the loss of others, and none itself");
        }
    }
}
