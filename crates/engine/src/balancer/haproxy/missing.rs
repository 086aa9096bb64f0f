//! What HAProxy can't do.

use model::catalog::{Capability, Lack};

pub(super) const MISSING: &[Lack] = &[
    Lack::always(
        Capability::ReloadDeregister,
        "rig's HAProxy adapter deregisters through the runtime socket",
    ),
    Lack::always(
        Capability::PassiveHealthAlone,
        "HAProxy observes the traffic only of servers that it probes, and only probes bring one back",
    ),
    Lack::always(
        Capability::Panic,
        "HAProxy has no panic threshold: without a server that is up it answers 503",
    ),
    Lack::always(Capability::MaxEjection, "HAProxy may mark down every server"),
    Lack::always(
        Capability::RetryBackoff,
        "HAProxy waits for up to a second before it tries the same server again, and not at all before another",
    ),
    Lack::always(
        Capability::RetryBudget,
        "HAProxy bounds the tries of a request, and not their share of all",
    ),
];
