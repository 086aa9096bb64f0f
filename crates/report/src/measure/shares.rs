//! Who answered the measured requests.

use std::collections::BTreeMap;

use model::plan::Variant;
use model::request::Request;
use serde::{Deserialize, Serialize};

/// A backend's part of the measured requests that backends answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BackendShare {
    /// Requests that bear its stamp.
    pub requests: u64,
    /// Their part, 0 to 1.
    pub share: f64,
}

/// Shares of the answered requests; backends that serve from the start are listed even if none reached them.
pub(crate) fn shares(variant: Option<&Variant>, measured: &[&Request]) -> BTreeMap<String, BackendShare> {
    let pools = variant.filter(|v| v.target.is_none()).map_or(&[][..], |v| &v.topology.pools);
    let mut shares: BTreeMap<String, BackendShare> = pools
        .iter()
        .flat_map(|pool| pool.serving())
        .map(|backend| (backend.id.clone(), BackendShare::default()))
        .collect();
    let mut answered = 0;
    for stamp in measured.iter().filter_map(|r| r.served_by.as_ref()) {
        answered += 1;
        shares.entry(stamp.backend.clone()).or_default().requests += 1;
    }
    for share in shares.values_mut() {
        share.share = share.requests as f64 / u64::max(answered, 1) as f64;
    }
    shares
}
