//! What balancers have in common that pass over a backend at its limit as if it were down: their logs have one word for both.

use model::plan::Variant;
use model::timeline::Batch;
use model::topology::Limits;

/// Whether backends have limits.
pub(super) fn is_limited(variant: &Variant) -> bool {
    matches!(variant.topology.limits, Limits::Each(_))
}

/// Whether a deploy may leave a pool without a backend.
pub(super) fn empties_a_pool(variant: &Variant) -> bool {
    let alone = variant.topology.pools.iter().any(|pool| pool.backends.len() == 1);
    variant.deploys().any(|deploy| alone || deploy.batch != Batch::Of(1))
}
