//! `retries` of `topology`: which requests the balancer sends again, and when.

use crate::catalog::Capability;
use crate::scenario::capabilities::Balancers;
use crate::scenario::form::{Form, list, number, quantity, share, words};
use crate::scenario::problem::Problem;
use crate::scenario::reader::Item;
use crate::scenario::section::{Read, Section};
use crate::topology::{Layer, Retries, Retry, RetryCause, Topology};
use crate::units::Span;

pub(super) fn retries<'s>() -> Form<'s, Retries> {
    let sorted = |mut causes: Vec<RetryCause>| {
        causes.sort_unstable();
        causes.dedup();
        causes
    };
    let on = |retries: &Retries| match retries {
        Retries::On(retry) => Some(retry.clone()),
        Retries::Off | Retries::Default => None,
    };
    let causes = list(words(RetryCause::ALL), 1, RetryCause::ALL.len());
    Section::new("retries", "How the balancer sends failed requests again.", Retry::of(2))
        .key("tries", number(2..=10), |it| &mut it.tries)
        .about("How often a request is tried, the first time included.")
        .required()
        .maybe("on", causes.map(sorted, |causes| Some(causes.clone())), |it| &mut it.on)
        .about(
            "What is tried again: `refused` is no connection, `reset` one that broke before a response, `timeout` no \
             response in time, and a number is that status of a backend's. At layer 4, `refused` alone.",
        )
        .unless("nginx, HAProxy, Envoy: refused, reset, timeout, 502, 503, 504; Caddy: refused, reset, timeout; Traefik: refused")
        .maybe("backoff", quantity(Span::millis(1)..=Span::millis(10_000)), |it| &mut it.backoff)
        .about(
            "How long the balancer waits before the second attempt; how later waits grow is its own. Envoy waits for a \
             random part of it.",
        )
        .unless("Envoy: 25ms; HAProxy: up to 1s before the same server; the others: not at all")
        .maybe("budget", share(), |it| &mut it.budget)
        .about("How many of the requests in flight may be repeated ones. Envoy always allows 3 at once.")
        .unless("any number")
        .on_a_line()
        .whole()
        .map(Retries::On, on)
        .or_words([("off", Retries::Off), ("default", Retries::Default)], "a map such as `{ tries: 2 }`")
}

/// What a balancer can't tell apart, each as the capability to do so.
const APART: [Apart; 6] = [
    Apart {
        asks: |it| it.says(RetryCause::Refused) && !it.says(RetryCause::Reset),
        capability: Capability::RetryRefusedAlone,
        what: "try refused connections again (`refused`) without broken ones (`reset`)",
    },
    Apart {
        asks: |it| it.says(RetryCause::Reset) && !it.says(RetryCause::Refused),
        capability: Capability::RetryResetAlone,
        what: "try broken connections again (`reset`) without refused ones (`refused`)",
    },
    Apart {
        asks: |it| it.says(RetryCause::Reset) && !it.says(RetryCause::Timeout),
        capability: Capability::RetryWithoutTimeout,
        what: "try broken connections again (`reset`) without late responses (`timeout`)",
    },
    Apart {
        asks: |it| it.says(RetryCause::Timeout) && !it.says(RetryCause::Reset),
        capability: Capability::RetryTimeoutAlone,
        what: "try late responses again (`timeout`) without broken connections (`reset`)",
    },
    Apart {
        asks: |it| !it.says(RetryCause::Refused) && !it.statuses().is_empty(),
        capability: Capability::RetryStatusAlone,
        what: "try statuses again without refused connections (`refused`)",
    },
    Apart {
        asks: |it| {
            it.says(RetryCause::Reset) != it.says(RetryCause::BadGateway)
                || it.says(RetryCause::Timeout) != it.says(RetryCause::LateGateway)
        },
        capability: Capability::RetryOwnStatusApart,
        what: "try only one of `reset` and 502 again, or only one of `timeout` and 504",
    },
];

struct Apart {
    asks: fn(&Retry) -> bool,
    capability: Capability,
    what: &'static str,
}

/// Whether the balancers can tell the causes apart, at the listener's layer.
pub(super) fn check_retries(read: &Read<'_, Topology>, balancers: &Balancers<'_>) {
    let (Retries::On(retry), Some(item)) = (&read.value.retries, read.given("retries")) else { return };
    if read.value.listener.layer == Layer::Four {
        balancers.must(Capability::RetriesAtLayer4, "connect again at layer 4", &item);
        return check_layer4(&item, retry);
    }
    if let Some(on) = item.below("on").filter(|_| retry.on.is_some()) {
        for Apart { capability, what, .. } in APART.iter().filter(|it| (it.asks)(retry)) {
            balancers.must(*capability, what, &on);
        }
        if !retry.statuses().is_empty() {
            balancers.must(Capability::RetryStatus, "try a request again because of a status", &on);
        }
    }
    if let Some(item) = item.below("backoff").filter(|_| retry.backoff.is_some()) {
        balancers.must(
            Capability::RetryBackoff,
            "wait for a time of your choice before it tries again",
            &item,
        );
    }
    if let Some(item) = item.below("budget").filter(|_| retry.budget.is_some()) {
        balancers.must(Capability::RetryBudget, "limit the share of repeated requests", &item);
    }
}

/// At layer 4 only a connection can be tried again, and only before it stands.
fn check_layer4(item: &Item<'_>, retry: &Retry) {
    let wrong = |key: &str, message: &str, help: &str| {
        if let Some(item) = item.below(key) {
            item.found.add(Problem::new(message.to_owned(), item.key()).help(help.to_owned()));
        }
    };
    if retry.on.iter().flatten().any(|cause| *cause != RetryCause::Refused) {
        let message = "at layer 4 a balancer reads no response, and tries only refused connections again";
        wrong("on", message, "write `on: [refused]`, or leave `on` out");
    }
    let help = "`backoff` and `budget` go with `listener: { layer: 7 }`";
    if retry.backoff.is_some() {
        wrong("backoff", "at layer 4 a balancer connects again at once", help);
    }
    if retry.budget.is_some() {
        wrong("budget", "at layer 4 a balancer limits no share of repeated connections", help);
    }
}
