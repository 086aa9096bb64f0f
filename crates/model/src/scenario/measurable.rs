//! What a variant must have so that a metric can be measured in it.

use crate::claim::Metric;
use crate::plan::Variant;
use crate::timeline::{Action, Drain, Leaving};
use crate::tls::Tls;

/// What a metric needs.
pub(super) struct MetricNeed {
    /// It, in words.
    pub(super) what: &'static str,
    /// How to get it.
    pub(super) fix: &'static str,
    /// Whether a variant has it, perhaps for one backend.
    pub(super) is_met: fn(&Variant, Option<&str>) -> bool,
}

/// What `metric` needs; `None`: nothing but a load.
pub(super) fn need(metric: Metric) -> Option<MetricNeed> {
    use Metric::*;
    let need = |what, fix, is_met| Some(MetricNeed { what, fix, is_met });
    match metric {
        Replaced | Aborted => {
            need("a deploy", "add `deploy: { pool: web, drain: auto }` to the timeline", |it, _| {
                it.timeline.iter().any(|entry| matches!(entry.action, Action::Deploy(_) | Action::Roll(_)))
            })
        }
        Removed => {
            need("the removal of a backend", "add `remove: { backend: web-1 }` to the timeline", |it, _| {
                it.removals().next().is_some()
            })
        }
        Added => need(
            "the addition of a backend",
            "add `add: { backend: web-4 }` to the timeline, and `spares: 1` to its pool",
            |it, _| it.additions().next().is_some(),
        ),
        DrainsExpired | LongestDrain => {
            need("a drain", "add `drain: auto` to a deploy or removal of the timeline", |it, _| {
                leaving(it).any(|leaving| leaving.drain != Drain::Off)
            })
        }
        ToldLate | SentAfterSignal | SentAfterExit | LastAfterSignal | KilledAtGrace => need(
            "a removal, or a deploy with `told_after`",
            "add `told_after: 1s` to a deploy of the timeline",
            |it, _| {
                it.removals().next().is_some() || leaving(it).any(|leaving| leaving.termination.is_some())
            },
        ),
        LastAtOldAddress => need(
            "a deploy of a pool with `discovery`",
            "add `discovery: { dns: { ttl: 5s } }` to the pool that is deployed",
            |it, _| {
                it.deploys()
                    .filter_map(|deploy| it.topology.pool(&deploy.pool))
                    .any(|pool| pool.discovery.is_some())
            },
        ),
        Reloads => {
            need("a reload", "add `reload: {}` to the timeline", |it, _| it.reloads().next().is_some())
        }
        SessionsLost | SessionsKept | UpdatesLost => need(
            "a pool with `sessions`",
            "add `sessions: memory` to a pool, and `users` to the load",
            |it, _| it.topology.pools.iter().any(|pool| pool.sessions.is_some()),
        ),
        UsersMoved => need("a load with `users`", "add `users: { count: 60 }` to the load", |it, _| {
            it.traffic.users.is_some()
        }),
        HandshakesFull | HandshakesResumed | BalancerCpuPerHandshake | BackendCpuPerHandshake => {
            need("a listener with TLS", "add `listener: { tls: terminate }` to the topology", |it, _| {
                it.topology.listener.tls != Tls::Off
            })
        }
        BackendHandshakes => {
            need("backends with TLS", "add `listener: { tls: reencrypt }` to the topology", |it, _| {
                matches!(it.topology.listener.tls, Tls::Reencrypt | Tls::Passthrough)
            })
        }
        Detection | Bound | TimeToEject | FailedRequests => {
            need("a fault", "add a fault to the timeline, such as `crash: web-1`", |it, backend| {
                faults(it).any(|(of, _)| backend.is_none_or(|backend| backend == of))
            })
        }
        TimeToRestore => need(
            "a fault that is healed",
            "say how long a fault of the timeline lasts: `for: 3s`",
            |it, backend| {
                faults(it).any(|(of, is_healed)| is_healed && backend.is_none_or(|backend| backend == of))
            },
        ),
        Misrouted => need(
            "requests that expect a pool",
            "say in the load which pool is to answer: `expect: { pool: web }`",
            |it, _| it.traffic.mix.iter().any(|class| class.expected_pool.is_some()),
        ),
        PoolShare | SplitDisagreements => {
            need("several pools", "add a pool, and a route to it", |it, _| it.topology.pools.len() > 1)
        }
        QueueMax | QueueMean | QueueGrowth | InFlightMax | InFlightMean | Duplicates => {
            need("rig's own backends", "use a pool without `command` or `image`", |it, _| {
                it.target.is_none() && it.topology.pools.iter().any(|pool| pool.service.is_none())
            })
        }
        Masked | Flag | RefusedByLimit | RetriesPerRequest | QueuedP50 | QueuedP99 | BalancerCpu
        | BackendCpu | Cpu | Ejections => {
            need("a balancer that rig launches", "say what rig is to launch: `topology`", |it, _| {
                it.target.is_none()
            })
        }
        Scheduled | Ok | ExpectedStatus | Dropped | ErrorRate | TimeToFirstLoss | LongestOutage | Http5xx
        | Reset | Closed | Refused | Timeout | NotSent | Status | P50 | P90 | P95 | P99 | P999 | Max
        | BackendShare | Imbalance => None,
    }
}

/// How backends leave in its timeline.
fn leaving(variant: &Variant) -> impl Iterator<Item = &Leaving> {
    let deploys = variant.deploys().map(|deploy| &deploy.leaving);
    deploys.chain(variant.removals().map(|removal| &removal.leaving))
}

/// The backends that its timeline harms, and whether each is healed.
fn faults(variant: &Variant) -> impl Iterator<Item = (&str, bool)> {
    variant.timeline.iter().filter_map(|entry| match &entry.action {
        Action::Fault(fault) => Some((fault.backend.as_str(), fault.lasts.is_some())),
        Action::Degrade(degrade) => Some((degrade.backend.as_str(), degrade.lasts.is_some())),
        _ => None,
    })
}
