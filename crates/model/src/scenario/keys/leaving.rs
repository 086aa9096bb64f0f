//! The keys that say how a backend leaves: of `deploy`, and of `remove`.

use std::rc::Rc;

use super::pool::uniform;
use super::timeline::ActedUpon;
use crate::catalog::Capability;
use crate::scenario::form::{Form, either, quantity, words};
use crate::scenario::problem::Problem;
use crate::scenario::reader::{Item, written_last};
use crate::scenario::section::{Read, Section};
use crate::timeline::{Deregister, Drain, Leaving, Termination, ToldAfter, Until};
use crate::topology::Layer;
use crate::units::Span;

/// One of these must be there.
pub(super) const WAYS: [&str; 2] = ["drain", "told_after"];

pub(super) fn leaving<'s>() -> Section<'s, Leaving> {
    let window = |drain: &Drain| match drain {
        Drain::For(window) => Some(*window),
        Drain::Off | Drain::Auto => None,
    };
    Section::loose(Leaving::ABRUPT)
        .key(
            "drain",
            quantity(Span::millis(1)..=Span::millis(600_000))
                .map(Drain::For, window)
                .or_words([("off", Drain::Off), ("auto", Drain::Auto)], "a duration such as `300ms`"),
            |it| &mut it.drain,
        )
        .about(
            "How long a backend may finish what it has after the balancer was told to leave it out: \
             not at all, derived from the slowest request before that, or this long.",
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
             balancer begin at the same time, and the word takes this long, drawn for each backend; or it never comes, \
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
}

/// What a key is that says how the balancer is told.
pub(super) const HOW_IT_IS_TOLD: &str =
    "How the balancer is told: by its interface, or by a new configuration.";

/// How a balancer is told.
pub(super) fn live_or_reload<'s>() -> Form<'s, Deregister> {
    words([("live", Deregister::Live), ("reload", Deregister::Reload)])
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

/// Who leaves so, and what is known of it.
pub(super) struct Departure<'a> {
    pub(super) leaving: &'a Leaving,
    /// Of this pool.
    pub(super) pool: &'a str,
    /// Whether its address stays empty, so that the balancer must be told of it sooner or later.
    pub(super) address_stays_empty: bool,
    pub(super) tells_the_balancer: bool,
}

/// Whether backends of that pool can leave like that, and the balancers be told so, given `deregister` as well. `None`: how
/// they leave is not known.
pub(super) fn check_leaving<N: Clone>(
    read: &Read<'_, N>,
    departure: &Departure<'_>,
    stage: &Rc<ActedUpon<'_>>,
) -> Option<()> {
    check_discovery(read, departure, stage);
    check_termination(read, departure, stage)?;
    check_drain(read, departure, stage);
    Some(())
}

/// Whether the balancer finds the backends of `pool` by itself.
pub(super) fn is_discovered(pool: &str, stage: &ActedUpon<'_>) -> bool {
    stage.topology.pool(pool).is_some_and(|pool| pool.discovery.is_some())
}

/// Where the balancer finds backends by itself, it hears in no other way that one leaves.
fn check_discovery<N: Clone>(read: &Read<'_, N>, departure: &Departure<'_>, stage: &ActedUpon<'_>) {
    let (pool, found) = (departure.pool, read.item.found);
    if !is_discovered(pool, stage) {
        return;
    }
    if let Some(item) = read.given("deregister") {
        let message = format!("`deregister` means nothing where the balancer finds `{pool}` by itself");
        let problem = Problem::new(message, item.key());
        found.add(problem.help("its `discovery` is how it hears that a backend leaves"));
    }
    if let Some(item) = read.given("drain").filter(|_| departure.leaving.drain == Drain::Auto) {
        let message = "`drain: auto` does not know how long the balancer uses an answer that it has";
        let help = "say how long: the `ttl` and the slowest request, such as `drain: 8s`";
        found.add(item.wrong(message).help(help));
    }
}

/// It is said how backends leave: drained, or as orchestrators end them. `None`: that is not known.
fn check_termination<N: Clone>(
    read: &Read<'_, N>,
    departure: &Departure<'_>,
    stage: &ActedUpon<'_>,
) -> Option<()> {
    let (item, termination) = (read.item, departure.leaving.termination);
    let pre_stop = read.given("pre_stop");
    match read.given_of(&WAYS).as_slice() {
        [] => {
            let problem = item.wrong("`drain` is missing, or `told_after`");
            return item.refuse(problem.help(
                "`drain: auto` waits until a backend has finished; with `told_after` nothing waits for that, as in Kubernetes",
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
    let grace = stage.topology.pool(departure.pool).map(|pool| pool.grace);
    if let (Some(item), Some(Termination { pre_stop, .. }), Some(grace)) = (pre_stop, termination, grace)
        && pre_stop >= grace
    {
        let message = format!(
            "`pre_stop` takes the whole `grace` of {grace}, so that nothing is left after the signal"
        );
        let help = format!("give the pool more, such as `grace: {}`", Span(pre_stop.0 * 2));
        item.found.add(item.wrong(message).help(help));
    }
    let never = termination.is_some_and(|it| it.told_after == ToldAfter::Never);
    if never && stage.topology.health_check.is_none() && departure.address_stays_empty {
        let message = "`told_after: never` leaves every address that gets empty to the balancer's probes, and it has none";
        let help =
            "give the topology a `health_check`, or say when the balancer is told, such as `told_after: 1s`";
        item.found.add(told.wrong(message).help(help));
    }
    Some(())
}

/// What goes with this drain, and whether the balancers can be told so.
fn check_drain<N: Clone>(read: &Read<'_, N>, departure: &Departure<'_>, stage: &ActedUpon<'_>) {
    let Leaving { drain, deregister, termination, .. } = *departure.leaving;
    let tells = departure.tells_the_balancer;
    let meaningless =
        [read.given("until").filter(|_| drain == Drain::Off), read.given("deregister").filter(|_| !tells)];
    let beside = match termination {
        None => "`drain: off`",
        Some(Termination { told_after: ToldAfter::Never, .. }) => "`told_after: never`",
        Some(_) => "`told_after`",
    };
    for item in meaningless.into_iter().flatten() {
        let problem = Problem::new(format!("`{}` means nothing with {beside}", item.name), item.key());
        item.found.add(problem.help(format!("a variant removes it with `{}: null`", item.name)));
    }
    if tells && !is_discovered(departure.pool, stage) {
        let asks = read.given("deregister").or(read.given("drain")).or(read.given("told_after"));
        check_telling(deregister, "take a backend out", &asks.unwrap_or(read.item), stage);
    }
}

/// Whether the balancers can be told in that way to do `what`.
pub(super) fn check_telling(how: Deregister, what: &str, item: &Item<'_>, stage: &ActedUpon<'_>) {
    let (capability, how) = match how {
        Deregister::Live if stage.topology.listener.layer == Layer::Four => {
            (Capability::LiveDeregisterAtLayer4, "while it runs, at layer 4")
        }
        Deregister::Live => (Capability::LiveDeregister, "while it runs"),
        Deregister::Reload => (Capability::ReloadDeregister, "by a reload"),
    };
    stage.balancers.must(capability, &format!("{what} {how}"), item);
}
