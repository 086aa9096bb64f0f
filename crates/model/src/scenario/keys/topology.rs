//! The keys of `topology`: how the balancer is set up, in front of pools and routes.

use std::rc::Rc;

use super::policies::{check_ejection, limits, passive_health, threshold};
use super::pool::pools;
use super::retries::{check_retries, retries};
use super::routes::routes;
use super::shares::{check_shares, check_slow_start, slow_start};
use super::users::check_balance;
use crate::catalog::Capability;
use crate::scenario::capabilities::Balancers;
use crate::scenario::form::{Form, number, path, quantity, words};
use crate::scenario::limits::{IN_A_ROW, TIMEOUT};
use crate::scenario::problem::Problem;
use crate::scenario::section::{Read, Section};
use crate::target::Target;
use crate::tls::Tls;
use crate::topology::{Backend, Balance, HealthCheck, Layer, Listener, Pool, Topology, UpstreamKeepalive};
use crate::units::{Bytes, Span};

/// The topology of a target: the names of its instances, and nothing that is known of them.
pub(crate) fn of_target(target: &Target) -> Topology {
    // Nothing is known of what rig does not launch.
    let backend = |id: &String| Backend { id: id.clone(), queue: 0, body: Bytes(0), ..Backend::default() };
    let backends = target.backends.iter().map(backend).collect();
    let pool = Pool { name: crate::target::POOL.to_owned(), backends, ..Pool::default() };
    let pools = if target.backends.is_empty() { Vec::new() } else { vec![pool] };
    Topology { pools, health_check: None, ..Topology::default() }
}

