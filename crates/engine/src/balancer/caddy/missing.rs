//! What Caddy can't do.

use model::catalog::{Capability, Lack};
use model::version::Version;

const TRIED_TOGETHER: &str = "Caddy always tries a refused connection again, and does not tell a broken one from a late response: reset and \
    timeout go together, and refused with all else";
const WEIGHTED: &str = "Caddy has weights in lb_policy weighted_round_robin only";
/// The first version whose `lb_retry_match` looks at responses (<https://github.com/caddyserver/caddy/pull/7569>).
const MATCHES_STATUS_SINCE: Version = Version::patch(2, 11, 3);

pub(super) const MISSING: &[Lack] = &[
    Lack::always(
        Capability::SavedState,
        "rig starts Caddy from its file; what was changed by its API (`--resume`) is not used",
    ),
    Lack::always(Capability::Layer4, "Caddy's standard build serves HTTP only; layer 4 is a plugin"),
    Lack::always(Capability::LiveDeregisterAtLayer4, "Caddy's standard build serves HTTP only"),
    Lack::always(
        Capability::LiveDeregisterSeveral,
        "the flag files of rig's Caddyfile take one backend of a pool out at a time: `deregister: reload` takes out any",
    ),
    Lack::always(
        Capability::TwoChoices,
        "Caddy's random_choose 2 takes the busier of its two where it drew that one first and a coin says so",
    ),
    Lack::always(
        Capability::Panic,
        "Caddy has no panic threshold: without a healthy upstream it answers 503",
    ),
    Lack::always(
        Capability::BoundedQueue,
        "Caddy has no queue: where every upstream has unhealthy_request_count requests, the next one is answered 503",
    ),
    Lack::always(
        Capability::QueueTimeout,
        "Caddy's lb_try_duration lets a request wait for an upstream, but also sends failed ones again",
    ),
    Lack::always(Capability::MaxEjection, "Caddy may hold every upstream to be down"),
    Lack::always(Capability::WeightedLeastConnections, WEIGHTED),
    Lack::always(Capability::WeightedHash, WEIGHTED),
    Lack::always(
        Capability::Backup,
        "Caddy has no backups: its lb_policy first sends everything to one upstream, the first that is up",
    ),
    Lack::always(Capability::SlowStart, "Caddy gives an upstream that comes back its part at once"),
    Lack::always(Capability::RetryResetAlone, TRIED_TOGETHER),
    Lack::always(Capability::RetryWithoutTimeout, TRIED_TOGETHER),
    Lack::always(Capability::RetryTimeoutAlone, TRIED_TOGETHER),
    Lack::always(Capability::RetryStatusAlone, TRIED_TOGETHER),
    Lack::until(
        MATCHES_STATUS_SINCE,
        Capability::RetryStatus,
        "Caddy's lb_retry_match does not look at responses before 2.11.3",
    ),
    Lack::always(Capability::RetryBudget, "Caddy bounds the tries of a request, and not their share of all"),
];
