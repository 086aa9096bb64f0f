//! How nginx keeps users at their backends: by `sticky cookie`, which open-source nginx has since 1.29.6
//! (<https://nginx.org/en/docs/http/ngx_http_upstream_module.html#sticky>), before that by a hash.

use model::topology::{Pool, Topology};
use model::version::Version;

use super::algorithm;
use crate::balancer::Site;
use crate::balancer::layer4::is_layer4;

/// The first version whose open-source edition has `sticky`.
pub(super) const STICKY_SINCE: Version = Version::patch(1, 29, 6);

/// Whether `sticky` is used: where the version that was asked for has it for certain.
pub(super) fn has_sticky(site: &Site) -> bool {
    site.version.is_some_and(|version| !version.is_before(&STICKY_SINCE))
}

/// Whether users of `pool` stay at a backend that is being drained, as they do in HAProxy: by `server … drain`.
pub(super) fn keeps_while_draining(topology: &Topology, pool: &Pool, site: &Site) -> bool {
    topology.sticky_cookie(&pool.name).is_some() && !is_layer4(topology) && has_sticky(site)
}

/// How a backend of `pool` is chosen: where users are kept, by `sticky`, or by the hash of a cookie of nginx's own. A
/// consistent one, so that users of other backends stay where they are when one leaves.
pub(super) fn algorithm_of(topology: &Topology, pool: &Pool, site: &Site) -> String {
    let place = topology.pools.iter().position(|known| known.name == pool.name);
    match (topology.sticky_cookie(&pool.name), place) {
        (Some(cookie), _) if keeps_while_draining(topology, pool, site) => {
            format!("{} sticky cookie {cookie} path=/ httponly;", algorithm(topology.balance))
                .trim()
                .to_owned()
        }
        (Some(_), Some(n)) if !is_layer4(topology) => format!("hash $user_of_{n} consistent;"),
        _ => algorithm(topology.balance),
    }
}