pub(crate) fn topology<'s>(balancers: Balancers<'s>) -> Form<'s, Topology> {
    let balancers = Rc::new(balancers);
    let them = || Rc::clone(&balancers);
    let (listening, choosing, panicking, ejecting) = (them(), them(), them(), them());
    let (limiting, starting, all) = (them(), them(), them());
    let section = Section::new(
        "topology",
        "What stands in a cell: pools of backends, routes, and one balancer.",
        Topology::default(),
    )
    .key("pools", pools(), |it| &mut it.pools)
    .about("Interchangeable backends, by the pool's name.")
    .required()
    .following(
        "routes",
        |it| routes(it.pools.iter().map(|pool| pool.name.clone()).collect()),
        |it| &mut it.routes,
    )
    .about("Which requests go to which pool, by name.")
    .required()
    .key("listener", listener(listening), |it| &mut it.listener)
    .about("Where the balancer listens.")
    .default_is("{}")
    .key(
        "balance",
        words([
            ("round_robin", Balance::RoundRobin),
            ("least_connections", Balance::LeastConnections),
            ("two_choices", Balance::TwoChoices),
            ("source_hash", Balance::SourceHash),
        ])
        .checked(move |item, balance| match balance {
            Balance::RoundRobin | Balance::SourceHash => {}
            Balance::TwoChoices => {
                choosing.must(Capability::TwoChoices, "choose the better of two random backends", &item);
            }
            Balance::LeastConnections => {
                let what = "choose the backend with the fewest requests";
                choosing.must(Capability::LeastConnections, what, &item);
            }
        }),
        |it| &mut it.balance,
    )
    .about(
        "How a backend is chosen: each in turn, the one with the fewest requests in hand, the \
             better of two random ones, or by the client's address.",
    )
    .following("health_check", |it| health_check(&it.pools), |it| &mut it.health_check)
    .about("The balancer's own probes, where it has them.")
    .default_is("{}")
    .key("retries", retries(), |it| &mut it.retries)
    .about(
        "Whether the balancer sends a failed request again. `default` is what the balancer does \
             if it is not told anything.",
    )
    .key("passive_health", passive_health(), |it| &mut it.passive_health)
    .about(
        "Whether failed traffic ejects a backend. `default` is what the balancer does if it is \
             not told anything.",
    )
    .key(
        "panic",
        threshold(move |item| {
            panicking.must(Capability::Panic, "use unhealthy backends below a threshold", &item);
        }),
        |it| &mut it.panic,
    )
    .about(
        "The share of healthy backends below which the balancer uses the others as well. \
             `default` is what the balancer does if it is not told anything: Envoy does so below 50%, \
             the others never.",
    )
    .key(
        "max_ejection",
        threshold(move |item| {
            ejecting.must(Capability::MaxEjection, "limit how many backends are ejected", &item);
        }),
        |it| &mut it.max_ejection,
    )
    .about(
        "The share of backends that failed traffic may eject at once; `off` is no limit. \
             `default` is what the balancer does if it is not told anything: Envoy ejects 10% at \
             most, the others have no limit. With `passive_health: { … }`.",
    )
    .key("limits", limits(limiting), |it| &mut it.limits)
    .about(
        "How much the balancer lets through at once; `off` is everything. `default` is what the \
             balancer does if it is not told anything: Envoy's circuit breakers open at 1024 \
             connections, pending requests or requests of a pool, the others have no limit.",
    )
    .key("slow_start", slow_start(starting), |it| &mut it.slow_start)
    .about(
        "Over how long a backend that comes back is given more and more requests, until it has its part. `off` is what \
             every balancer does if it is not told anything.",
    )
    .key(
        "upstream_keepalive",
        words([("on", UpstreamKeepalive::On), ("default", UpstreamKeepalive::Default)]),
        |it| &mut it.upstream_keepalive,
    )
    .about(
        "Whether the balancer keeps its connections to backends. `default` is what the balancer \
             does if it is not told anything: nginx before 1.29.7 opens one for each request, the \
             others keep them.",
    )
    .key(
        "client_keepalive",
        quantity(Span::millis(1)..=Span::millis(3_600_000))
            .some()
            .or_words([("off", None)], "a duration such as `75s`"),
        |it| &mut it.client_keepalive,
    )
    .about("How long the balancer keeps an idle client connection.")
    .key("response_timeout", quantity(Span::millis(1)..=Span::millis(120_000)), |it| &mut it.response_timeout)
    .about("How long the balancer waits for a backend.")
    .unless("`load.timeout` + 1s, so that it is the client that gives up")
    .key(
        "reload_grace", // Whole seconds are what every balancer can do; less than one is `off`.
        quantity(Span::millis(1000)..=Span::millis(600_000))
            .some()
            .or_words([("off", None)], "a duration such as `30s`"),
        |it| &mut it.reload_grace,
    )
    .about(
        "How long what an old configuration has in hand may take after a reload; `off` cuts it \
             off.",
    )
    .key("workers", number(1..=64), |it| &mut it.workers)
    .about("The balancer's worker processes or threads.");
    section.form(
        move |mut read| {
            check_health(&mut read);
            check_ejection(&read, &all);
            check_retries(&read, &all);
            check_shares(&read, &all);
            check_slow_start(&read, &all);
            check_balance(read.given("balance"), &read.value, &all);
            check_discovery(&read, &all);
            Some(read.value)
        },
        |topology| Some(topology.clone()),
    )
}

fn listener<'s>(balancers: Rc<Balancers<'s>>) -> Form<'s, Listener> {
    let layer = words([("7", Layer::Seven), ("4", Layer::Four)]).checked(move |item, layer| {
        if *layer == Layer::Four {
            balancers.must(Capability::Layer4, "forward connections at layer 4", &item);
        }
    });
    let section = Section::new("listener", "Where the balancer listens.", Listener::default())
        .key("layer", layer, |it| &mut it.layer)
        .about(
            "At 7 the balancer sees requests. At 4 it sees connections only: all pools are one set, \
             and no route applies.",
        )
        .key("tls", words(Tls::ALL), |it| &mut it.tls)
        .about(
            "Where TLS ends: at the balancer (terminate, or reencrypt with TLS to the backends as \
             well: layer 7), or at the backends (passthrough: layer 4).",
        )
        .on_a_line();
    section.form(|read| Some(with_tls_where_it_can_end(&read)), |listener| Some(*listener))
}

