//! What Envoy can't do.

use model::catalog::{Capability, Lack};

const TRIED_TOGETHER: &str = "Envoy's `reset` is also about refused connections and late responses: reset goes with refused, and timeout \
    with reset";
const WEIGHTED: &str = "Envoy's LEAST_REQUEST goes round by weights where they differ, each divided by the requests in hand, and compares \
    no hosts";

pub(super) const MISSING: &[Lack] = &[
    Lack::always(
        Capability::ReloadDeregister,
        "Envoy takes new endpoints while it runs; there is no reload to show",
    ),
    Lack::always(
        Capability::NoQueue,
        "in Envoy a request that waits for a connection to be opened is pending: max_pending_requests 0 refuses each \
         that needs one",
    ),
    Lack::always(
        Capability::QueueTimeout,
        "in Envoy only the route's timeout, which begins with the request, ends the wait for a connection",
    ),
    Lack::always(
        Capability::ForgetfulReload,
        "Envoy's endpoints are in a file of their own, which a new listener leaves as it is",
    ),
    Lack::always(
        Capability::SavedState,
        "Envoy's endpoints are in a file of their own: there is no state to save",
    ),
    Lack::always(
        Capability::Rebind,
        "a second Envoy is given the sockets of the first, or does not tell it to finish",
    ),
    Lack::always(Capability::WeightedLeastConnections, WEIGHTED),
    Lack::always(Capability::WeightedTwoChoices, WEIGHTED),
    Lack::always(
        Capability::SlowStartOfHash,
        "Envoy starts hosts slowly in ROUND_ROBIN and LEAST_REQUEST only",
    ),
    Lack::always(Capability::RetryResetAlone, TRIED_TOGETHER),
    Lack::always(Capability::RetryTimeoutAlone, TRIED_TOGETHER),
];
