//! The keys of `load`, which `read_traffic.rs` reads.

use super::form::{Form, Key, Section, Text, any_share, headers, key, list, named, quantity, words};
use crate::scenario::limits;

pub(super) fn load() -> Section {
    let mut keys = vec![
        key("rate", quantity(&limits::RATE), "Requests per second, whatever became of earlier ones.")
            .required(),
        key("for", quantity(&limits::LOAD), "How long, from the first measured request on.").required(),
        key("arrivals", words(&["constant", "poisson"]), "Evenly spaced, or by chance at that rate.")
            .default("constant"),
        key("warmup", quantity(&limits::WARMUP), "Load before that, which is not measured.").default("2s"),
        key("timeout", quantity(&limits::TIMEOUT), "How long a client waits for a whole response.")
            .default("10s"),
        key(
            "fresh_connections",
            any_share(),
            "The share of requests on a connection of their own; the others use kept-alive ones.",
        )
        .default("10%"),
        key("resumption", words(&["on", "off"]), "Whether clients take up TLS sessions again.").default("on"),
        key(
            "connections",
            Form::Whole(limits::CONNECTIONS),
            "The most connections at a time. A smaller number can make requests wait for one.",
        )
        .default_told(
            "as many as the load can need (rate × timeout and some), as far as the machine carries them",
        ),
        key(
            "users",
            Form::Fields(users()),
            "Who makes the requests, each with a cookie jar. Without it, nobody in particular.",
        ),
        key(
            "mix",
            named(Form::Fields(class()), limits::CLASSES),
            "Kinds of requests by name, whose shares sum to 100%. Without it, the load itself says what a request \
             is.",
        ),
    ];
    keys.extend(request());
    Section::new("load", "An open-loop load: request i is due at a computed instant.", keys)
}

fn users() -> Section {
    let zipf = "The n-th busiest user's part is proportional to n to the power of minus this.";
    let skew = Section::new(
        "skew",
        "How much more some users ask than others.",
        vec![key("zipf", Form::Text(Text::Exponent), zipf).required()],
    );
    let keys = vec![
        key("count", Form::Whole(limits::USERS), "How many; the warm-up has to have a request of each.").required(),
        key(
            "skew",
            Form::Either(vec![words(&["none"]), Form::Fields(skew)]),
            "How requests are spread over users.",
        )
        .default("none"),
        key(
            "identity",
            words(&["cookie", "source_address"]),
            "What tells users apart for a balancer: their cookies, or a source address of each as well. Addresses \
             need local processes.",
        )
        .default("cookie"),
    ];
    Section::new("users", "Those who make the requests.", keys)
}

fn class() -> Section {
    let mut keys = vec![key("share", any_share(), "Its share of all requests.").required()];
    keys.extend(request());
    Section::new("class", "One kind of requests of a mix.", keys)
}

/// What a class, or a load of one class, says of its requests.
fn request() -> Vec<Key> {
    vec![
        key("method", words(&["GET", "HEAD", "POST"]), "The method; a POST can have a body.").default("GET"),
        key("path", Form::Text(Text::Target), "What is asked for: a path, with or without a query.").default("/"),
        key("headers", request_headers(), "Headers; a list of values repeats one.").default("{}"),
        key("body", quantity(&limits::BODY), "The size of a request's body.").default("0B"),
        key(
            "upload",
            quantity(&limits::UPLOAD),
            "The body is sent evenly over this time, so that a request can be in the middle of it when its backend \
             goes.",
        )
        .default_told("at once"),
        key("cost", quantity(&limits::COST), "Multiplies the service time of these requests.").default("1x"),
        key("expect", Form::Fields(expectation()), "Who should answer: another is counted as `misrouted`."),
        key(
            "expect_status",
            statuses(),
            "The statuses that count as delivered, such as `404`, `[200, 404]` or `3xx`; any other is dropped.",
        )
        .default_told("what the route says, else `2xx`"),
    ]
}

/// Of a class, or of a route.
pub(super) fn statuses() -> Form {
    let status = || Form::Text(Text::Status);
    Form::Either(vec![status(), list(status(), 1, limits::STATUSES)])
}

/// Of a class, or of a curl.
pub(super) fn request_headers() -> Form {
    let value = || Form::Text(Text::HeaderValue);
    headers(Form::Either(vec![value(), list(value(), 0, limits::HEADERS)]), limits::HEADERS)
}

fn expectation() -> Section {
    let about = "The pool whose stamp a response should bear.";
    Section::new(
        "expect",
        "Who should answer.",
        vec![key("pool", Form::Text(Text::NameOf("pool")), about).required()],
    )
}