/// TLS ends at who reads it: a balancer that reads requests, or the backends of one that forwards connections.
fn with_tls_where_it_can_end(read: &Read<'_, Listener>) -> Listener {
    let Listener { layer, tls } = read.value;
    let Some(item) = read.given("tls") else { return read.value };
    let problem = match (layer, tls) {
        (Layer::Four, Tls::Terminate | Tls::Reencrypt) => item
            .wrong(format!("a listener at layer 4 forwards connections and can't `{}` TLS", tls.name()))
            .help("`{ layer: 4, tls: passthrough }` lets the backends end it; `layer: 7` lets the balancer"),
        (Layer::Seven, Tls::Passthrough) => item
            .wrong("a listener at layer 7 reads requests: it can't pass TLS through unread")
            .help("write `{ layer: 4, tls: passthrough }`; at layer 7 there are `terminate` and `reencrypt`"),
        _ => return read.value,
    };
    item.found.add(problem);
    Listener { layer, tls: Tls::default() }
}

fn default_health_check(pools: &[Pool]) -> HealthCheck {
    let usual = HealthCheck::default();
    HealthCheck { path: pools.first().map_or(usual.path, |pool| pool.health_path.clone()), ..usual }
}

fn health_check<'s>(pools: &[Pool]) -> Form<'s, Option<HealthCheck>> {
    Section::new("health_check", "The balancer's own probes.", default_health_check(pools))
        .key("path", path(), |it| &mut it.path)
        .about("What is asked for.")
        .key("every", quantity(Span::millis(10)..=Span::millis(60_000)), |it| &mut it.every)
        .about("The time between two probes of one backend.")
        .key("timeout", quantity(TIMEOUT), |it| &mut it.timeout)
        .about("After which a probe has failed.")
        .key("fall", number(IN_A_ROW), |it| &mut it.fall)
        .about("Failures in a row that take a backend out.")
        .key("rise", number(IN_A_ROW), |it| &mut it.rise)
        .about("Successes in a row that bring it back.")
        .on_a_line()
        .whole()
        .some()
        .or_words([("off", None)], "a map such as `{ every: 500ms }`")
}

/// Every pool must serve the path that is probed: else each probe of it fails for ever.
fn check_health(read: &mut Read<'_, Topology>) {
    let item = read.given("health_check");
    let pools = &read.value.pools;
    match item {
        None => read.value.health_check = Some(default_health_check(pools)),
        Some(_) if !read.knows("health_check") => read.value.health_check = None,
        Some(_) => {}
    }
    let (item, pools) = (item.unwrap_or(read.item), &read.value.pools);
    let Some(HealthCheck { path, .. }) = &read.value.health_check else { return };
    if let Some(Pool { name, health_path, .. }) = pools.iter().find(|pool| pool.health_path != *path) {
        let message = format!(
            "no backend of `{name}` would be healthy: it serves `{health_path}`, and `{path}` is probed"
        );
        let help = format!("add `health_path: {path}` to the pool, or probe `{health_path}`");
        item.found.add(Problem::new(message, item.key()).help(help));
    }
}

/// What a pool that is found by its name can't have, and who can't find it.
fn check_discovery(read: &Read<'_, Topology>, balancers: &Balancers<'_>) {
    let topology = &read.value;
    for pool in topology.pools.iter().filter(|pool| pool.discovery.is_some()) {
        let at = read.given("pools").and_then(|pools| pools.below(&pool.name)?.below("discovery"));
        let Some(item) = at else { continue };
        balancers.must(Capability::DnsDiscovery, "find backends by DNS", &item);
        let name = &pool.name;
        let wrong = |message: String, help: &str| {
            item.found.add(Problem::new(message, item.key()).help(help.to_owned()))
        };
        if topology.listener.layer == Layer::Four {
            let message =
                format!("at layer 4 all pools are one set, and `{name}` would be found by a name of its own");
            wrong(message, "discovery goes with `listener: { layer: 7 }`");
        }
        if topology.sticky_cookie(name).is_some() {
            let message =
                format!("a cookie would name a server of `{name}`, and what is found by DNS has no name");
            wrong(message, "remove `sticky` from its routes, or `discovery` from the pool");
        }
        if pool.service.is_some() {
            let message = format!(
                "`{name}` is your own service, of which rig can't tell whether it has requests in hand"
            );
            wrong(message, "discovery goes with rig's own backends");
        }
    }
}
