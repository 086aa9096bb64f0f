//! The keys of `pools`: backends, and how long they work on a request.

use std::ops::RangeInclusive;

use super::{service, shares};
use crate::discovery::Discovery;
use crate::scenario::form::{Form, either, list, named, number, path, quantity, share, words};
use crate::scenario::limits;
use crate::scenario::problem::Problem;
use crate::scenario::reader::{Item, written_last};
use crate::scenario::section::Section;
use crate::scenario::written::Written;
use crate::service::OwnService;
use crate::sessions::{STORE, Sessions};
use crate::topology::{Backend, Latency, OnTerm, Pool, Tail};
use crate::units::{Factor, Span};

/// Of all pools: a cell's network in Docker has 253 addresses, and generator, balancer and others need some.
const IN_ALL: usize = 200;

pub(super) fn pools<'s>() -> Form<'s, Vec<Pool>> {
    named(
        limits::POOLS,
        pool,
        |pool| &pool.name,
        |item, pools| {
            if item.is_empty_map() {
                item.found.add(item.wrong("a topology needs a pool"));
            }
            for (place, (item, pool)) in pools.iter().enumerate() {
                let earlier = || pools[..place].iter().flat_map(|(_, pool)| &pool.backends);
                for backend in pool.backends.iter().filter(|it| earlier().any(|other| other.id == it.id)) {
                    let message = format!("two backends would be called `{}`", backend.id);
                    let problem = Problem::new(message, item.key());
                    item.found.add(problem.help("backends of all pools share their names"));
                }
            }
            let all = || pools.iter().map(|(_, pool)| pool);
            let backends: usize = all().map(|pool| pool.backends.len()).sum();
            if backends > IN_ALL {
                let message = format!(
                    "the pools have {backends} backends with their spares; a cell has room for {IN_ALL}, as each has an \
                     address of its own"
                );
                item.found
                    .add(Problem::new(message, item.key()).help("make pools smaller, or leave one out"));
            }
            let stored = all().any(|pool| pool.sessions == Some(Sessions::Redis));
            if stored && all().flat_map(|pool| &pool.backends).any(|backend| backend.id == STORE) {
                let message = format!("`{STORE}` is the session store, and a backend is called so as well");
                item.found.add(Problem::new(message, item.key()).help("give the backend another name"));
            }
        },
    )
}

/// A pool, and what it says of all its backends.
#[derive(Clone)]
struct Common {
    pool: Pool,
    backend: Backend,
    spares: u64,
    service: OwnService,
}

fn pool<'s>(name: &str) -> Form<'s, Pool> {
    let backend = Backend::default();
    let kept = |sessions: Sessions| (sessions.name(), Some(sessions));
    let pool = Pool { name: name.to_owned(), ..Pool::default() };
    let start = Common { pool, backend: backend.clone(), spares: 0, service: OwnService::none() };
    let of_all = behaviour(Section::loose(backend.clone())).unexplained();
    Section::new("pool", "Interchangeable backends.", start)
        .following("backends", |it| backends_of(&it.pool.name, &it.backend), |it| &mut it.pool.backends)
        .about("How many, then called `POOL-1`, `POOL-2`, …; or each by name.")
        .required()
        .explained(|it, written| if service::is_one(&it.service) { bare_names(&it.pool) } else { written })
        .key(
            "sessions",
            words([("none", None), kept(Sessions::Memory), kept(Sessions::Redis), kept(Sessions::Jwt)]),
            |it| &mut it.pool.sessions,
        )
        .about(
            "Where its backends keep the sessions of users: in their own memory, in a Redis beside \
             them, or with the users, in signed tokens.",
        )
        .explained_if(|it| !service::is_one(&it.service))
        .key("spares", number(0..=limits::BACKENDS as u64), |it| &mut it.spares)
        .about(
            "How many more there are that do not run at first, `POOL-4` where three serve, with the settings of the first: `add` starts one.",
        )
        .explained_if(|it| it.spares > 0)
        .key("health_path", path().written(Written::plain), |it| &mut it.pool.health_path)
        .about("Where its backends say whether they are healthy; `health_check` must ask there.")
        .key("grace", quantity(Span::millis(100)..=Span::millis(600_000)), |it| &mut it.pool.grace)
        .about(
            "How long a backend that a deploy ends may take to exit before it gets SIGKILL: from its SIGTERM on, with \
             `told_after` from the beginning of `pre_stop` on.",
        )
        .maybe("discovery", discovery(), |it| &mut it.pool.discovery)
        .about(
            "How the balancer finds its backends, if its configuration does not name them. A deploy then changes what the cell's \
             DNS server answers, and the balancer follows when it asks again.",
        )
        .include(of_all, |it| &mut it.backend)
        .include(service::service(), |it| &mut it.service)
        .explained_first(&["health_path", "sessions"])
        .form(
            |read| {
                let known = read.knows("backends");
                let service = service::of_pool(&read, read.value.service.clone());
                let health_path = service::health_path(&read, &read.value.pool, service.as_ref());
                let Common { pool, backend, spares, .. } = read.value;
                // Two of them to go on with, because a pool of one has problems of its own.
                let backends = if known { pool.backends } else { counted(&pool.name, 2, &backend) };
                let mut pool = Pool { backends, health_path, service, ..pool };
                for _ in 0..spares {
                    let taken: Vec<String> = pool.backends.iter().map(|it| it.id.clone()).collect();
                    let next = next_spare(&pool, &taken);
                    pool.backends.extend(next);
                }
                Some(pool)
            },
            move |pool| {
                let service = pool.service.clone().unwrap_or_else(OwnService::none);
                let spares = pool.backends.iter().filter(|it| it.spare).count() as u64;
                Some(Common { pool: pool.clone(), backend: backend.clone(), spares, service })
            },
        )
}

