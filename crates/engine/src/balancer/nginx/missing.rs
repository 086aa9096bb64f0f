//! What nginx, open source, can't do.

use model::catalog::{Capability, Lack};
use model::version::Version;

use super::sticky::STICKY_SINCE;

pub(super) const PASSIVE_ONLY: &str = "nginx OSS has passive checks only";
/// The first version whose open-source edition has `server … resolve`
/// (<https://nginx.org/en/docs/http/ngx_http_upstream_module.html#resolve>).
const RESOLVE_SINCE: Version = Version::patch(1, 27, 3);
/// <https://nginx.org/en/docs/http/ngx_http_upstream_module.html#queue>
const NO_QUEUE: &str =
    "nginx OSS has no queue: where every server has max_conns requests, the next one is answered 502";

pub(super) const NO_SLOW_START: &str = "slow_start is in nginx's commercial edition only";
const TRIED_TOGETHER: &str = "nginx's `error` is a refused and a broken connection, and its `timeout` a connection and a response that \
    take too long: `on` has refused, reset and timeout together, or none of them";

const SECOND: &str = "nginx's new process is started by the old one (SIGUSR2), which rig does not do";

pub(super) const MISSING: &[Lack] = &[
    Lack::always(Capability::Takeover, SECOND),
    Lack::always(Capability::Rebind, SECOND),
    Lack::always(
        Capability::SavedState,
        "nginx OSS saves no state: who is out is in its configuration, or in a flag file that stays",
    ),
    Lack::always(Capability::ActiveHealthChecks, PASSIVE_ONLY),
    Lack::always(
        Capability::LiveDeregisterAtLayer4,
        "nginx's stream module tests no flag file: `deregister: reload` writes a new configuration",
    ),
    Lack::always(
        Capability::LiveDeregisterSeveral,
        "nginx's flag files take one backend of a pool out at a time: `deregister: reload` takes out any",
    ),
    Lack::always(Capability::InFlightView, "nginx OSS doesn't say what each backend has in flight"),
    Lack::always(Capability::Panic, "nginx has no panic threshold: without a live backend it answers 502"),
    Lack::always(Capability::BoundedQueue, NO_QUEUE),
    Lack::always(Capability::QueueTimeout, NO_QUEUE),
    Lack::always(Capability::RetryRefusedAlone, TRIED_TOGETHER),
    Lack::always(Capability::RetryResetAlone, TRIED_TOGETHER),
    Lack::always(Capability::RetryWithoutTimeout, TRIED_TOGETHER),
    Lack::always(Capability::RetryTimeoutAlone, TRIED_TOGETHER),
    Lack::always(Capability::RetryBackoff, "nginx tries the next server at once"),
    Lack::always(
        Capability::RetryBudget,
        "nginx bounds the tries of a request (proxy_next_upstream_tries), and not their share of all",
    ),
    Lack::always(
        Capability::BackupBesideHash,
        "nginx refuses `backup` where `hash` or `random` chooses the server",
    ),
    Lack::until(
        STICKY_SINCE,
        Capability::BackupBesideSticky,
        "nginx OSS before 1.29.6 keeps users by a hash of its cookie, and refuses `backup` beside `hash`",
    ),
    Lack::always(Capability::SlowStart, NO_SLOW_START),
    Lack::always(Capability::MaxEjection, "nginx may eject every backend but the last"),
    Lack::until(
        RESOLVE_SINCE,
        Capability::DnsDiscovery,
        "nginx OSS before 1.27.3 resolves the name of a server once, when it starts",
    ),
    Lack::until(
        STICKY_SINCE,
        Capability::BalanceBesideSticky,
        "nginx OSS before 1.29.6 keeps users by a hash of its cookie, which chooses their backends as well",
    ),
];
