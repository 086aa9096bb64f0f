//! Who answered the measured requests.

use std::collections::BTreeMap;

use model::plan::Variant;
use model::request::Request;
use serde::{Deserialize, Serialize};

use crate::analysis::joined::Joined;

/// A backend's part of the measured requests that backends answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BackendShare {
    /// Requests that bear its stamp.
    pub requests: u64,
    /// Their part, 0 to 1.
    pub share: f64,
}

/// Shares of the answered requests; backends that serve from the start are listed even if none reached them.
/// Who stamps nothing is known by the balancer's log.
pub(crate) fn shares(
    variant: Option<&Variant>,
    measured: &[&Request],
    handled: &Joined<'_>,
) -> BTreeMap<String, BackendShare> {
    let by_log = variant.is_some_and(|variant| variant.topology.services().next().is_some());
    let by = |request: &&Request| match by_log {
        true if request.outcome.kind().is_delivered() => {
            handled.get(request.id).executions.last().map(|execution| execution.by.backend.clone())
        }
        _ => request.served_by.as_ref().map(|stamp| stamp.backend.clone()),
    };
    let pools = variant.filter(|v| v.target.is_none()).map_or(&[][..], |v| &v.topology.pools);
    let mut shares: BTreeMap<String, BackendShare> = pools
        .iter()
        .flat_map(|pool| pool.serving())
        .map(|backend| (backend.id.clone(), BackendShare::default()))
        .collect();
    let mut answered = 0;
    for backend in measured.iter().filter_map(by) {
        answered += 1;
        shares.entry(backend).or_default().requests += 1;
    }
    for share in shares.values_mut() {
        share.share = share.requests as f64 / u64::max(answered, 1) as f64;
    }
    shares
}