fn discovery<'s>() -> Form<'s, Discovery> {
    let whole = |item: Item<'_>, ttl: &Span| {
        if ttl.0.subsec_nanos() > 0 {
            item.found
                .add(item.wrong("`ttl` is in whole seconds, as records have it").help("write `1s` or more"));
        }
    };
    let dns = Section::new("dns", "The name of the pool, which has an A record for each backend.", Discovery::default())
        .key("ttl", quantity(Span::millis(1000)..=Span::millis(300_000)).checked(whole), |it| &mut it.ttl)
        .about("How long an answer may be used: the TTL of the records, and how often balancers ask that don't look at it.")
        .on_a_line()
        .whole();
    Section::new("discovery", "How a balancer finds backends.", Discovery::default())
        .key("dns", dns, |it| it)
        .about("By DNS.")
        .required()
        .on_a_line()
        .whole()
}

/// A spare with the settings of the pool's first backend that is no backup, called by the next number that no backend of `taken` has.
pub(crate) fn next_spare(pool: &Pool, taken: &[String]) -> Option<Backend> {
    let like = pool.backends.iter().find(|it| !it.backup).or(pool.backends.first())?;
    let mut names = (pool.backends.len() + 1..).map(|n| format!("{}-{n}", pool.name));
    let id = names.find(|name| !taken.contains(name))?;
    Some(Backend { id, spare: true, backup: false, ..like.clone() })
}

fn counted(pool: &str, backends: u64, common: &Backend) -> Vec<Backend> {
    let backend = |n| Backend { id: format!("{pool}-{n}"), ..common.clone() };
    (1..=backends).map(backend).collect()
}

/// How many backends, or each by its name.
fn backends_of<'s>(pool: &str, common: &Backend) -> Form<'s, Vec<Backend>> {
    let (pool, common, each) = (pool.to_owned(), common.clone(), common.clone());
    let how_many =
        number::<u64>(1..=limits::BACKENDS as u64).map(move |n| counted(&pool, n, &common), |_| None);
    let backend = move |id: &str| backend(Backend { id: id.to_owned(), ..each.clone() });
    either(
        how_many,
        named(
            limits::BACKENDS,
            backend,
            |it| &it.id,
            |item, backends| {
                if backends.is_empty() {
                    item.found.add(item.wrong("a pool needs a backend"));
                }
            },
        ),
    )
}

fn backend<'s>(common: Backend) -> Form<'s, Backend> {
    let about = "One backend, where it differs from its pool.";
    let section = behaviour(Section::new("backend", about, common.clone()))
        .each_unless("what the pool says")
        .following("slower", |it| slower(it.latency), |it| &mut it.latency)
        .about("Multiplies this backend's service times.")
        .default_is("1x")
        .include(shares::of_backend(common.clone()), |it| it);
    let backend = section.whole().or_harmless(common);
    backend.remarked(spare)
}

fn spare(backend: &Backend) -> Option<String> {
    backend.spare.then(|| format!("{}: a spare, which does not run at first", backend.id))
}

/// The backends of a service of the user's, which has none of the keys of rig's own.
fn bare_names(pool: &Pool) -> Written {
    let bare = |it: &Backend| match spare(it) {
        Some(remark) => Written::Remark(remark),
        None => shares::of_backend(Backend::default()).on_a_line().write(it),
    };
    Written::map(pool.backends.iter().map(|backend| (backend.id.as_str(), bare(backend))))
}

