//! What Traefik can't do.

use model::catalog::{Capability, Lack};

pub(super) const MISSING: &[Lack] = &[
    Lack::always(Capability::SavedState, "Traefik saves no state: who is out is in its dynamic file"),
    Lack::always(
        Capability::LeastConnections,
        "no strategy of Traefik's chooses the server with the fewest requests",
    ),
    Lack::always(
        Capability::ReloadDeregister,
        "Traefik takes new servers while it runs; there is no reload to show",
    ),
    Lack::always(
        Capability::LiveDeregisterAtLayer4,
        "only a request can see that Traefik serves a new version, and layer 4 reads none",
    ),
    Lack::always(Capability::InFlightView, "Traefik does not say what each server has in flight"),
    Lack::always(
        Capability::Panic,
        "Traefik has no panic threshold: without a server that is up it answers 503",
    ),
    Lack::always(
        Capability::BackendLimit,
        "Traefik's inFlightReq counts the requests of a router, not those of a server",
    ),
    Lack::always(
        Capability::DnsDiscovery,
        "Traefik has no provider that resolves a name: its servers stand in its file, or come from an orchestrator",
    ),
    Lack::always(Capability::MaxEjection, "Traefik may hold every server to be down"),
    Lack::always(Capability::WeightsAtLayer4, "Traefik's servers have weights for HTTP only"),
    Lack::always(Capability::WeightedTwoChoices, "Traefik's p2c does not look at weights"),
    Lack::always(
        Capability::Backup,
        "in Traefik a backup is a service of its own (failover), and rig's pool is one service",
    ),
    Lack::always(Capability::SlowStart, "Traefik gives a server that comes back its part at once"),
    Lack::always(
        Capability::RetryResetAlone,
        "Traefik answers 502 where a connection was refused as well as where it broke",
    ),
    Lack::always(
        Capability::RetryOwnStatusApart,
        "Traefik tries its own answers again as it does a backend's: 502 where a connection broke, 504 where the response is late",
    ),
    Lack::always(
        Capability::RetryBudget,
        "Traefik bounds the tries of a request, and not their share of all",
    ),
    Lack::always(Capability::RetriesAtLayer4, "Traefik has retries for HTTP only"),
];
