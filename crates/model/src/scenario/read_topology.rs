//! Reads `topology`: pools of backends, routes, and how the balancer is set up.

use super::capabilities::Balancers;
use super::limits;
use super::problem::Problem;
use super::reader::{Fields, Item, written_last};
use super::tree::Value;
use super::{read_defaults, read_listener, read_routes, read_users};
use crate::catalog::Capability;
use crate::topology::{
    self, Backend, Balance, HealthCheck, Latency, Listener, OnTerm, PassiveHealth, Pool, Retries, Tail,
    Topology,
};
use crate::units::{Bytes, Factor, Share, Span};

/// Reads the topology. `client_timeout` is the load's: unless the scenario says otherwise the balancer waits a
/// second longer for a backend, so that it is the client that gives up, and no 504 of the balancer hides a hang.
pub(crate) fn topology(item: Item<'_>, balancers: &Balancers<'_>, client_timeout: Span) -> Option<Topology> {
    let mut fields = item.fields()?;
    let pools = fields.require("pools", Vec::new(), pools);
    let names: Vec<_> = pools.iter().map(|pool| pool.name.as_str()).collect();
    let routes = fields.require("routes", Vec::new(), |item| read_routes::routes(item, &names));
    let listener = fields.read("listener", Listener::default(), read_listener::listener);
    let health_check_item = fields.get("health_check");
    let health_check =
        health_check_item.map_or(Some(Some(default_health_check(&pools))), |item| health_check(item, &pools));
    let health_check = health_check.unwrap_or_default();
    check_probe_path(health_check_item.unwrap_or(fields.item), health_check.as_ref(), &pools);
    let balance_item = fields.get("balance");
    let balance = balance_item.and_then(|item| balance(item, balancers)).unwrap_or_default();
    read_users::check_balance(balance_item, balance, &routes, balancers);
    let passive_health = fields.read("passive_health", PassiveHealth::default(), |item| {
        passive_health(item, health_check.as_ref(), balancers)
    });
    let topology = Topology {
        routes,
        listener,
        balance,
        retries: fields.read("retries", Retries::default(), retries),
        passive_health,
        panic: read_defaults::panic(&mut fields, balancers),
        max_ejection: read_defaults::max_ejection(&mut fields, passive_health, balancers),
        limits: read_defaults::limits(&mut fields),
        upstream_keepalive: read_defaults::upstream_keepalive(&mut fields),
        client_keepalive: fields.read("client_keepalive", Some(Span::millis(75_000)), client_keepalive),
        response_timeout: fields.read(
            "response_timeout",
            Span(client_timeout.0 + Span::millis(1000).0),
            |item| item.quantity(limits::RESPONSE_TIMEOUT),
        ),
        reload_grace: fields.read("reload_grace", Some(Span::millis(30_000)), reload_grace),
        workers: fields.read("workers", 1, |item| item.whole(limits::WORKERS)?.try_into().ok()),
        health_check,
        pools,
    };
    fields.finish();
    Some(topology)
}

fn pools(item: Item<'_>) -> Option<Vec<Pool>> {
    let items = item.named(limits::POOLS)?;
    if items.is_empty() {
        item.found.add(item.wrong("a topology needs a pool"));
    }
    let mut pools: Vec<Pool> = Vec::new();
    for item in items {
        let Some(pool) = pool(item) else { continue };
        for backend in &pool.backends {
            if pools.iter().flat_map(|pool| &pool.backends).any(|other| other.id == backend.id) {
                let message = format!("two backends would be called `{}`", backend.id);
                item.found
                    .add(Problem::new(message, item.key()).help("backends of all pools share their names"));
            }
        }
        pools.push(pool);
    }
    read_users::check_store_name(item, &pools);
    Some(pools)
}

fn pool(item: Item<'_>) -> Option<Pool> {
    let mut fields = item.fields()?;
    let common = behaviour(&mut fields, default_backend());
    // Two of them to go on with, because a pool of one has problems of its own.
    let backends =
        fields.require("backends", counted(item.name, 2, &common), |backends| match backends.node.value {
            Value::Map(_) => named_backends(backends, &common),
            _ => Some(counted(item.name, backends.whole(1..=limits::BACKENDS as u64)?, &common)),
        });
    let sessions = fields.read("sessions", None, read_users::sessions);
    let health_path = fields.read("health_path", topology::health_path(), path);
    fields.finish();
    Some(Pool { name: item.name.to_owned(), backends, health_path, sessions })
}

fn counted(pool: &str, backends: u64, common: &Backend) -> Vec<Backend> {
    let backend = |n| Backend { id: format!("{pool}-{n}"), ..common.clone() };
    (1..=backends).map(backend).collect()
}

