//! The keys about which part of its pool's requests a backend gets: `weight`, `backup`, and `slow_start` of the topology.

use std::rc::Rc;

use crate::catalog::Capability;
use crate::scenario::capabilities::Balancers;
use crate::scenario::form::{Form, number, quantity, words};
use crate::scenario::problem::Problem;
use crate::scenario::reader::Item;
use crate::scenario::section::{Read, Section};
use crate::topology::{Backend, Balance, Layer, Pool, Topology};
use crate::units::Span;

/// Of a backend, and not of its pool: it is about those beside it.
pub(super) fn of_backend<'s>(start: Backend) -> Section<'s, Backend> {
    Section::loose(start)
        .key("weight", number(1..=100), |it| &mut it.weight)
        .about("How many requests the balancer gives it for each one that a backend of weight 1 gets.")
        .explained_if(|it| it.weight != 1)
        .key("backup", words([("true", true), ("false", false)]), |it| &mut it.backup)
        .about("Whether the balancer uses it only while it can use no other backend of the pool.")
        .explained_if(|it| it.backup)
}

/// How a backend that comes back is given its part.
pub(super) fn slow_start<'s>(balancers: Rc<Balancers<'s>>) -> Form<'s, Option<Span>> {
    quantity(Span::millis(100)..=Span::millis(600_000))
        .checked(move |item, _| {
            let what = "give a backend that comes back its part little by little";
            balancers.must(Capability::SlowStart, what, &item);
        })
        .some()
        .or_words([("off", None)], "a duration such as `10s`")
}

/// Whether the balancers can do so by what they choose backends by.
pub(super) fn check_slow_start(read: &Read<'_, Topology>, balancers: &Balancers<'_>) {
    let hashed = read.value.balance == Balance::SourceHash;
    if let Some(item) = read.given("slow_start").filter(|_| read.value.slow_start.is_some() && hashed) {
        let what = "start a backend slowly with `balance: source_hash`";
        balancers.must(Capability::SlowStartOfHash, what, &item);
    }
}

/// Whether the balancers can give backends different parts.
pub(super) fn check_shares(read: &Read<'_, Topology>, balancers: &Balancers<'_>) {
    let topology = &read.value;
    let Some(pools) = read.given("pools") else { return };
    for pool in &topology.pools {
        let Some(backends) = pools.below(&pool.name).and_then(|pool| pool.below("backends")) else {
            continue;
        };
        let key = |backend: &Backend, key: &str| backends.below(&backend.id)?.below(key);
        if let Some(item) = pool.backends.iter().filter(|it| it.weight != 1).find_map(|it| key(it, "weight"))
        {
            match pool.discovery {
                Some(_) => found_by_name(&item, pool),
                None if pool.is_weighted() => check_weights(&item, topology, balancers),
                None => {}
            }
        }
        let backup = pool.backends.iter().filter(|it| it.backup).find_map(|it| key(it, "backup"));
        let Some(item) = backup else { continue };
        if pool.discovery.is_some() {
            found_by_name(&item, pool);
        } else if pool.backends.iter().all(|it| it.backup) {
            let message =
                format!("every backend of `{}` is a backup, and there is none to stand in for", pool.name);
            item.found.add(Problem::new(message, item.key()).help("leave `backup` out at one of them"));
        } else {
            check_backup(&item, topology, pool, balancers);
        }
    }
}

fn found_by_name(item: &Item<'_>, pool: &Pool) {
    let message = format!(
        "`{}` would be about one server of `{}`, and what is found by DNS is known by the pool's name",
        item.name, pool.name
    );
    item.found.add(Problem::new(message, item.key()).help("remove it, or `discovery` from the pool"));
}

fn check_weights(item: &Item<'_>, topology: &Topology, balancers: &Balancers<'_>) {
    if topology.listener.layer == Layer::Four {
        balancers.must(Capability::WeightsAtLayer4, "give backends different weights at layer 4", item);
    }
    let (capability, what) = match topology.balance {
        Balance::RoundRobin => return,
        Balance::LeastConnections => {
            (Capability::WeightedLeastConnections, "weight backends with `balance: least_connections`")
        }
        Balance::TwoChoices => {
            (Capability::WeightedTwoChoices, "weight backends with `balance: two_choices`")
        }
        Balance::SourceHash => (Capability::WeightedHash, "weight backends with `balance: source_hash`"),
    };
    balancers.must(capability, what, item);
}

fn check_backup(item: &Item<'_>, topology: &Topology, pool: &Pool, balancers: &Balancers<'_>) {
    balancers.must(Capability::Backup, "keep a backend as a backup", item);
    if matches!(topology.balance, Balance::TwoChoices | Balance::SourceHash) {
        let what = "keep a backup with `balance: two_choices` or `source_hash`";
        balancers.must(Capability::BackupBesideHash, what, item);
    }
    if topology.sticky_cookie(&pool.name).is_some() {
        balancers.must(Capability::BackupBesideSticky, "keep a backup of backends that users stay at", item);
    }
}
