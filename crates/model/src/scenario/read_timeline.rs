//! Reads `timeline`: what happens while the load runs.

use super::capabilities::Balancers;
use super::limits;
use super::problem::{Place, Problem};
use super::reader::{Fields, Item, written_last};
use crate::catalog::Capability;
use crate::timeline::{Action, Deploy, Deregister, Drain, Entry, Fault, Strategy, Until, When};
use crate::topology::{Balance, Topology};
use crate::units::Span;

/// What the entries act upon.
pub(crate) struct Stage<'s> {
    pub(crate) topology: &'s Topology,
    pub(crate) load_ends: Span,
    pub(crate) balancers: &'s Balancers<'s>,
}

/// An entry, with what the checks across entries point at.
struct Located<'d> {
    entry: Entry,
    item: Item<'d>,
    when: Option<Item<'d>>,
}

pub(crate) fn timeline(item: Item<'_>, stage: &Stage<'_>) -> Option<Vec<Entry>> {
    let items = item.named(limits::TIMELINE)?;
    let names: Vec<_> = items.iter().map(|item| item.name).collect();
    let entries: Vec<_> = items.iter().filter_map(|item| entry(*item, &names, stage)).collect();
    for (place, located) in entries.iter().enumerate() {
        check_order(located, &entries);
        check_deployed_once(located, &entries[..place]);
    }
    Some(entries.into_iter().map(|located| located.entry).collect())
}

fn entry<'d>(item: Item<'d>, names: &[&str], stage: &Stage<'_>) -> Option<Located<'d>> {
    let mut fields = item.fields()?;
    let (at, after) = (fields.get("at"), fields.get("after"));
    let when = match (at, after) {
        (Some(item), None) => begins_at(item, stage.load_ends),
        (None, Some(item)) => item.known_name("entry of the timeline", names).map(When::After),
        (Some(at), Some(after)) => {
            let last = written_last([at, after])?;
            item.refuse(Problem::new(format!("`{}` has both `at` and `after`", item.name), last.key()))
        }
        (None, None) => item.refuse(
            Problem::new(format!("`{}` does not say when it begins", item.name), item.key())
                .help("add `at: 4s`, or `after: ENTRY`"),
        ),
    };
    let action = action(&mut fields, stage);
    fields.finish();
    let entry = Entry {
        name: item.name.to_owned(),
        // A bad time goes on as the latest, which is too early for nothing.
        when: when.unwrap_or(When::At(*limits::AT.end())),
        action: action?,
    };
    Some(Located { entry, item, when: at.or(after) })
}

fn begins_at(item: Item<'_>, load_ends: Span) -> Option<When> {
    let at = item.quantity(limits::AT)?;
    if at >= load_ends {
        return item.refuse(item.wrong(format!("`at: {at}` is not before the load's end at {load_ends}")));
    }
    Some(When::At(at))
}

/// Exactly one action.
fn action(fields: &mut Fields<'_>, stage: &Stage<'_>) -> Option<Action> {
    let owner = fields.item;
    let (deploy_item, crash, freeze) = (fields.get("deploy"), fields.get("crash"), fields.get("freeze"));
    let lasting = fields.get("for");
    let actions: Vec<_> = [deploy_item, crash, freeze].into_iter().flatten().collect();
    if let [_, _, ..] = actions.as_slice() {
        let last = written_last(actions.iter().copied())?;
        let both: Vec<_> = actions.iter().map(|item| format!("`{}`", item.name)).collect();
        let problem = Problem::new(
            format!("`{}` does more than one thing: {}", owner.name, both.join(", ")),
            last.key(),
        );
        return owner.refuse(problem.help("give each action an entry of its own"));
    }
    if let Some(item) = deploy_item {
        if let Some(lasting) = lasting {
            let problem = Problem::new("`for` heals a fault; a deploy ends by itself", lasting.key());
            owner.found.add(problem);
        }
        return deploy(item, stage).map(Action::Deploy);
    }
    let fault = |item| fault(item, lasting, stage.topology);
    match (crash, freeze) {
        (Some(item), _) => fault(item).map(Action::Crash),
        (_, Some(item)) => fault(item).map(Action::Freeze),
        (None, None) => {
            let problem = Problem::new(format!("`{}` does nothing", owner.name), owner.key());
            owner.refuse(problem.help("add one of `deploy`, `crash`, `freeze`"))
        }
    }
}

fn fault(item: Item<'_>, lasting: Option<Item<'_>>, topology: &Topology) -> Option<Fault> {
    let backends: Vec<_> =
        topology.pools.iter().flat_map(|pool| pool.serving()).map(|b| b.id.as_str()).collect();
    let backend = item.known_name("backend", &backends);
    let lasts = lasting.and_then(|item| item.quantity(limits::FAULT));
    Some(Fault { backend: backend?, lasts })
}

