//! What can't be asked of a service of the user's: it keeps no ledger, and does nothing at rig's word.

use super::problem::Problem;
use super::reader::Item;
use crate::plan::Variant;
use crate::timeline::{Action, Deploy, Drain, Leaving, Removal};
use crate::topology::Layer;

/// Refuses what a variant with a service of the user's asks for in vain.
pub(super) fn check(variant: &Variant, document: Item<'_>) {
    let topology = &variant.topology;
    let Some(pool) = topology.pools.iter().find(|pool| pool.service.is_some()) else { return };
    let name = pool.name.as_str();
    let below = |keys: &[&str]| {
        let found = keys.iter().try_fold(document, |item, key| item.below(key));
        found.or_else(|| document.below("topology")).unwrap_or(document)
    };
    let refuse = |item: Item<'_>, message: String, help: &str| {
        document.found.add(Problem::new(message, item.key()).help(help.to_owned()));
    };
    if let Some(other) = topology.pools.iter().find(|pool| pool.service.is_none()) {
        refuse(
            below(&["topology", "pools", &other.name]),
            format!(
                "`{}` has rig's own backends, and `{name}` has not: their books can't be kept together",
                other.name
            ),
            "give every pool a `command` or an `image`, or none",
        );
    }
    let headers = topology.services().map(|service| service.identity_header.as_ref());
    let mut headers: Vec<_> = headers.collect();
    headers.dedup();
    if headers.len() > 1 {
        refuse(
            below(&["topology", "pools"]),
            "the pools name different identity headers".to_owned(),
            "the load records one header: give every pool the same `identity_header`",
        );
    }
    if topology.listener.layer == Layer::Four {
        refuse(
            below(&["topology", "listener"]),
            format!(
                "nothing would say which backend of `{name}` answered: at layer 4 the log names no requests"
            ),
            "your own service stands behind a listener at layer 7",
        );
    }
    if topology.listener.tls.at_backends() {
        refuse(
            below(&["topology", "listener"]),
            format!("`{name}` is your own service, and rig has no certificates for it"),
            "let TLS end at the listener: `tls: terminate`",
        );
    }
    for entry in &variant.timeline {
        let wrong = match &entry.action {
            Action::Deploy(Deploy { leaving: Leaving { drain: Drain::Auto, .. }, .. })
            | Action::Remove(Removal { leaving: Leaving { drain: Drain::Auto, .. }, .. }) => Some((
                "`drain: auto` is derived from the ledgers of rig's own backends, which your service does not keep",
                "say how long a drain may take, such as `drain: 5s`",
            )),
            Action::Deploy(deploy) if deploy.new_generation_unhealthy => Some((
                "rig can't make your own service unhealthy",
                "give the second of its `versions` a fault of its own",
            )),
            Action::Degrade(_) => Some((
                "`degrade` is done by rig's own backends, and your service does not follow it",
                "`crash`, `term` and `freeze` work on any process",
            )),
            _ => None,
        };
        if let Some((message, help)) = wrong {
            refuse(below(&["timeline", &entry.name]), message.to_owned(), help);
        }
    }
}
