//! Whether the balancers of a variant can do what it asks of them.

use std::collections::BTreeSet;

use super::reader::Item;
use crate::catalog::{Capability, Catalog, Lack, Release};

/// The balancers that a variant runs on, and what they can't do.
#[derive(Clone)]
pub(crate) struct Balancers<'c> {
    pub(crate) catalog: &'c Catalog,
    pub(crate) releases: BTreeSet<Release>,
}

impl Balancers<'_> {
    /// Records each balancer that lacks `capability`, which `item` asks for in order to do `what`.
    pub(crate) fn must(&self, capability: Capability, what: &str, item: &Item<'_>) {
        let lacks = |release: Release| self.catalog.lacks(release, capability);
        let able = self.releases.iter().filter(|release| lacks(**release).is_none());
        let able: Vec<_> = able.map(Release::to_string).collect();
        let run_elsewhere = match able.as_slice() {
            [] => "none of this variant's balancers can do it".to_owned(),
            able => format!("run the variant on those that can: `balancers: [{}]`", able.join(", ")),
        };
        for release in &self.releases {
            let Some(Lack { reason, until, .. }) = lacks(*release) else { continue };
            let help = match until {
                Some(first) if release.version.is_none() => {
                    let newer = Release { version: Some(first), ..*release };
                    format!("version {first} and later can: write `{newer}` if that is what is to run")
                }
                _ => run_elsewhere.clone(),
            };
            item.found.add(item.wrong(format!("{release} cannot {what}: {reason}")).help(help));
        }
    }
}
