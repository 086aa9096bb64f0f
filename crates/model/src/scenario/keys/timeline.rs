//! The keys of `timeline`: what happens while the load runs, and when.

use std::rc::Rc;

use super::actions::actions;
use super::scale::check_scaling;
use crate::degrade::Degrade;
use crate::scenario::capabilities::Balancers;
use crate::scenario::form::{Form, Is, named, quantity, text};
use crate::scenario::limits;
use crate::scenario::problem::{Place, Problem};
use crate::scenario::reader::{Item, written_last};
use crate::scenario::section::{Read, Section};
use crate::scenario::shape::Text;
use crate::scenario::suggest::listed;
use crate::scenario::written::Written;
use crate::target::POOL;
use crate::timeline::{Action, Drain, Entry, Fault, When};
use crate::topology::Topology;
use crate::units::Span;

/// What the entries act upon.
pub(crate) struct ActedUpon<'s> {
    pub(crate) topology: Topology,
    pub(crate) load_ends: Span,
    /// Whether the load comes from many addresses.
    pub(crate) sources: bool,
    pub(crate) balancers: Balancers<'s>,
}

impl ActedUpon<'_> {
    pub(super) fn pools(&self) -> Vec<String> {
        self.topology.pools.iter().map(|pool| pool.name.clone()).collect()
    }

    /// Spares as well: they may have been added.
    pub(super) fn backends(&self) -> Vec<String> {
        let all = self.topology.pools.iter().flat_map(|pool| &pool.backends);
        all.map(|backend| backend.id.clone()).collect()
    }
}

pub(crate) fn timeline<'s>(stage: ActedUpon<'s>) -> Form<'s, Vec<Entry>> {
    let stage = Rc::new(stage);
    let entries = move |names: Vec<String>| {
        let (stage, names) = (Rc::clone(&stage), Rc::new(names));
        let acted_upon = Rc::clone(&stage);
        let entry = move |name: &str| entry(name, &names, &stage);
        named(
            limits::TIMELINE,
            entry,
            |entry| &entry.name,
            move |_, entries| {
                check_side_by_side(entries);
                check_scaling(entries, &acted_upon);
            },
        )
    };
    let (described, written) = (entries.clone(), entries.clone());
    Form::new(
        Is::Map,
        move || described(Vec::new()).shape(),
        // An entry may name any other.
        move |item| entries(item.keys()).read(item),
        move |timeline| written(Vec::new()).write(timeline),
    )
}

/// An entry while it is read: its action is one of many keys, and lasts by another.
#[derive(Clone, Default)]
pub(super) struct Draft {
    at: Option<Span>,
    after: Option<String>,
    jitter: Span,
    lasts: Option<Span>,
    pub(super) action: Option<Action>,
}

fn entry<'s>(name: &str, names: &Rc<Vec<String>>, stage: &Rc<ActedUpon<'s>>) -> Form<'s, Entry> {
    let names = Rc::clone(names);
    let after = text(Text::NameOf("entry"), move |item| item.known_name("entry of the timeline", &names));
    let section = Section::new("entry", "One thing that happens while the load runs.", Draft::default())
        .maybe("at", quantity(limits::AT), |it| &mut it.at)
        .about("When it begins, from the first measured request on; before the load's end.")
        .maybe("after", after.written(Written::plain), |it| &mut it.after)
        .about("It begins when that entry has ended.")
        .key("jitter", quantity(limits::AT), |it| &mut it.jitter)
        .about("Begins up to so much later than `at`, drawn from the seed.")
        .explained_if(|it| it.jitter != Span::default())
        .maybe("for", quantity(Span::millis(1)..=Span::millis(3_600_000)), |it| &mut it.lasts)
        .about("After which a fault or a degraded backend is healed.")
        .unless("for good");
    let others = section.names().count();
    let section = actions(section, stage);
    let actions: Vec<_> = section.names().skip(others).collect();
    let (name, load_ends) = (name.to_owned(), stage.load_ends);
    section
        .one_of(&["at", "after"])
        .one_of(&actions)
        .explained_first(&[&["at", "after", "jitter"], &actions[..]].concat())
        .form(move |read| finished(&name, &read, &actions, load_ends), |entry| Some(draft(entry)))
}

