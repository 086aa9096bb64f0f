//! The keys of `remove` and `add`: scaling in and out, a backend at a time; and which of them can follow which.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::deploy::{check_spread, ready_within};
use super::leaving::{
    Departure, HOW_IT_IS_TOLD, WAYS, check_leaving, check_telling, leaving, live_or_reload,
};
use super::timeline::{ActedUpon, Located};
use crate::catalog::Capability;
use crate::scenario::form::{Form, name_of};
use crate::scenario::problem::Problem;
use crate::scenario::section::Section;
use crate::timeline::{Action, Addition, Deregister, Entry, Leaving, READY_WITHIN, Removal, When};
use crate::topology::{Layer, Pool};

pub(super) fn remove<'s>(stage: &Rc<ActedUpon<'s>>) -> Form<'s, Removal> {
    let start = Removal { backend: String::new(), leaving: Leaving::ABRUPT };
    let backends = stage.backends();
    let (stage, explained) = (Rc::clone(stage), Rc::clone(stage));
    Section::new("remove", "A backend that leaves, and nothing takes its place.", start)
        .key("backend", name_of("backend", backends), |it| &mut it.backend)
        .about("Who leaves. Its address then refuses connections.")
        .required()
        .include(leaving(), |it| &mut it.leaving)
        .key("deregister", live_or_reload(), |it| &mut it.leaving.deregister)
        .about(HOW_IT_IS_TOLD)
        .explained_if(move |it| it.tells_the_balancer() && !finds(&it.backend, &explained))
        .explained_first(&["backend"])
        .one_of(&WAYS)
        .on_a_line()
        .form(
            move |read| {
                let pool = stage.topology.pool_of(&read.value.backend);
                let departure = Departure {
                    leaving: &read.value.leaving,
                    pool: pool.map_or("", |pool| &pool.name),
                    address_stays_empty: true,
                    tells_the_balancer: read.value.tells_the_balancer(),
                };
                check_spread(read.item, "a removal", &stage);
                check_leaving(&read, &departure, &stage)?;
                read.knows("backend").then_some(read.value)
            },
            |removal| Some(removal.clone()),
        )
}

pub(super) fn add<'s>(stage: &Rc<ActedUpon<'s>>) -> Form<'s, Addition> {
    let start = Addition { backend: String::new(), register: Deregister::Live, ready_within: READY_WITHIN };
    let backends = stage.backends();
    let (stage, explained) = (Rc::clone(stage), Rc::clone(stage));
    Section::new("add", "A backend that does not run is started, and registered once it is healthy.", start)
        .key("backend", name_of("backend", backends), |it| &mut it.backend)
        .about("The backend that starts: one of the pool's `spares`, or one that was removed.")
        .required()
        .key("register", live_or_reload(), |it| &mut it.register)
        .about(HOW_IT_IS_TOLD)
        .explained_if(move |it| !finds(&it.backend, &explained))
        .key("ready_within", ready_within(), |it| &mut it.ready_within)
        .about("How long it may take to serve.")
        .on_a_line()
        .form(
            move |read| {
                check_spread(read.item, "an addition", &stage);
                match (finds(&read.value.backend, &stage), read.given("register")) {
                    (false, given) => {
                        let asks = given.unwrap_or(read.item);
                        check_telling(read.value.register, "put a backend back", &asks, &stage);
                    }
                    (true, Some(given)) => {
                        let message = "`register` means nothing where the balancer finds backends by itself";
                        let problem = Problem::new(message, given.key());
                        read.item.found.add(problem.help("its `discovery` is how it hears of one"));
                    }
                    (true, None) => {}
                }
                read.knows("backend").then_some(read.value)
            },
            |addition| Some(addition.clone()),
        )
}

/// A stretch of a timeline in which a backend is out: from its removal, or the start of a spare's cell, to its addition.
struct Absence<'e, 'd> {
    backend: &'e str,
    from: Option<&'e Located<'d>>,
    to: Option<&'e Located<'d>>,
}