/// So many times as long as `latency`.
pub(super) fn slower<'s>(latency: Latency) -> Form<'s, Latency> {
    let times = quantity(Factor(1.0)..=Factor(1000.0));
    times.then(
        move |item, Factor(times)| {
            let scaled = |span: Span| Span(span.0.mul_f64(times));
            let tail = latency.tail.map(|tail| Tail { at: scaled(tail.at), ..tail });
            let latency = Latency { from: scaled(latency.from), to: scaled(latency.to), tail };
            let (slowest, most) = (latency.slowest(), *limits::LATENCY.end());
            if slowest > most {
                let message =
                    format!("`slower` makes the slowest request {slowest}; at most {most} is allowed");
                return item.refuse(item.wrong(message));
            }
            Some(latency)
        },
        |_| None,
    )
}

/// What a pool says of all its backends, and a backend of itself.
pub(super) fn behaviour(section: Section<'_, Backend>) -> Section<'_, Backend> {
    section
        .key("boot", quantity(Span::millis(0)..=Span::millis(60_000)), |it| &mut it.boot)
        .about("How long a new generation takes to start.")
        .key("latency", latency(), |it| &mut it.latency)
        .about("How long a request is worked on.")
        .default_is("0s")
        .key("at_once", number(1..=100_000).some().or_words([("unlimited", None)], "a whole number"), |it| {
            &mut it.at_once
        })
        .about("How many requests a backend works on at a time.")
        .key("queue", number(0..=1_000_000), |it| &mut it.queue)
        .about("How many requests may wait while `at_once` are worked on; the next one gets 503.")
        .key("body", quantity(limits::BODY), |it| &mut it.body)
        .about("The size of a response's body.")
        .key("on_term", words([("exit", OnTerm::Exit), ("finish", OnTerm::Finish)]), |it| &mut it.on_term)
        .about("What SIGTERM does to requests in flight.")
        .key("health_in_queue", words([("true", true), ("false", false)]), |it| &mut it.health_in_queue)
        .about("Whether health probes wait with the requests, instead of being answered at once.")
}

/// Of a pool, a backend, or a degraded backend.
pub(super) fn latency<'s>() -> Form<'s, Latency> {
    let always = |span| Latency { from: span, to: span, tail: None };
    let fixed = |it: &Latency| (it.from == it.to).then_some(it.from);
    let section = Section::new(
        "latency",
        "How long requests are worked on: always the same time, or one drawn from the seed \
             and the request, so that a request costs the same in every variant.",
        Latency::default(),
    )
    .part("fixed", quantity(limits::LATENCY), fixed, |it, span| (it.from, it.to) = (span, span))
    .about("Always this long.")
    .optional()
    .part(
        "uniform",
        uniform(limits::LATENCY),
        |it| (it.from != it.to).then_some((it.from, it.to)),
        |it, bounds| (it.from, it.to) = bounds,
    )
    .about("From the first to the second, evenly.")
    .optional()
    .maybe("tail", tail(), |it| &mut it.tail)
    .about("A share of requests that takes longer.")
    .one_of(&["fixed", "uniform"])
    .on_a_line();
    let section = section.form(
        |read| match read.given_of(&["fixed", "uniform"]).as_slice() {
            [one] if read.value.from > read.value.to => {
                let Latency { from, to, .. } = read.value;
                let message = format!("`uniform` begins at {from}, after its end at {to}");
                one.refuse(one.first()?.wrong(message))
            }
            [one] => read.knows(one.name).then_some(read.value),
            several => {
                let last = written_last(several.iter().copied()).unwrap_or(read.item);
                let problem = Problem::new("`latency` needs either `uniform` or `fixed`", last.key());
                read.item.refuse(problem.help("a variant removes one with `uniform: null`"))
            }
        },
        |latency| Some(*latency),
    );
    either(quantity(limits::LATENCY).map(always, fixed), section)
}

pub(super) fn uniform<'s>(limits: RangeInclusive<Span>) -> Form<'s, (Span, Span)> {
    list(quantity(limits), 2, 2).then(
        |item: Item<'_>, bounds| match bounds.as_slice() {
            [from, to] => Some((*from, *to)),
            _ => item.refuse(
                item.wrong("`uniform` needs the shortest and the longest time, such as `[50ms, 400ms]`"),
            ),
        },
        |(from, to)| Some(vec![*from, *to]),
    )
}

fn tail<'s>() -> Form<'s, Tail> {
    Section::new("tail", "The few slow requests.", Tail::default())
        .key("share", share(), |it| &mut it.share)
        .about("Their share of all requests.")
        .required()
        .key("at", quantity(limits::LATENCY), |it| &mut it.at)
        .about("How long they take.")
        .required()
        .on_a_line()
        .whole()
}