/// The keys that say an entry.
fn draft(entry: &Entry) -> Draft {
    let (at, after) = match &entry.when {
        When::At(at) => (Some(*at), None),
        When::After(other) => (None, Some(other.clone())),
    };
    Draft { at, after, jitter: entry.jitter, lasts: entry.action.lasts(), action: Some(entry.action.clone()) }
}

/// The entry that its keys say, once what depends on several of them has been looked at.
fn finished(name: &str, read: &Read<'_, Draft>, actions: &[&'static str], load_ends: Span) -> Option<Entry> {
    let when = when(name, read, load_ends);
    check_jitter(read, when.as_ref(), load_ends);
    let entry = Entry {
        name: name.to_owned(),
        // A bad time goes on as the latest, which is too early for nothing.
        when: when.unwrap_or(When::At(*limits::AT.end())),
        jitter: read.value.jitter,
        action: action(name, read, actions)?,
    };
    Some(entry)
}

fn when(name: &str, read: &Read<'_, Draft>, load_ends: Span) -> Option<When> {
    let owner = read.item;
    match (read.given("at"), read.given("after")) {
        (Some(item), None) => {
            let at = read.value.at?;
            if at >= load_ends {
                let message = format!("`at: {at}` is not before the load's end at {load_ends}");
                return item.refuse(item.wrong(message));
            }
            Some(When::At(at))
        }
        (None, Some(_)) => read.value.after.clone().map(When::After),
        (Some(at), Some(after)) => {
            let last = written_last([at, after])?;
            owner.refuse(Problem::new(format!("`{name}` has both `at` and `after`"), last.key()))
        }
        (None, None) => owner.refuse(
            Problem::new(format!("`{name}` does not say when it begins"), owner.key())
                .help("add `at: 4s`, or `after: ENTRY`"),
        ),
    }
}

/// How much later than `at` an entry may begin.
fn check_jitter(read: &Read<'_, Draft>, when: Option<&When>, load_ends: Span) {
    let Some(item) = read.given("jitter") else { return };
    let jitter = read.value.jitter;
    if read.given("at").is_none() {
        let problem = Problem::new("`jitter` shifts `at`, which is missing", item.key());
        item.found.add(problem.help("what comes `after` another entry moves with it"));
    }
    if let Some(When::At(at)) = when
        && *at < load_ends
        && at.0 + jitter.0 >= load_ends.0
    {
        let latest = Span(at.0 + jitter.0);
        let message = format!(
            "`jitter: {jitter}` makes it {latest} at the latest, not before the load's end at {load_ends}"
        );
        item.found.add(item.wrong(message));
    }
}

/// Exactly one action.
fn action(name: &str, read: &Read<'_, Draft>, actions: &[&'static str]) -> Option<Action> {
    let owner = read.item;
    let given = read.given_of(actions);
    match given.as_slice() {
        [] => {
            let problem = Problem::new(format!("`{name}` does nothing"), owner.key());
            owner.refuse(problem.help(format!("add one of {}", listed(actions.iter().copied()))))
        }
        [item] => match read.value.action.clone() {
            Some(Action::Fault(fault)) => Some(Action::Fault(Fault { lasts: read.value.lasts, ..fault })),
            Some(Action::Degrade(degrade)) => {
                Some(Action::Degrade(Degrade { lasts: read.value.lasts, ..degrade }))
            }
            action => {
                if let (Some(lasting), Some(_)) = (read.given("for"), &action) {
                    let problem = format!("`for` heals a fault; a {} ends by itself", item.name);
                    owner.found.add(Problem::new(problem, lasting.key()));
                }
                action
            }
        },
        several => {
            let last = written_last(several.iter().copied())?;
            let both = listed(several.iter().map(|item| item.name));
            let problem = Problem::new(format!("`{name}` does more than one thing: {both}"), last.key());
            owner.refuse(problem.help("give each action an entry of its own"))
        }
    }
}

