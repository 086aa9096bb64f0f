//! The keys of `timeline`, which `read_timeline.rs` and `read_degrade.rs` read.

use super::form::{Form, Section, Text, any_share, key, quantity, words};
use super::{topology, traffic};
use crate::degrade::{ResponseStage, WAYS};
use crate::scenario::limits;
use crate::timeline::FaultKind;

pub(super) fn entry() -> Section {
    let mut actions = vec![
        key("deploy", Form::Fields(deploy()), "Replaces a pool's backends one after another."),
        key("reload", Form::Fields(reload()), "Reloads the balancer; `{}` is once."),
        key("degrade", Form::Fields(degrade()), "Tells a running backend to misbehave."),
        key("split", Form::Fields(split()), "Changes the shares of a route."),
        key("curl", Form::Fields(curl()), "Asks by curl; the transcript is in the report."),
    ];
    actions.extend(
        FaultKind::ALL.map(|kind| key(kind.name(), Form::Text(Text::NameOf("backend")), about_fault(kind))),
    );
    let names: Vec<_> = actions.iter().map(|action| action.name).collect();
    let mut keys = vec![
        key(
            "at",
            quantity(&limits::AT),
            "When it begins, from the first measured request on; before the load's end.",
        ),
        key("after", Form::Text(Text::NameOf("entry")), "It begins when that entry has ended."),
        key("jitter", quantity(&limits::AT), "Begins up to so much later than `at`, drawn from the seed.")
            .default("0s"),
        key("for", quantity(&limits::FAULT), "After which a fault or a degraded backend is healed.")
            .default_told("for good"),
    ];
    keys.extend(actions);
    Section::new("entry", "One thing that happens while the load runs.", keys)
        .one_of(&["at", "after"])
        .one_of(&names)
}

fn about_fault(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Crash => {
            "SIGKILL to that backend; its address refuses connections. Healed by starting it again."
        }
        FaultKind::Term => {
            "SIGTERM, so that `on_term` decides about requests in flight. Healed by starting it again."
        }
        FaultKind::Freeze => "Its process stands still: connections are accepted and never answered.",
        FaultKind::Partition => "Its network is cut: packets vanish both ways. Needs containers.",
        FaultKind::HostLoss => "A crash whose address vanishes: silence, not refusal. Needs containers.",
    }
}

fn deploy() -> Section {
    let keys = vec![
        key("pool", Form::Text(Text::NameOf("pool")), "The pool whose backends are replaced.").required(),
        key(
            "drain",
            Form::Either(vec![words(&["off", "auto"]), quantity(&limits::DRAIN)]),
            "How long a backend may finish what it has after the balancer was told to leave it out: not at all, \
             derived from the slowest request before the deploy, or this long.",
        )
        .required(),
        key(
            "until",
            words(&["idle", "window"]),
            "Whether a drain ends when nothing is in flight, or with its window.",
        )
        .default("idle"),
        key("strategy", words(&["in_place", "surge"]), "The old backend ends first, or the new one starts first.")
            .default("in_place"),
        key(
            "deregister",
            words(&["live", "reload"]),
            "How the balancer is told: by its interface, or by a new configuration.",
        )
        .default("live"),
        key("ready_within", quantity(&limits::READY), "How long a new generation may take to serve.")
            .default("15s"),
        key("new_generation", words(&["healthy", "unhealthy"]), "Whether the new generation ever gets healthy.")
            .default("healthy"),
        key(
            "jwt_keys",
            words(&["same", "replaced", "overlapping"]),
            "With which key the new generation signs sessions: the old one, a new one that alone it accepts, or a new \
             one while every generation accepts both. With `sessions: jwt`.",
        )
        .default("same"),
    ];
    Section::new("deploy", "A rolling replacement of a pool's backends.", keys)
}

fn reload() -> Section {
    let keys = vec![
        key("times", Form::Whole(limits::RELOADS), "How often, each once the one before has taken effect.")
            .default("1"),
        key("every", quantity(&limits::RELOAD_EVERY), "The time between two; needed for more than one."),
        key(
            "keeps",
            words(&["rotation", "nothing"]),
            "What it keeps of what the balancer was told while it ran: `rotation` renders its file anew, without the \
             backends that are out; `nothing` reads the file that it was started from, so that a backend which is being \
             drained gets requests again.",
        )
        .default("rotation"),
    ];
    Section::new("reload", "Reloads of the balancer.", keys)
}

fn degrade() -> Section {
    let stages = || Form::Words(ResponseStage::NAMED.iter().map(|(name, _)| *name).collect());
    let form = |way: &str| match way {
        "latency" => topology::latency(),
        "slower" => quantity(&limits::SLOWER),
        "errors" => any_share(),
        "health" => words(&["fail"]),
        "silent" => words(&["true"]),
        _ => stages(),
    };
    let ways: Vec<_> = WAYS.iter().map(|way| key(way.key, form(way.key), way.about)).collect();
    let names: Vec<_> = ways.iter().map(|way| way.name).collect();
    let mut keys = vec![key("backend", Form::Text(Text::NameOf("backend")), "Who misbehaves.").required()];
    keys.extend(ways);
    Section::new("degrade", "How a half-dead backend behaves.", keys).one_of(&names)
}

fn split() -> Section {
    let keys = vec![
        key("route", Form::Text(Text::NameOf("route")), "A route that has shares.").required(),
        key("to", topology::split(), "Its new shares, of the same pools in the same order.").required(),
    ];
    Section::new("split", "New shares of a route.", keys)
}

fn curl() -> Section {
    let keys = vec![
        key("path", Form::Text(Text::Target), "What is asked for.").required(),
        key("headers", traffic::request_headers(), "Headers; a list of values repeats one.").default("{}"),
        key("times", Form::Whole(limits::CURLS), "How often, each time on a connection of its own.")
            .default("1"),
    ];
    Section::new("curl", "A request by curl.", keys)
}
