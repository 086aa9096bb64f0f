//! The keys of `topology` about what a balancer does by itself: it ejects, and refuses.

use std::rc::Rc;

use crate::catalog::Capability;
use crate::scenario::capabilities::Balancers;
use crate::scenario::form::{Form, number, quantity, share};
use crate::scenario::limits::IN_A_ROW;
use crate::scenario::reader::Item;
use crate::scenario::section::{Read, Section};
use crate::topology::{BackendLimit, Limits, PassiveHealth, Threshold, Topology};
use crate::units::Span;

pub(super) fn passive_health<'s>() -> Form<'s, PassiveHealth> {
    let words = [("off", PassiveHealth::Off), ("default", PassiveHealth::Default)];
    let on = |health: &PassiveHealth| match health {
        PassiveHealth::On { fails, out_for } => Some((*fails, *out_for)),
        PassiveHealth::Off | PassiveHealth::Default => None,
    };
    Section::new("passive_health", "When failed traffic ejects a backend.", (1, Span::default()))
        .key("fails", number(IN_A_ROW), |it| &mut it.0)
        .about("Failed requests in a row that eject a backend.")
        .required()
        .key("for", quantity(Span::millis(1)..=Span::millis(600_000)), |it| &mut it.1)
        .about("How long it is then left out.")
        .required()
        .on_a_line()
        .whole()
        .map(|(fails, out_for)| PassiveHealth::On { fails, out_for }, on)
        .or_words(words, "a map such as `{ fails: 1, for: 10s }`")
}

/// `default` asks nothing of a balancer that has none; a share does, by `must`.
pub(super) fn threshold<'s>(must: impl Fn(Item<'_>) + 's) -> Form<'s, Threshold> {
    let at = |threshold: &Threshold| match threshold {
        Threshold::At(share) => Some(*share),
        Threshold::Off | Threshold::Default => None,
    };
    share()
        .checked(move |item, _| must(item))
        .map(Threshold::At, at)
        .or_words([("off", Threshold::Off), ("default", Threshold::Default)], "a share such as `50%`")
}

/// A word asks nothing of a balancer; each figure does.
pub(super) fn limits<'s>(balancers: Rc<Balancers<'s>>) -> Form<'s, Limits> {
    let start = BackendLimit { connections: 1, queue: None, queue_timeout: None };
    let queue = number(0..=100_000).some().or_words([("default", None)], "a whole number");
    let longest = quantity(Span::millis(1)..=Span::millis(120_000));
    let waits = longest.some().or_words([("default", None)], "a duration such as `500ms`");
    let each = |limits: &Limits| match limits {
        Limits::Each(limit) => Some(*limit),
        Limits::Off | Limits::Default => None,
    };
    Section::new("limits", "How much the balancer lets through to each backend at once.", start)
        .key("connections", number(1..=100_000), |it| &mut it.connections)
        .about("How many requests a backend may have from the balancer at the same time; at layer 4, connections.")
        .required()
        .key("queue", queue, |it| &mut it.queue)
        .about(
            "How many more of a pool may wait at the balancer for a place; the next one is refused, and with 0 \
             nothing waits. `default` is what the balancer does if it is not told anything: in HAProxy any number \
             waits, in Envoy 1024, in nginx and Caddy none.",
        )
        .key("queue_timeout", waits, |it| &mut it.queue_timeout)
        .about(
            "How long one may wait there. `default` is what the balancer does if it is not told anything: in HAProxy as \
             long as a connection may take, which is 1s, in Envoy `response_timeout`.",
        )
        .on_a_line()
        .form(
            move |read| {
                check_limit(&read, &balancers);
                Some(read.value)
            },
            |limit| Some(*limit),
        )
        .map(Limits::Each, each)
        .or_words([("off", Limits::Off), ("default", Limits::Default)], "a map such as `{ connections: 20 }`")
}

fn check_limit(read: &Read<'_, BackendLimit>, balancers: &Balancers<'_>) {
    balancers.must(Capability::BackendLimit, "limit how much each backend gets at once", &read.item);
    let asks = |key, capability, what| {
        if let Some(item) = read.given(key) {
            balancers.must(capability, what, &item);
        }
    };
    match read.value.queue {
        None => {}
        Some(0) => asks("queue", Capability::NoQueue, "refuse at once what exceeds a limit"),
        Some(_) => asks("queue", Capability::BoundedQueue, "let so many requests wait for a backend"),
    }
    if let (Some(_), Some(item)) = (read.value.queue_timeout, read.given("queue_timeout")) {
        match read.value.queue {
            Some(0) => {
                let problem = item.wrong("`queue_timeout` means nothing where nothing waits");
                item.found.add(problem.help("remove it, or give `queue` more than 0"));
            }
            _ => {
                balancers.must(Capability::QueueTimeout, "limit how long requests wait for a backend", &item)
            }
        }
    }
}

/// What failed traffic may do, where it may.
pub(super) fn check_ejection(read: &Read<'_, Topology>, balancers: &Balancers<'_>) {
    let (passive, alone) = (read.value.passive_health, read.value.health_check.is_none());
    let on = matches!(passive, PassiveHealth::On { .. });
    if let Some(item) = read.given("passive_health").filter(|_| passive != PassiveHealth::Off) {
        balancers.must(Capability::PassiveHealth, "eject backends because of failed traffic", &item);
        if on && alone {
            let what = "eject backends because of failed traffic with `health_check: off`";
            balancers.must(Capability::PassiveHealthAlone, what, &item);
        }
    }
    if let Some(item) =
        read.given("max_ejection").filter(|_| read.value.max_ejection != Threshold::Off && !on)
    {
        let problem = item.wrong("`max_ejection` means nothing where failed traffic ejects no backend");
        item.found.add(problem.help("add `passive_health: { fails: 5, for: 10s }`"));
    }
}