/// Whether backends that are removed serve by then, those that are added don't, and one is left that serves.
pub(super) fn check_scaling(entries: &[Located<'_>], stage: &ActedUpon<'_>) {
    for pool in &stage.topology.pools {
        check_beside(pool, entries);
        let absences: Vec<Absence<'_, '_>> =
            pool.backends.iter().flat_map(|it| absences(&it.id, it.spare, entries)).collect();
        for absence in &absences {
            let Some((item, entry)) = absence.from else { continue };
            let beside = |other: &&Absence<'_, '_>| {
                let over = |one: &Absence<'_, '_>, next: &Absence<'_, '_>| {
                    let both = one.to.zip(next.from);
                    both.is_some_and(|((_, ended), (_, begins))| comes_after(begins, &ended.name, entries))
                };
                other.backend != absence.backend && !over(other, absence) && !over(absence, other)
            };
            let others: BTreeSet<&str> = absences.iter().filter(beside).map(|other| other.backend).collect();
            if others.len() + 1 >= pool.backends.len() {
                let message = format!("`{}` removes the last backend of `{}`", entry.name, pool.name);
                let problem = Problem::new(message, item.key());
                item.found
                    .add(problem.help("keep one, or let the entry begin `after` one that adds another"));
                continue;
            }
            let live = |(_, entry): &Located<'_>| entry.action.tells_by() == Some(Deregister::Live);
            if !others.is_empty()
                && stage.topology.listener.layer == Layer::Seven
                && absence.from.is_some_and(live)
            {
                let names = others.into_iter().collect::<Vec<_>>().join(" and ");
                let what =
                    format!("take `{}` out while it runs where {names} may be out as well", absence.backend);
                let place = item.below("remove").unwrap_or(*item);
                stage.balancers.must(Capability::LiveDeregisterSeveral, &what, &place);
            }
        }
    }
}

/// A deploy replaces those that serve by the plan, and a balancer that is split by a new configuration forgets who is out.
fn check_beside(pool: &Pool, entries: &[Located<'_>]) {
    let is_of_this = |entry: &Entry| {
        whose(entry).is_some_and(|(backend, _)| pool.backends.iter().any(|known| known.id == backend))
    };
    for (item, entry) in entries.iter().filter(|(_, entry)| is_of_this(entry)) {
        let other = entries.iter().find_map(|(_, other)| match &other.action {
            Action::Deploy(deploy) if deploy.pool == pool.name => Some((other, "deploys")),
            Action::Split(_) => Some((other, "splits")),
            _ => None,
        });
        let Some((other, does)) = other else { continue };
        let message = format!("`{}` stands beside `{}`, which {does}", entry.name, other.name);
        let help = "give one of them a variant of its own";
        item.found.add(Problem::new(message, item.key()).help(help));
    }
}

/// When `backend` is out. What can't follow what was before it is reported.
fn absences<'e, 'd>(backend: &'e str, spare: bool, entries: &'e [Located<'d>]) -> Vec<Absence<'e, 'd>> {
    let mut own: Vec<(&Located<'d>, bool)> = entries
        .iter()
        .filter_map(|located| {
            whose(&located.1).filter(|(id, _)| *id == backend).map(|(_, adds)| (located, adds))
        })
        .collect();
    // In the order in which they follow each other, as far as they do.
    own.sort_by_key(|((_, entry), _)| {
        own_before(entry, entries, |other| whose(other).is_some_and(|(id, _)| id == backend))
    });
    let mut found = Vec::new();
    if spare {
        found.push(Absence { backend, from: None, to: None });
    }
    let mut out = spare;
    let mut before: Option<&Entry> = None;
    for (located, adds) in own {
        let (item, entry) = located;
        if let Some(before) = before.filter(|before| !comes_after(entry, &before.name, entries)) {
            let message = format!("`{}` and `{}` both move `{backend}`", before.name, entry.name);
            let help = format!("let one begin when the other has ended: `after: {}`", before.name);
            item.found.add(Problem::new(message, item.key()).help(help));
            return found;
        }
        match (adds, out) {
            (true, false) => {
                let message = format!("`{}` adds `{backend}`, which serves already", entry.name);
                let help = "add one of the pool's `spares`, such as `spares: 1` gives it, or one that was removed before";
                item.found.add(Problem::new(message, item.key()).help(help));
            }
            (false, true) => {
                let message = format!("`{}` removes `{backend}`, which does not serve", entry.name);
                let help = format!("add it before: `add: {{ backend: {backend} }}`");
                item.found.add(Problem::new(message, item.key()).help(help));
            }
            (true, true) => {
                if let Some(absence) = found.last_mut() {
                    absence.to = Some(located);
                }
                out = false;
            }
            (false, false) => {
                found.push(Absence { backend, from: Some(located), to: None });
                out = true;
            }
        }
        before = Some(entry);
    }
    found
}

/// The backend that an entry moves, and whether it adds it.
fn whose(entry: &Entry) -> Option<(&str, bool)> {
    match &entry.action {
        Action::Remove(removal) => Some((&removal.backend, false)),
        Action::Add(addition) => Some((&addition.backend, true)),
        _ => None,
    }
}

/// How many entries of a kind come before `entry` on the way back to the clock.
fn own_before(entry: &Entry, entries: &[Located<'_>], is_own: impl Fn(&Entry) -> bool) -> usize {
    way_back(entry, entries).filter(|earlier| is_own(earlier)).count()
}

/// Whether `entry` begins only when the one called `other` has ended.
fn comes_after(entry: &Entry, other: &str, entries: &[Located<'_>]) -> bool {
    way_back(entry, entries).any(|earlier| earlier.name == other)
}

/// The entries that have to end before `entry` begins. There are circles in a timeline that is refused.
fn way_back<'e>(entry: &'e Entry, entries: &'e [Located<'_>]) -> impl Iterator<Item = &'e Entry> {
    let before = move |entry: &&'e Entry| match &entry.when {
        When::After(name) => entries.iter().map(|(_, entry)| entry).find(|known| known.name == *name),
        When::At(_) => None,
    };
    std::iter::successors(before(&entry), before).take(entries.len())
}

/// Whether the balancer finds `backend` by itself.
fn finds(backend: &str, stage: &ActedUpon<'_>) -> bool {
    stage.topology.discovery_of(backend).is_some()
}
