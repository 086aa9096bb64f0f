//! Discovery: a balancer that finds the backends of a pool by a name, instead of being told of each. The cell then has a DNS
//! server of its own, and a deploy changes what that answers.

use serde::{Deserialize, Serialize};

use crate::units::Span;

/// The zone of that server: no name outside a test ends so (RFC 6761, section 6.2).
pub const ZONE: &str = "rig.test";

/// How the backends of a pool are found: the A records of its name, as a headless service of Kubernetes has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovery {
    /// How long an answer may be used: the TTL of the records, in whole seconds (RFC 2181, section 8).
    pub ttl: Span,
}

impl Default for Discovery {
    /// As CoreDNS answers for Kubernetes (<https://coredns.io/plugins/kubernetes/>, `ttl`).
    fn default() -> Discovery {
        Discovery { ttl: Span::millis(5000) }
    }
}

/// The name of the pool `pool`.
pub fn name_of(pool: &str) -> String {
    format!("{pool}.{ZONE}")
}
