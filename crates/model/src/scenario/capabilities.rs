//! Whether the balancers of a variant can do what it asks of them.

use std::collections::BTreeSet;

use super::reader::Item;
use crate::catalog::{BalancerKind, Capability, Catalog};

/// The balancers that a variant runs on, and what they can't do.
#[derive(Clone)]
pub(crate) struct Balancers<'c> {
    pub(crate) catalog: &'c Catalog,
    pub(crate) kinds: BTreeSet<BalancerKind>,
}

impl Balancers<'_> {
    /// Records each balancer that lacks `capability`, which `item` asks for in order to do `what`.
    pub(crate) fn must(&self, capability: Capability, what: &str, item: &Item<'_>) {
        let lacks = |kind: BalancerKind| self.catalog.lacks(kind, capability);
        let able: Vec<_> =
            self.kinds.iter().filter(|kind| lacks(**kind).is_none()).map(|kind| kind.name()).collect();
        let help = match able.as_slice() {
            [] => "none of this variant's balancers can do it".to_owned(),
            able => format!("run the variant on those that can: `balancers: [{}]`", able.join(", ")),
        };
        for kind in &self.kinds {
            if let Some(reason) = lacks(*kind) {
                item.found.add(item.wrong(format!("{kind} cannot {what}: {reason}")).help(help.as_str()));
            }
        }
    }
}