fn named_backends(item: Item<'_>, common: &Backend) -> Option<Vec<Backend>> {
    let items = item.named(limits::BACKENDS)?;
    if items.is_empty() {
        item.found.add(item.wrong("a pool needs a backend"));
    }
    let named = |item: Item<'_>| Backend {
        id: item.name.to_owned(),
        ..one_backend(item, common).unwrap_or(common.clone())
    };
    Some(items.into_iter().map(named).collect())
}

fn one_backend(item: Item<'_>, common: &Backend) -> Option<Backend> {
    let mut fields = item.fields()?;
    let mut backend = behaviour(&mut fields, common.clone());
    if let Some(item) = fields.get("slower") {
        backend.latency = slower(item, backend.latency).unwrap_or(backend.latency);
    }
    fields.finish();
    Some(backend)
}

pub(crate) fn slower(item: Item<'_>, latency: Latency) -> Option<Latency> {
    let Factor(times) = item.quantity(limits::SLOWER)?;
    let scaled = |span: Span| Span(span.0.mul_f64(times));
    let tail = latency.tail.map(|tail| Tail { at: scaled(tail.at), ..tail });
    let latency = Latency { from: scaled(latency.from), to: scaled(latency.to), tail };
    let slowest = latency.slowest();
    let most = *limits::LATENCY.end();
    if slowest > most {
        return item.refuse(
            item.wrong(format!("`slower` makes the slowest request {slowest}; at most {most} is allowed")),
        );
    }
    Some(latency)
}

/// Unless a scenario says how long a request is worked on, a backend answers at once.
fn default_backend() -> Backend {
    let no_time = Span::default();
    Backend {
        id: String::new(),
        spare: false,
        boot: Span::default(),
        latency: Latency { from: no_time, to: no_time, tail: None },
        at_once: None,
        queue: 1000,
        body: Bytes(1024),
        on_term: OnTerm::default(),
        health_in_queue: false,
    }
}

/// What a pool says of all its backends, and a backend of itself.
fn behaviour(fields: &mut Fields<'_>, unless_said: Backend) -> Backend {
    Backend {
        boot: fields.read("boot", unless_said.boot, |item| item.quantity(limits::BOOT)),
        latency: fields.read("latency", unless_said.latency, latency),
        at_once: fields.read("at_once", unless_said.at_once, at_once),
        queue: fields.read("queue", unless_said.queue, |item| item.count(limits::QUEUE)),
        body: fields.read("body", unless_said.body, |item| item.quantity(limits::BODY)),
        on_term: fields.read("on_term", unless_said.on_term, |item| {
            item.word(&[("exit", OnTerm::Exit), ("finish", OnTerm::Finish)])
        }),
        health_in_queue: fields.read("health_in_queue", unless_said.health_in_queue, |item| {
            item.word(&[("true", true), ("false", false)])
        }),
        ..unless_said
    }
}

fn at_once(item: Item<'_>) -> Option<Option<u32>> {
    if item.is_number() {
        return item.count(limits::AT_ONCE).map(Some);
    }
    item.word_or(&[("unlimited", None)], "a whole number")
}

pub(crate) fn latency(item: Item<'_>) -> Option<Latency> {
    let fixed = |item: Item<'_>| item.quantity(limits::LATENCY).map(|span| (span, span));
    if !item.is_map() {
        return fixed(item).map(|(from, to)| Latency { from, to, tail: None });
    }
    let mut fields = item.fields()?;
    let (uniformly, always) = (fields.get("uniform"), fields.get("fixed"));
    let tail = fields.read("tail", None, |item| tail(item).map(Some));
    fields.finish();
    let (from, to) = match (uniformly, always) {
        (Some(item), None) => uniform(item)?,
        (None, Some(item)) => fixed(item)?,
        (uniformly, always) => {
            let last = written_last(uniformly.into_iter().chain(always)).unwrap_or(item);
            let problem = Problem::new("`latency` needs either `uniform` or `fixed`", last.key());
            return item.refuse(problem.help("a variant removes one with `uniform: null`"));
        }
    };
    Some(Latency { from, to, tail })
}

fn uniform(item: Item<'_>) -> Option<(Span, Span)> {
    let bounds = item.list(2)?;
    let [from, to] = bounds.as_slice() else {
        return item.refuse(
            item.wrong("`uniform` needs the shortest and the longest time, such as `[50ms, 400ms]`"),
        );
    };
    let (shortest, longest) = (from.quantity(limits::LATENCY)?, to.quantity(limits::LATENCY)?);
    if shortest > longest {
        return item
            .refuse(from.wrong(format!("`uniform` begins at {shortest}, after its end at {longest}")));
    }
    Some((shortest, longest))
}

fn tail(item: Item<'_>) -> Option<Tail> {
    let mut fields = item.fields()?;
    let tail = Tail {
        share: fields.require("share", Share(0.0), |item| item.quantity(Share(0.0)..=Share(1.0))),
        at: fields.require("at", Span::default(), |item| item.quantity(limits::LATENCY)),
    };
    fields.finish();
    Some(tail)
}

