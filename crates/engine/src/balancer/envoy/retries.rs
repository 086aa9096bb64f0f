//! What Envoy sends again (`retry_policy` of a route), and how much of it at once (`retry_budget` of a cluster).

use std::time::Duration;

use minijinja::{Value, context};
use model::topology::{Retries, Retry, RetryCause, Topology};

use super::{percentage, seconds};

/// How often Envoy draws again if it drew a host that has been tried already; its default, once, often meets the same host.
const HOST_SELECTIONS: u32 = 5;

/// The `retry_policy`.
pub(super) fn policy(topology: &Topology) -> Option<Value> {
    let Retries::On(retry) = &topology.retries else { return None };
    Some(context! {
        on => causes(retry),
        statuses => retry.statuses(),
        more => retry.tries.saturating_sub(1),
        timeout => per_try_timeout(topology, retry),
        backoff => retry.backoff.map(|span| seconds(span.0)),
        host_selections => HOST_SELECTIONS,
    })
}

/// `reset` is also about refused connections and the timeouts of a try, where a try has one.
fn causes(retry: &Retry) -> String {
    if retry.on.is_none() {
        return "connect-failure,refused-stream,reset,gateway-error".into();
    }
    let words = [
        (retry.says(RetryCause::Refused), "connect-failure"),
        (retry.says(RetryCause::Reset), "reset"),
        // Not `gateway-error`, which is about broken connections as well.
        (!retry.statuses().is_empty(), "retriable-status-codes"),
    ];
    words.into_iter().filter(|(said, _)| *said).map(|(_, word)| word).collect::<Vec<_>>().join(",")
}

/// Each try has its part of the time, else the first that hangs would use up all of it. Where late responses are not tried
/// again, a try may take all of it.
fn per_try_timeout(topology: &Topology, retry: &Retry) -> Option<String> {
    let late = retry.on.is_none() || retry.says(RetryCause::Timeout);
    // Envoy has whole milliseconds, and takes zero for no timeout.
    let each = (topology.response_timeout.0 / retry.tries.max(1)).max(Duration::from_millis(1));
    late.then(|| seconds(each))
}

/// The `budget_percent`.
pub(super) fn budget(retries: &Retries) -> Option<String> {
    let Retries::On(retry) = retries else { return None };
    retry.budget.map(|share| percentage(share).to_string())
}

/// Attempts to connect in all, at layer 4.
pub(super) fn attempts_at_layer4(retries: &Retries) -> u32 {
    if let Retries::On(retry) = retries { retry.tries } else { 1 }
}