fn deploy(item: Item<'_>, stage: &Stage<'_>) -> Option<Deploy> {
    let mut fields = item.fields()?;
    let pools: Vec<_> = stage.topology.pools.iter().map(|pool| pool.name.as_str()).collect();
    let pool_item = fields.demand("pool");
    let pool = pool_item.and_then(|item| item.known_name("pool", &pools));
    let drain_item = fields.demand("drain");
    let drain = drain_item.and_then(drain);
    let (until_item, deregister_item) = (fields.get("until"), fields.get("deregister"));
    let deploy = Deploy {
        pool: pool.unwrap_or_default(),
        strategy: fields.read("strategy", Strategy::default(), |item| {
            item.word(&[("in_place", Strategy::InPlace), ("surge", Strategy::Surge)])
        }),
        drain: drain.unwrap_or(Drain::Off),
        until: until_item
            .and_then(|item| item.word(&[("idle", Until::Idle), ("window", Until::Window)]))
            .unwrap_or_default(),
        deregister: deregister_item
            .and_then(|item| item.word(&[("live", Deregister::Live), ("reload", Deregister::Reload)]))
            .unwrap_or_default(),
        ready_within: fields.read("ready_within", Span::millis(15_000), |item| item.quantity(limits::READY)),
        new_generation_unhealthy: fields
            .read("new_generation", false, |item| item.word(&[("healthy", false), ("unhealthy", true)])),
    };
    fields.finish();

    let serving = stage.topology.pool(&deploy.pool).map(|pool| pool.serving().count());
    if let (Some(item), Some(1), Strategy::InPlace) = (pool_item, serving, deploy.strategy) {
        let message =
            format!("`{}` has one backend: while it is replaced in place, nobody serves", deploy.pool);
        item.found.add(
            item.wrong(message).help("give the pool a second backend, or deploy with `strategy: surge`"),
        );
    }
    if stage.topology.balance == Balance::SourceHash {
        let problem = Problem::new("`balance: source_hash` cannot stand beside a deploy", item.key());
        let why =
            "the generator has one address, so one backend gets every request: choose another `balance`";
        item.found.add(problem.help(why));
    }
    // What follows judges by the drain, so it must be known.
    drain?;
    let meaningless = [
        until_item.filter(|_| deploy.drain == Drain::Off),
        deregister_item.filter(|_| !deploy.tells_the_balancer()),
    ];
    for item in meaningless.into_iter().flatten() {
        let problem = Problem::new(format!("`{}` means nothing with `drain: off`", item.name), item.key());
        item.found.add(problem.help(format!("a variant removes it with `{}: null`", item.name)));
    }
    if deploy.tells_the_balancer() {
        let (capability, what) = match deploy.deregister {
            Deregister::Live => (Capability::LiveDeregister, "take a backend out while it runs"),
            Deregister::Reload => (Capability::ReloadDeregister, "take a backend out by a reload"),
        };
        stage.balancers.must(capability, what, &deregister_item.or(drain_item).unwrap_or(item));
    }
    Some(deploy)
}

fn drain(item: Item<'_>) -> Option<Drain> {
    if item.is_number() {
        return item.quantity(limits::DRAIN).map(Drain::For);
    }
    item.word_or(&[("off", Drain::Off), ("auto", Drain::Auto)], "a duration such as `300ms`")
}

/// A deploy leaves a pool's backends on other places than it found them, so a second one would begin from places
/// that the plan doesn't know.
fn check_deployed_once(located: &Located<'_>, earlier: &[Located<'_>]) {
    let Some(pool) = deployed(&located.entry) else { return };
    if let Some(first) = earlier.iter().find(|other| deployed(&other.entry) == Some(pool)) {
        let message = format!("`{}` and `{}` both deploy `{pool}`", first.entry.name, located.entry.name);
        let help = "a timeline has one deploy per pool: give the other a variant of its own";
        located.item.found.add(Problem::new(message, located.item.key()).help(help));
    }
}

/// The pool that an entry deploys, if it is a deploy and says so.
fn deployed(entry: &Entry) -> Option<&str> {
    match &entry.action {
        Action::Deploy(deploy) => Some(deploy.pool.as_str()).filter(|pool| !pool.is_empty()),
        Action::Crash(_) | Action::Freeze(_) => None,
    }
}

/// Follows `after` to the entry that begins by the clock: there must be one, and a drain window that is derived
/// from the baseline needs some before it.
fn check_order(located: &Located<'_>, all: &[Located<'_>]) {
    let Entry { name, action, .. } = &located.entry;
    let found = located.item.found;
    let place: &Place = located.when.map_or(located.item.key(), |item| item.place());
    let mut seen = vec![name.as_str()];
    let mut when = &located.entry.when;
    let begins = loop {
        match when {
            When::At(begins) => break *begins,
            When::After(other) if other == name => {
                seen.push(name);
                return found.add(Problem::new(
                    format!("`{name}` waits for itself: {}", seen.join(" after ")),
                    place,
                ));
            }
            // A circle that this entry only leads into is told by its own members.
            When::After(other) if seen.contains(&other.as_str()) => return,
            When::After(other) => match all.iter().find(|located| located.entry.name == *other) {
                Some(next) => {
                    seen.push(other);
                    when = &next.entry.when;
                }
                // It has problems of its own, or doesn't exist, which has been recorded.
                None => return,
            },
        }
    };
    if matches!(action, Action::Deploy(deploy) if deploy.drain == Drain::Auto) && begins < limits::BASELINE {
        let message = format!("`{name}` begins {begins} into the load, too early for `drain: auto`");
        let help =
            format!("its window is derived from a baseline of at least {}: begin later", limits::BASELINE);
        found.add(Problem::new(message, place).help(help));
    }
}