/// A path prefix. It goes into the balancers' configurations, so it holds nothing that means something there.
pub(crate) fn path(item: Item<'_>) -> Option<String> {
    let text = item.text("a path")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "/-._~%".contains(c);
    if !text.starts_with('/') || !text.chars().all(fits) {
        let message = format!("`{}`: expected a path that begins with `/`, found `{text}`", item.name);
        return item.refuse(item.wrong(message).help("letters, digits and `/ - . _ ~ %` are allowed"));
    }
    Some(text.to_owned())
}

fn balance(item: Item<'_>, balancers: &Balancers<'_>) -> Option<Balance> {
    let balance = item.word(&[
        ("round_robin", Balance::RoundRobin),
        ("least_connections", Balance::LeastConnections),
        ("two_choices", Balance::TwoChoices),
        ("source_hash", Balance::SourceHash),
    ])?;
    if balance == Balance::TwoChoices {
        balancers.must(Capability::TwoChoices, "choose the better of two random backends", &item);
    }
    Some(balance)
}

fn default_health_check(pools: &[Pool]) -> HealthCheck {
    HealthCheck {
        path: pools.first().map_or_else(topology::health_path, |pool| pool.health_path.clone()),
        every: Span::millis(500),
        timeout: Span::millis(250),
        fall: 2,
        rise: 1,
    }
}

/// Every pool must serve the path that is probed: else each probe of it fails for ever.
fn check_probe_path(item: Item<'_>, check: Option<&HealthCheck>, pools: &[Pool]) {
    let Some(HealthCheck { path, .. }) = check else { return };
    if let Some(Pool { name, health_path, .. }) = pools.iter().find(|pool| pool.health_path != *path) {
        let message = format!(
            "no backend of `{name}` would be healthy: it serves `{health_path}`, and `{path}` is probed"
        );
        let help = format!("add `health_path: {path}` to the pool, or probe `{health_path}`");
        item.found.add(Problem::new(message, item.key()).help(help));
    }
}

fn health_check(item: Item<'_>, pools: &[Pool]) -> Option<Option<HealthCheck>> {
    if !item.is_map() {
        return item.word_or(&[("off", ())], "a map such as `{ every: 500ms }`").map(|()| None);
    }
    let mut fields = item.fields()?;
    let unless_said = default_health_check(pools);
    let check = HealthCheck {
        path: fields.read("path", unless_said.path, path),
        every: fields.read("every", unless_said.every, |item| item.quantity(limits::PROBE_EVERY)),
        timeout: fields.read("timeout", unless_said.timeout, |item| item.quantity(limits::TIMEOUT)),
        fall: fields.read("fall", unless_said.fall, |item| item.count(limits::IN_A_ROW)),
        rise: fields.read("rise", unless_said.rise, |item| item.count(limits::IN_A_ROW)),
    };
    fields.finish();
    Some(Some(check))
}

fn retries(item: Item<'_>) -> Option<Retries> {
    if !item.is_map() {
        let words = [("off", Retries::Off), ("default", Retries::Default)];
        return item.word_or(&words, "a map such as `{ tries: 2 }`");
    }
    let mut fields = item.fields()?;
    let tries = fields.require("tries", 2, |item| item.count(limits::TRIES));
    fields.finish();
    Some(Retries::On { tries })
}

fn passive_health(
    item: Item<'_>,
    active: Option<&HealthCheck>,
    balancers: &Balancers<'_>,
) -> Option<PassiveHealth> {
    let passive = if item.is_map() {
        let mut fields = item.fields()?;
        let fails = fields.require("fails", 1, |item| item.count(limits::IN_A_ROW));
        let out_for = fields.require("for", Span::default(), |item| item.quantity(limits::EJECTION));
        fields.finish();
        PassiveHealth::On { fails, out_for }
    } else {
        let words = [("off", PassiveHealth::Off), ("default", PassiveHealth::Default)];
        item.word_or(&words, "a map such as `{ fails: 1, for: 10s }`")?
    };
    if passive != PassiveHealth::Off {
        balancers.must(Capability::PassiveHealth, "eject backends because of failed traffic", &item);
    }
    if matches!(passive, PassiveHealth::On { .. }) && active.is_none() {
        let what = "eject backends because of failed traffic with `health_check: off`";
        balancers.must(Capability::PassiveHealthAlone, what, &item);
    }
    Some(passive)
}

/// Whole seconds are what every balancer can do; less than one is `off`.
fn reload_grace(item: Item<'_>) -> Option<Option<Span>> {
    if item.is_number() {
        return item.quantity(limits::RELOAD_GRACE).map(Some);
    }
    item.word_or(&[("off", None)], "a duration such as `30s`")
}

fn client_keepalive(item: Item<'_>) -> Option<Option<Span>> {
    if item.is_number() {
        return item.quantity(limits::KEEPALIVE).map(Some);
    }
    item.word_or(&[("off", None)], "a duration such as `75s`")
}