/// An entry, with the place where it is written.
pub(super) type Located<'d> = (Item<'d>, Entry);

fn check_side_by_side(entries: &[Located<'_>]) {
    for (place, located) in entries.iter().enumerate() {
        check_order(located, entries);
        check_deployed_once(located, &entries[..place]);
        check_split_alone(located, entries);
        check_reloaded_alike(located, &entries[..place]);
    }
}

/// A deploy leaves a pool's backends on other places than it found them, so a second one would begin from places
/// that the plan doesn't know.
fn check_deployed_once((item, entry): &Located<'_>, earlier: &[Located<'_>]) {
    let Some(pool) = deployed(entry) else { return };
    if let Some((_, first)) = earlier.iter().find(|(_, other)| deployed(other) == Some(pool)) {
        let message = format!("`{}` and `{}` both deploy `{pool}`", first.name, entry.name);
        let help = "a timeline has one deploy per pool: give the other a variant of its own";
        item.found.add(Problem::new(message, item.key()).help(help));
    }
}

/// A balancer is started so that it can hand over, or so that it need not.
fn check_reloaded_alike((item, entry): &Located<'_>, earlier: &[Located<'_>]) {
    let Action::Reload(reload) = &entry.action else { return };
    let differs = |(_, other): &&Located<'_>| match &other.action {
        Action::Reload(first) => first.process != reload.process,
        _ => false,
    };
    if let Some((_, first)) = earlier.iter().find(differs) {
        let message = format!("`{}` and `{}` reload by different `process`", first.name, entry.name);
        let help = "the reloads of a timeline are of one kind: give the other a variant of its own";
        item.found.add(Problem::new(message, item.key()).help(help));
    }
}

/// Where a balancer is told shares by a new configuration, that would undo what it has been told of backends.
fn check_split_alone((item, entry): &Located<'_>, all: &[Located<'_>]) {
    let deploys = |(_, other): &&Located<'_>| matches!(other.action, Action::Deploy(_));
    if let (Action::Split(_), Some((_, other))) = (&entry.action, all.iter().find(deploys)) {
        let message = format!("`{}` splits while `{}` deploys", entry.name, other.name);
        let help = "a timeline has deploys or splits: give one of them a variant of its own";
        item.found.add(Problem::new(message, item.key()).help(help));
    }
}

/// The pool that an entry deploys, if it is a deploy and says so.
fn deployed(entry: &Entry) -> Option<&str> {
    match &entry.action {
        Action::Deploy(deploy) => Some(deploy.pool.as_str()).filter(|pool| !pool.is_empty()),
        Action::Roll(_) => Some(POOL),
        _ => None,
    }
}

/// Follows `after` to the entry that begins by the clock: there must be one, and a drain window that is derived
/// from the baseline needs some before it.
fn check_order((item, entry): &Located<'_>, all: &[Located<'_>]) {
    let Entry { name, action, .. } = entry;
    let found = item.found;
    let place: &Place = item.below("at").or(item.below("after")).map_or(item.key(), |item| item.place());
    let mut seen = vec![name.as_str()];
    let mut when = &entry.when;
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
            // A circle that this entry only leads into is reported at its own members.
            When::After(other) if seen.contains(&other.as_str()) => return,
            When::After(other) => match all.iter().find(|(_, entry)| entry.name == *other) {
                Some((_, next)) => {
                    seen.push(other);
                    when = &next.when;
                }
                // It has problems of its own, or doesn't exist, which has been recorded.
                None => return,
            },
        }
    };
    let leaving = match action {
        Action::Deploy(deploy) => Some(deploy.leaving),
        Action::Remove(removal) => Some(removal.leaving),
        _ => None,
    };
    if leaving.is_some_and(|it| it.drain == Drain::Auto) && begins < limits::BASELINE {
        let message = format!("`{name}` begins {begins} into the load, too early for `drain: auto`");
        let help =
            format!("its window is derived from a baseline of at least {}: begin later", limits::BASELINE);
        found.add(Problem::new(message, place).help(help));
    }
}
