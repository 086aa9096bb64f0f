//! The keys of `deploy`: a rolling replacement of a pool's backends.

use std::rc::Rc;

use super::timeline::ActedUpon;
use crate::catalog::Capability;
use crate::scenario::form::{Form, name_of, quantity, words};
use crate::scenario::problem::Problem;
use crate::scenario::section::{Read, Section};
use crate::sessions::{JwtKeys, Sessions};
use crate::timeline::{Deploy, Deregister, Drain, Strategy, Until};
use crate::topology::{Balance, Layer};
use crate::units::Span;

pub(super) fn deploy<'s>(stage: &Rc<ActedUpon<'s>>) -> Form<'s, Deploy> {
    let start = Deploy {
        pool: String::new(),
        strategy: Strategy::default(),
        drain: Drain::Off,
        until: Until::default(),
        deregister: Deregister::default(),
        ready_within: Span::millis(15_000),
        new_generation_unhealthy: false,
        jwt_keys: JwtKeys::default(),
    };
    let window = |drain: &Drain| match drain {
        Drain::For(window) => Some(*window),
        Drain::Off | Drain::Auto => None,
    };
    let pools = stage.pools();
    let stage = Rc::clone(stage);
    Section::new("deploy", "A rolling replacement of a pool's backends.", start)
        .key("pool", name_of("pool", pools), |it| &mut it.pool)
        .about("The pool whose backends are replaced.")
        .required()
        .key(
            "drain",
            quantity(Span::millis(1)..=Span::millis(600_000))
                .map(Drain::For, window)
                .or_words([("off", Drain::Off), ("auto", Drain::Auto)], "a duration such as `300ms`"),
            |it| &mut it.drain,
        )
        .about(
            "How long a backend may finish what it has after the balancer was told to leave it out: \
             not at all, derived from the slowest request before the deploy, or this long.",
        )
        .required()
        .key("until", words([("idle", Until::Idle), ("window", Until::Window)]), |it| &mut it.until)
        .about("Whether a drain ends when nothing is in flight, or with its window.")
        .explained_if(|it| it.drain != Drain::Off)
        .key("strategy", words([("in_place", Strategy::InPlace), ("surge", Strategy::Surge)]), |it| {
            &mut it.strategy
        })
        .about("The old backend ends first, or the new one starts first.")
        .key("deregister", words([("live", Deregister::Live), ("reload", Deregister::Reload)]), |it| {
            &mut it.deregister
        })
        .about("How the balancer is told: by its interface, or by a new configuration.")
        .explained_if(Deploy::tells_the_balancer)
        .key("ready_within", quantity(Span::millis(100)..=Span::millis(300_000)), |it| &mut it.ready_within)
        .about("How long a new generation may take to serve.")
        .key("new_generation", words([("healthy", false), ("unhealthy", true)]), |it| {
            &mut it.new_generation_unhealthy
        })
        .about("Whether the new generation ever gets healthy.")
        .key(
            "jwt_keys",
            words([JwtKeys::Same, JwtKeys::Replaced, JwtKeys::Overlapping].map(|keys| (keys.name(), keys))),
            |it| &mut it.jwt_keys,
        )
        .about(
            "With which key the new generation signs sessions: the old one, a new one that alone it \
             accepts, or a new one while every generation accepts both. With `sessions: jwt`.",
        )
        .explained_if(|it| it.jwt_keys != JwtKeys::Same)
        .explained_first(&["pool", "strategy"])
        .form(
            move |read| {
                check_pool(&read, &stage);
                // What follows judges by the drain, so it must be known.
                read.knows("drain").then(|| check_drain(&read, &stage))?;
                Some(read.value)
            },
            |deploy| Some(deploy.clone()),
        )
}

/// Whether the pool can be deployed like that.
fn check_pool(read: &Read<'_, Deploy>, stage: &ActedUpon<'_>) {
    let (item, deploy) = (read.item, &read.value);
    let pool = stage.topology.pool(&deploy.pool);
    let serving = pool.map(|pool| pool.serving().count());
    if let (Some(item), Some(1), Strategy::InPlace) = (read.given("pool"), serving, deploy.strategy) {
        let message =
            format!("`{}` has one backend: while it is replaced in place, nobody serves", deploy.pool);
        item.found.add(
            item.wrong(message).help("give the pool a second backend, or deploy with `strategy: surge`"),
        );
    }
    let in_tokens = pool.and_then(|pool| pool.sessions) == Some(Sessions::Jwt);
    if let Some(item) = read.given("jwt_keys").filter(|_| deploy.jwt_keys != JwtKeys::Same && !in_tokens) {
        let problem = Problem::new(format!("`{}` keeps no sessions in tokens", deploy.pool), item.key());
        item.found.add(problem.help("`jwt_keys` goes with `sessions: jwt` of the pool"));
    }
    if stage.topology.balance == Balance::SourceHash && !stage.sources {
        let problem = Problem::new("`balance: source_hash` cannot stand beside a deploy", item.key());
        let why = "the load has one address, so one backend gets every request: give it users with \
             addresses of their own, `load: { users: { count: 60, identity: source_address } }`, \
             or choose another `balance`";
        item.found.add(problem.help(why));
    }
}

/// What goes with this drain, and whether the balancers can be told so.
fn check_drain(read: &Read<'_, Deploy>, stage: &ActedUpon<'_>) {
    let deploy = &read.value;
    let (drain, until, deregister) = (read.given("drain"), read.given("until"), read.given("deregister"));
    let meaningless =
        [until.filter(|_| deploy.drain == Drain::Off), deregister.filter(|_| !deploy.tells_the_balancer())];
    for item in meaningless.into_iter().flatten() {
        let problem = Problem::new(format!("`{}` means nothing with `drain: off`", item.name), item.key());
        item.found.add(problem.help(format!("a variant removes it with `{}: null`", item.name)));
    }
    if deploy.tells_the_balancer() {
        let (capability, what) = match deploy.deregister {
            Deregister::Live if stage.topology.listener.layer == Layer::Four => {
                let what = "take a backend out while it runs, at layer 4";
                (Capability::LiveDeregisterAtLayer4, what)
            }
            Deregister::Live => (Capability::LiveDeregister, "take a backend out while it runs"),
            Deregister::Reload => (Capability::ReloadDeregister, "take a backend out by a reload"),
        };
        stage.balancers.must(capability, what, &deregister.or(drain).unwrap_or(read.item));
    }
}
