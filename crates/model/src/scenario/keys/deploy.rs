//! The keys of `deploy`: a rolling replacement of a pool's backends.

use std::rc::Rc;

use super::pool::{BACKENDS, uniform};
use super::timeline::ActedUpon;
use crate::catalog::Capability;
use crate::scenario::form::{Form, either, name_of, number, quantity, words};
use crate::scenario::problem::Problem;
use crate::scenario::reader::written_last;
use crate::scenario::section::{Read, Section};
use crate::sessions::{JwtKeys, Sessions};
use crate::timeline::{Batch, Deploy, Deregister, Drain, Strategy, Termination, ToldAfter, Until};
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
        batch: Batch::default(),
        termination: None,
        new_address: false,
    };
    let explained = Rc::clone(stage);
    let size = |batch: &Batch| match batch {
        Batch::Of(size) => Some(*size),
        Batch::All => None,
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
        .optional()
        .explained_if(|it| it.termination.is_none())
        .part(
            "told_after",
            told_after(),
            |it| it.termination.map(|it| it.told_after),
            |it, told_after| {
                let pre_stop = it.termination.map_or(Span::default(), |it| it.pre_stop);
                it.termination = Some(Termination { told_after, pre_stop });
            },
        )
        .about(
            "In place of `drain`, the way of orchestrators such as Kubernetes: a backend's end and the word to the \
             balancer begin at the same time, and the word takes this long, drawn anew for each backend; or it never comes, \
             and the balancer is left to its probes.",
        )
        .optional()
        .part(
            "pre_stop",
            quantity(Span::millis(0)..=Span::millis(600_000)),
            |it| it.termination.map(|it| it.pre_stop),
            |it, pre_stop| {
                let told_after = it.termination.map_or(ToldAfter::Never, |it| it.told_after);
                it.termination = Some(Termination { told_after, pre_stop });
            },
        )
        .about("With `told_after`: for how long a backend goes on as before, until its SIGTERM.")
        .default_is("0ms")
        .explained_if(|it| it.termination.is_some())
        .key("until", words([("idle", Until::Idle), ("window", Until::Window)]), |it| &mut it.until)
        .about("Whether a drain ends when nothing is in flight, or with its window.")
        .explained_if(|it| it.drain != Drain::Off)
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
            number(1..=BACKENDS as u64).map(Batch::Of, size).or_words([("all", Batch::All)], "a number of backends"),
            |it| &mut it.batch,
        )
        .about("How many backends are replaced at the same time.")
        .key("deregister", words([("live", Deregister::Live), ("reload", Deregister::Reload)]), |it| {
            &mut it.deregister
        })
        .about("How the balancer is told: by its interface, or by a new configuration.")
        .explained_if(move |it| it.tells_the_balancer() && !is_discovered(it, &explained))
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
        .one_of(&["drain", "told_after"])
        .form(
            move |read| {
                check_pool(&read, &stage);
                check_discovery(&read, &stage);
                check_termination(&read, &stage)?;
                check_drain(&read, &stage);
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
    // That an outage follows is a lesson that somebody may want; that nothing could follow the drain is not.
    let at_once = serving.map_or(1, |serving| deploy.batch.size(serving));
    let told = deploy.tells_the_balancer() && !is_discovered(deploy, stage);
    if let (Some(item), true) = (read.given("batch"), at_once > 1 && told) {
        let live = deploy.deregister == Deregister::Live && stage.topology.listener.layer == Layer::Seven;
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
    if stage.topology.balance == Balance::SourceHash && !stage.sources {
        let problem = Problem::new("`balance: source_hash` cannot stand beside a deploy", item.key());
        let why = "the load has one address, so one backend gets every request: give it users with \
             addresses of their own, `load: { users: { count: 60, identity: source_address } }`, \
             or choose another `balance`";
        item.found.add(problem.help(why));
    }
}

/// Whether the balancer finds the backends of the deploy's pool by itself.
fn is_discovered(deploy: &Deploy, stage: &ActedUpon<'_>) -> bool {
    stage.topology.pool(&deploy.pool).is_some_and(|pool| pool.discovery.is_some())
}

/// Where the balancer finds backends by itself, it hears of a deploy in no other way.
fn check_discovery(read: &Read<'_, Deploy>, stage: &ActedUpon<'_>) {
    let deploy = &read.value;
    let found = read.item.found;
    if !is_discovered(deploy, stage) {
        if let Some(item) = read.given("new_address").filter(|_| deploy.new_address) {
            let message =
                format!("the balancer would not find a new address: `{}` has no `discovery`", deploy.pool);
            found.add(
                item.wrong(message)
                    .help("add `discovery: { dns: { ttl: 5s } }` to the pool, or use `strategy: surge`"),
            );
        }
        return;
    }
    if let Some(item) = read.given("deregister") {
        let message =
            format!("`deregister` means nothing where the balancer finds `{}` by itself", deploy.pool);
        found.add(
            Problem::new(message, item.key()).help("its `discovery` is how it hears that a backend leaves"),
        );
    }
    if let Some(item) = read.given("drain").filter(|_| deploy.drain == Drain::Auto) {
        let message = "`drain: auto` does not know how long the balancer uses an answer that it has";
        found.add(
            item.wrong(message).help("say how long: the `ttl` and the slowest request, such as `drain: 8s`"),
        );
    }
}

/// How late the balancer is told: a time, one drawn between two, or never.
fn told_after<'s>() -> Form<'s, ToldAfter> {
    let limits = || Span::millis(0)..=Span::millis(600_000);
    let bounds = |told: &ToldAfter| match told {
        ToldAfter::Between(from, to) => Some((*from, *to)),
        ToldAfter::Never => None,
    };
    let fixed = move |told: &ToldAfter| bounds(told).filter(|(from, to)| from == to).map(|(from, _)| from);
    let drawn = Section::new(
        "told_after",
        "A time that is drawn for each backend.",
        (Span::default(), Span::default()),
    )
    .part("uniform", uniform(limits()), |it| Some(*it), |it, bounds| *it = bounds)
    .about("From the first to the second, evenly.")
    .required()
    .on_a_line()
    .form(
        |read| {
            let (from, to) = read.value;
            if from > to {
                return read
                    .item
                    .refuse(read.item.wrong(format!("`uniform` begins at {from}, after its end at {to}")));
            }
            read.knows("uniform").then_some(ToldAfter::Between(from, to))
        },
        bounds,
    );
    let always = |span| ToldAfter::Between(span, span);
    let one = quantity(limits())
        .map(always, fixed)
        .or_words([("never", ToldAfter::Never)], "a duration such as `500ms`");
    let (alone, between) = (one.clone(), drawn.clone());
    either(one, drawn).written(move |told| match told {
        ToldAfter::Between(from, to) if from != to => between.write(told),
        _ => alone.write(told),
    })
}

/// A deploy says how backends leave: drained, or as orchestrators end them. `None`: that is not known.
fn check_termination(read: &Read<'_, Deploy>, stage: &ActedUpon<'_>) -> Option<()> {
    let (item, deploy) = (read.item, &read.value);
    let pre_stop = read.given("pre_stop");
    match read.given_of(&["drain", "told_after"]).as_slice() {
        [] => {
            let problem = item.wrong("`drain` is missing, or `told_after`");
            return item.refuse(problem.help(
                "`drain: auto` waits until a backend has finished; with `told_after` the deploy does not, as in Kubernetes",
            ));
        }
        [one] => read.knows(one.name).then_some(())?,
        several => {
            let last = written_last(several.iter().copied()).unwrap_or(item);
            let problem = Problem::new("`told_after` stands beside `drain`", last.key());
            return item.refuse(problem.help("a variant removes one with `drain: null`"));
        }
    }
    let Some(told) = read.given("told_after") else {
        if let Some(pre_stop) = pre_stop {
            let problem = Problem::new("`pre_stop` means nothing without `told_after`", pre_stop.key());
            item.found
                .add(problem.help("`drain` waits for the balancer, and needs no time before the signal"));
        }
        return Some(());
    };
    let grace = stage.topology.pool(&deploy.pool).map(|pool| pool.grace);
    if let (Some(item), Some(Termination { pre_stop, .. }), Some(grace)) =
        (pre_stop, deploy.termination, grace)
        && pre_stop >= grace
    {
        let message = format!(
            "`pre_stop` takes the whole `grace` of {grace}, so that nothing is left after the signal"
        );
        let help = format!("give the pool more, such as `grace: {}`", Span(pre_stop.0 * 2));
        item.found.add(item.wrong(message).help(help));
    }
    let never = deploy.termination.is_some_and(|it| it.told_after == ToldAfter::Never);
    if never && stage.topology.health_check.is_none() && deploy.moves() {
        let message =
            "`told_after: never` leaves every replaced address to the balancer's probes, and it has none";
        let help = "give the topology a `health_check`, or replace backends at their addresses: no `strategy: surge`, no `new_address`";
        item.found.add(told.wrong(message).help(help));
    }
    Some(())
}

/// What goes with this drain, and whether the balancers can be told so.
fn check_drain(read: &Read<'_, Deploy>, stage: &ActedUpon<'_>) {
    let deploy = &read.value;
    let (drain, until, deregister) = (read.given("drain"), read.given("until"), read.given("deregister"));
    let meaningless =
        [until.filter(|_| deploy.drain == Drain::Off), deregister.filter(|_| !deploy.tells_the_balancer())];
    let beside = match deploy.termination {
        None => "`drain: off`",
        Some(Termination { told_after: ToldAfter::Never, .. }) => "`told_after: never`",
        Some(_) => "`told_after`",
    };
    for item in meaningless.into_iter().flatten() {
        let problem = Problem::new(format!("`{}` means nothing with {beside}", item.name), item.key());
        item.found.add(problem.help(format!("a variant removes it with `{}: null`", item.name)));
    }
    if deploy.tells_the_balancer() && !is_discovered(deploy, stage) {
        let (capability, what) = match deploy.deregister {
            Deregister::Live if stage.topology.listener.layer == Layer::Four => {
                let what = "take a backend out while it runs, at layer 4";
                (Capability::LiveDeregisterAtLayer4, what)
            }
            Deregister::Live => (Capability::LiveDeregister, "take a backend out while it runs"),
            Deregister::Reload => (Capability::ReloadDeregister, "take a backend out by a reload"),
        };
        let asks = deregister.or(drain).or(read.given("told_after"));
        stage.balancers.must(capability, what, &asks.unwrap_or(read.item));
    }
}
