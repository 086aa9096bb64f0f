//! The keys of `topology`, which `read_topology.rs` and `read_routes.rs` read.

use super::form::{Form, Key, Section, Text, any_share, headers, key, list, named, quantity, words};
use crate::scenario::limits;

pub(super) fn topology() -> Section {
    let keys = vec![
        key("pools", named(Form::Fields(pool()), limits::POOLS), "Interchangeable backends, by the pool's name.")
            .required(),
        key("routes", named(Form::Fields(route()), limits::ROUTES), "Which requests go to which pool, by name.")
            .required(),
        key("listener", Form::Fields(listener()), "Where the balancer listens.").default("{}"),
        key(
            "balance",
            words(&["round_robin", "least_connections", "two_choices", "source_hash"]),
            "How a backend is chosen: each in turn, the one with the fewest requests in hand, the better of two \
             random ones, or by the client's address.",
        )
        .default("round_robin"),
        key(
            "health_check",
            Form::Either(vec![words(&["off"]), Form::Fields(health_check())]),
            "The balancer's own probes, where it has them.",
        )
        .default("{}"),
        key(
            "retries",
            Form::Either(vec![words(&["off", "default"]), Form::Fields(retries())]),
            "Whether the balancer sends a failed request again. `default` is what the balancer does if it is not \
             told anything.",
        )
        .default("off"),
        key(
            "passive_health",
            Form::Either(vec![words(&["off", "default"]), Form::Fields(passive_health())]),
            "Whether failed traffic ejects a backend. `default` is what the balancer does if it is not told \
             anything.",
        )
        .default("off"),
        key(
            "panic",
            Form::Either(vec![words(&["off", "default"]), any_share()]),
            "The share of healthy backends below which the balancer uses the others as well. `default` is what the \
             balancer does if it is not told anything: Envoy does so below 50%, the others never.",
        )
        .default("off"),
        key(
            "max_ejection",
            Form::Either(vec![words(&["off", "default"]), any_share()]),
            "The share of backends that failed traffic may eject at once; `off` is no limit. `default` is what the \
             balancer does if it is not told anything: Envoy ejects 10% at most, the others have no limit. With \
             `passive_health: { … }`.",
        )
        .default("off"),
        key(
            "limits",
            words(&["off", "default"]),
            "How much the balancer lets through to a pool at once; `off` is everything. `default` is what the balancer \
             does if it is not told anything: Envoy's circuit breakers open at 1024 connections, pending requests or \
             requests, the others have no limit.",
        )
        .default("off"),
        key(
            "upstream_keepalive",
            words(&["on", "default"]),
            "Whether the balancer keeps its connections to backends. `default` is what the balancer does if it is not \
             told anything: nginx before 1.29.7 opens one for each request, the others keep them.",
        )
        .default("on"),
        key(
            "client_keepalive",
            Form::Either(vec![words(&["off"]), quantity(&limits::KEEPALIVE)]),
            "How long the balancer keeps an idle client connection.",
        )
        .default("75s"),
        key("response_timeout", quantity(&limits::RESPONSE_TIMEOUT), "How long the balancer waits for a backend.")
            .default_told("`load.timeout` + 1s, so that it is the client that gives up"),
        key(
            "reload_grace",
            Form::Either(vec![words(&["off"]), quantity(&limits::RELOAD_GRACE)]),
            "How long what an old configuration has in hand may take after a reload; `off` cuts it off.",
        )
        .default("30s"),
        key("workers", Form::Whole(limits::WORKERS), "The balancer's worker processes or threads.").default("1"),
    ];
    Section::new("topology", "What stands in a cell: pools of backends, routes, and one balancer.", keys)
}

fn pool() -> Section {
    let named = named(Form::Fields(backend()), limits::BACKENDS);
    let backends = Form::Either(vec![Form::Whole(1..=limits::BACKENDS as u64), named]);
    let mut keys = vec![
        key("backends", backends, "How many, then called `POOL-1`, `POOL-2`, …; or each by name.").required(),
        key(
            "sessions",
            words(&["none", "memory", "redis", "jwt"]),
            "Where its backends keep the sessions of users: in their own memory, in a Redis beside them, or with the \
             users, in signed tokens.",
        )
        .default("none"),
        key("health_path", Form::Text(Text::Path), "Where its backends say whether they are healthy; `health_check` must ask there.")
            .default("/health"),
    ];
    keys.extend(behaviour());
    Section::new("pool", "Interchangeable backends.", keys)
}

fn backend() -> Section {
    let mut keys: Vec<Key> =
        behaviour().into_iter().map(|key| key.default_told("what the pool says")).collect();
    let about = "Multiplies this backend's service times.";
    keys.push(key("slower", quantity(&limits::SLOWER), about).default("1x"));
    Section::new("backend", "One backend, where it differs from its pool.", keys)
}

