//! The keys of `deploy`: a rolling replacement of a pool's backends.

use std::rc::Rc;

use super::leaving::{
    Departure, HOW_IT_IS_TOLD, WAYS, check_leaving, is_discovered, leaving, live_or_reload,
};
use super::timeline::ActedUpon;
use crate::catalog::Capability;
use crate::scenario::form::{Form, name_of, number, quantity, words};
use crate::scenario::limits::BACKENDS;
use crate::scenario::problem::Problem;
use crate::scenario::reader::Item;
use crate::scenario::section::{Read, Section};
use crate::sessions::{JwtKeys, Sessions};
use crate::timeline::{Batch, Deploy, Deregister, Strategy};
use crate::topology::{Balance, Layer};
use crate::units::Span;

pub(super) fn ready_within<'s>() -> Form<'s, Span> {
    quantity(Span::millis(100)..=Span::millis(300_000))
}

pub(super) fn deploy<'s>(stage: &Rc<ActedUpon<'s>>) -> Form<'s, Deploy> {
    let explained = Rc::clone(stage);
    let size = |batch: &Batch| match batch {
        Batch::Of(size) => Some(*size),
        Batch::All => None,
    };
    let pools = stage.pools();
    let stage = Rc::clone(stage);
    Section::new("deploy", "A rolling replacement of a pool's backends.", Deploy::default())
        .key("pool", name_of("pool", pools), |it| &mut it.pool)
        .about("The pool whose backends are replaced.")
        .required()
        .include(leaving(), |it| &mut it.leaving)
        .key("strategy", words([("in_place", Strategy::InPlace), ("surge", Strategy::Surge)]), |it| {
            &mut it.strategy
        })
        .about("The old backend ends first, or the new one starts first.")
        .key("new_address", words([("true", true), ("false", false)]), |it| &mut it.new_address)
        .about(
            "Whether each new generation gets an address that none had before, and leaves the old one empty, as pods do. With \
             `discovery` of the pool.",
        )
        .explained_if(|it| it.new_address)
        .key(
            "batch",
            number(1..=BACKENDS as u64)
                .map(Batch::Of, size)
                .or_words([("all", Batch::All)], "a number of backends"),
            |it| &mut it.batch,
        )
        .about("How many backends are replaced at the same time.")
        .key("deregister", live_or_reload(), |it| &mut it.leaving.deregister)
        .about(HOW_IT_IS_TOLD)
        .explained_if(move |it| it.tells_the_balancer() && !is_discovered(&it.pool, &explained))
        .key("ready_within", ready_within(), |it| &mut it.ready_within)
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
        .one_of(&WAYS)
        .form(
            move |read| {
                check_pool(&read, &stage);
                check_new_address(&read, &stage);
                let departure = Departure {
                    leaving: &read.value.leaving,
                    pool: &read.value.pool,
                    address_stays_empty: read.value.moves(),
                    tells_the_balancer: read.value.tells_the_balancer(),
                };
                check_leaving(&read, &departure, &stage)?;
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
            format!("`{}` has one backend: while it is replaced in place, no backend serves", deploy.pool);
        item.found.add(
            item.wrong(message).help("give the pool a second backend, or deploy with `strategy: surge`"),
        );
    }
    // An outage may be what a scenario wants to show; a drain that nothing could follow is not.
    let at_once = serving.map_or(1, |serving| deploy.batch.size(serving));
    let told = deploy.tells_the_balancer() && !is_discovered(&deploy.pool, stage);
    if let (Some(item), true) = (read.given("batch"), at_once > 1 && told) {
        let live =
            deploy.leaving.deregister == Deregister::Live && stage.topology.listener.layer == Layer::Seven;
        if live {
            let what = "take several backends out while it runs";
            stage.balancers.must(Capability::LiveDeregisterSeveral, what, &item);
        }
    }
    let in_tokens = pool.and_then(|pool| pool.sessions) == Some(Sessions::Jwt);
    if let Some(item) = read.given("jwt_keys").filter(|_| deploy.jwt_keys != JwtKeys::Same && !in_tokens) {
        let problem = Problem::new(format!("`{}` keeps no sessions in tokens", deploy.pool), item.key());
        item.found.add(problem.help("`jwt_keys` goes with `sessions: jwt` of the pool"));
    }
    check_spread(item, "a deploy", stage);
}

/// Whether every backend gets requests, so that it can be seen what becomes of them.
pub(super) fn check_spread(item: Item<'_>, beside: &str, stage: &ActedUpon<'_>) {
    if stage.topology.balance == Balance::SourceHash && !stage.sources {
        let problem =
            Problem::new(format!("`balance: source_hash` cannot stand beside {beside}"), item.key());
        let why = "the load has one address, so one backend gets every request: give it users with \
             addresses of their own, `load: { users: { count: 60, identity: source_address } }`, \
             or choose another `balance`";
        item.found.add(problem.help(why));
    }
}

/// A balancer finds a new address only by itself.
fn check_new_address(read: &Read<'_, Deploy>, stage: &ActedUpon<'_>) {
    let pool = &read.value.pool;
    if let Some(item) = read.given("new_address").filter(|_| read.value.new_address)
        && !is_discovered(pool, stage)
    {
        let message = format!("the balancer would not find a new address: `{pool}` has no `discovery`");
        let help = "add `discovery: { dns: { ttl: 5s } }` to the pool, or use `strategy: surge`";
        read.item.found.add(item.wrong(message).help(help));
    }
}
