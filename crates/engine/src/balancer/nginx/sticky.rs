//! How nginx keeps users at their backends: its own `sticky` is in the commercial version only.

use model::topology::{Pool, Topology};

use super::algorithm;
use crate::balancer::layer4::is_layer4;

/// How a backend of `pool` is chosen: by the hash of a cookie of nginx's own where users are kept (`sticky` is in the
/// commercial version only). A consistent one, so that users of other backends stay where they are when one leaves.
pub(super) fn algorithm_of(topology: &Topology, pool: &Pool) -> String {
    let place = topology.pools.iter().position(|known| known.name == pool.name);
    match (topology.sticky_cookie(&pool.name), place) {
        (Some(_), Some(n)) if !is_layer4(topology) => format!("hash $user_of_{n} consistent;"),
        _ => algorithm(topology.balance),
    }
}