/// What a pool says of all its backends, and a backend of itself.
fn behaviour() -> Vec<Key> {
    vec![
        key("boot", quantity(&limits::BOOT), "How long a new generation takes to start.").default("0s"),
        key("latency", latency(), "How long a request is worked on.").default("0s"),
        key(
            "at_once",
            Form::Either(vec![words(&["unlimited"]), Form::Whole(limits::AT_ONCE)]),
            "How many requests a backend works on at a time.",
        )
        .default("unlimited"),
        key(
            "queue",
            Form::Whole(limits::QUEUE),
            "How many requests may wait while `at_once` are worked on; the next one gets 503.",
        )
        .default("1000"),
        key("body", quantity(&limits::BODY), "The size of a response's body.").default("1KiB"),
        key("on_term", words(&["exit", "finish"]), "What SIGTERM does to requests in flight.")
            .default("exit"),
        key(
            "health_in_queue",
            words(&["true", "false"]),
            "Whether health probes wait with the requests, instead of being answered at once.",
        )
        .default("false"),
    ]
}

/// Of a pool, a backend, or a degraded backend.
pub(super) fn latency() -> Form {
    let tail = Section::new(
        "tail",
        "The few slow requests.",
        vec![
            key("share", any_share(), "Their share of all requests.").required(),
            key("at", quantity(&limits::LATENCY), "How long they take.").required(),
        ],
    );
    let latency = Section::new(
        "latency",
        "How long requests are worked on: always the same time, or one drawn from the seed and the request, so that a \
         request costs the same in every variant.",
        vec![
            key("fixed", quantity(&limits::LATENCY), "Always this long."),
            key("uniform", list(quantity(&limits::LATENCY), 2, 2), "From the first to the second, evenly."),
            key("tail", Form::Fields(tail), "A share of requests that takes longer."),
        ],
    );
    let latency = latency.one_of(&["fixed", "uniform"]);
    Form::Either(vec![quantity(&limits::LATENCY), Form::Fields(latency)])
}

fn route() -> Section {
    let value = Form::Text(Text::HeaderValue);
    let keys = vec![
        key(
            "path",
            Form::Text(Text::Path),
            "The prefix of the paths that take this route; the longest wins.",
        )
        .required(),
        key(
            "header",
            headers(value, limits::HEADERS),
            "One header and its value, such as `{ X-Canary: \"true\" }`: at one path, it beats a route without.",
        ),
        key("to", split(), "The pool, or several with shares that sum to 100%.").required(),
        key(
            "sticky",
            Form::Either(vec![words(&["off"]), Form::Fields(sticky())]),
            "Whether the balancer keeps users at the backends that they had before.",
        )
        .default("off"),
        key(
            "expect_status",
            super::traffic::statuses(),
            "The statuses that count as delivered on this route, unless the class of a request says it.",
        )
        .default("2xx"),
    ];
    Section::new("route", "Requests, and the pool that they go to.", keys)
}

fn sticky() -> Section {
    let about = "The name of the balancer's cookie.";
    Section::new(
        "sticky",
        "Affinity of users to backends.",
        vec![key("cookie", Form::Text(Text::CookieName), about).required()],
    )
}

/// A pool, or several with shares.
pub(super) fn split() -> Form {
    Form::Either(vec![Form::Text(Text::NameOf("pool")), named(any_share(), limits::POOLS)])
}

fn listener() -> Section {
    let layer = "At 7 the balancer sees requests. At 4 it sees connections only: all pools are one set, and no \
                 route applies.";
    let tls = "Where TLS ends: at the balancer (terminate, or reencrypt with TLS to the backends as well: layer 7), or at \
               the backends (passthrough: layer 4).";
    Section::new(
        "listener",
        "Where the balancer listens.",
        vec![
            key("layer", words(&["7", "4"]), layer).default("7"),
            key("tls", words(&["off", "terminate", "reencrypt", "passthrough"]), tls).default("off"),
        ],
    )
}

fn health_check() -> Section {
    let keys = vec![
        key("path", Form::Text(Text::Path), "What is asked for.").default("/health"),
        key("every", quantity(&limits::PROBE_EVERY), "The time between two probes of one backend.")
            .default("500ms"),
        key("timeout", quantity(&limits::TIMEOUT), "After which a probe has failed.").default("250ms"),
        key("fall", Form::Whole(limits::IN_A_ROW), "Failures in a row that take a backend out.").default("2"),
        key("rise", Form::Whole(limits::IN_A_ROW), "Successes in a row that bring it back.").default("1"),
    ];
    Section::new("health_check", "The balancer's own probes.", keys)
}

fn retries() -> Section {
    let about = "How often a request is tried, the first time included.";
    Section::new(
        "retries",
        "How the balancer sends failed requests again.",
        vec![key("tries", Form::Whole(limits::TRIES), about).required()],
    )
}

fn passive_health() -> Section {
    let keys = vec![
        key("fails", Form::Whole(limits::IN_A_ROW), "Failed requests in a row that eject a backend.")
            .required(),
        key("for", quantity(&limits::EJECTION), "How long it is then left out.").required(),
    ];
    Section::new("passive_health", "When failed traffic ejects a backend.", keys)
}
