//! How requests find their pool in nginx: a `location` per path, conditions for headers, `split_clients` for shares.

use minijinja::{Value, context};
use model::topology::{Backend, HeaderMatch, Pool, Route, Topology};

use super::{flag, upstream_without};
use crate::balancer::literal;

/// A `location` per path. nginx chooses it by the longest path; within it, the conditions are put last that come first,
/// since of several `set` the last one counts. A path without a route for all headers falls back to shorter ones.
pub(super) fn locations(topology: &Topology) -> Vec<Value> {
    let mut paths: Vec<&str> = topology.routes.iter().map(|route| route.path.as_str()).collect();
    paths.dedup();
    paths.into_iter().map(|path| location(topology, path)).collect()
}

fn location(topology: &Topology, path: &str) -> Value {
    let mut candidates: Vec<(usize, &Route)> =
        topology.routes.iter().enumerate().filter(|(_, route)| path.starts_with(&route.path)).collect();
    let for_all = candidates.iter().position(|(_, route)| route.header.is_none());
    candidates.truncate(for_all.map_or(candidates.len(), |at| at + 1));
    let reachable =
        |name: &str| candidates.iter().any(|(_, route)| route.to.pools().any(|pool| pool == name));
    let flags = |(pool, n): (&Pool, i32)| {
        let flag =
            |b: &Backend| context! { file => flag(&b.id), upstream => upstream_without(&pool.name, &b.id) };
        let flagged = pool.backends.iter().filter(|_| pool.discovery.is_none());
        context! { n, name => &pool.name, flags => flagged.map(flag).collect::<Vec<_>>() }
    };
    let pools = topology.pools.iter().zip(0..).filter(|(pool, _)| reachable(&pool.name));
    let to = |(n, route): (usize, &Route)| route.to.only().map_or(format!("$to_{n}"), str::to_owned);
    let all = for_all.map(|at| to(candidates[at]));
    let conditional = candidates.iter().rev().filter_map(|(n, route)| {
        let header = route.header.as_ref()?;
        Some(context! { condition => condition(header), to => to((*n, *route)) })
    });
    context! {
        path, all,
        pools => pools.map(flags).collect::<Vec<_>>(),
        conditional => conditional.collect::<Vec<_>>(),
    }
}

/// Until 1.23 nginx takes the first occurrence of a repeated header, since then all of them, joined by commas.
pub(super) fn condition(header: &HeaderMatch) -> String {
    let variable = header.name.to_ascii_lowercase().replace('-', "_");
    format!("$http_{variable} ~ \"(^|,) *{} *(,|$)\"", literal(header))
}

/// nginx refuses a part of 0 %.
pub(super) fn split_clients(route: &Route, n: usize) -> Value {
    let parts = route.to.parts();
    let rest = parts.iter().rposition(|part| part.share.0 > 0.0).unwrap_or(0);
    let earlier = parts[..rest].iter().filter(|part| part.share.0 > 0.0);
    let earlier = earlier.map(|part| context! { share => part.share.to_string(), pool => &part.pool });
    context! { n, salt => &route.name, parts => earlier.collect::<Vec<_>>(), rest => &parts[rest].pool }
}
