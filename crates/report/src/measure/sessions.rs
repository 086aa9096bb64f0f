//! What became of users and their sessions over the measured load: by what backends said about each request.

use std::collections::{BTreeMap, BTreeSet};

use model::plan::Variant;
use model::request::Request;
use model::sessions::{SessionState, SessionUse};
use model::units::Nanos;
use serde::{Deserialize, Serialize};

/// The users of a cell, and what backends remembered of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    /// Users that made a measured request.
    pub users: u64,
    /// Of these, those that more than one backend of a pool answered, once they held what their first answers gave them.
    pub moved: u64,
    /// What became of their sessions; `None`: no backend said anything about one.
    pub sessions: Option<SessionRecord>,
}

/// What became of sessions. One that was lost is told once, however many requests were told so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Sessions that a measured request named or began.
    pub named: u64,
    /// Of these, those that were there whenever they were asked for, and were.
    pub kept: u64,
    /// Of these, those that a backend no longer had.
    pub lost: u64,
    /// Requests whose session was kept, and which were answered with a counter that another request of it got as well:
    /// of two updates that began with the same state one is gone.
    pub updates_lost: u64,
    /// Requests that were answered 503 because the session store was away.
    pub store_away: u64,
}

impl UserRecord {
    /// The record of `measured`, which are among `all`; `None` where the load has no users.
    pub fn of(variant: &Variant, all: &[&Request], measured: &[&Request]) -> Option<UserRecord> {
        variant.traffic.users?;
        let settled = settled(all);
        // By user and pool, since a user of two pools has a backend in each.
        let mut places: BTreeMap<(u32, &str), BTreeSet<&str>> = BTreeMap::new();
        let mut users: BTreeSet<u32> = BTreeSet::new();
        for request in measured {
            let Some(user) = request.user else { continue };
            users.insert(user);
            if let Some(by) = &request.served_by
                && request.sent >= settled.get(&user).copied()
                && let Some(pool) = variant.topology.pool_of(&by.backend)
            {
                places.entry((user, &pool.name)).or_default().insert(&by.backend);
            }
        }
        let moved: BTreeSet<u32> =
            places.iter().filter(|(_, backends)| backends.len() > 1).map(|((user, _), _)| *user).collect();
        Some(UserRecord {
            users: users.len() as u64,
            moved: moved.len() as u64,
            sessions: SessionRecord::of(measured.iter().filter_map(|request| request.session.as_deref())),
        })
    }
}

/// For each user, when all had ended that was sent before the first answer: until then requests that were under way at
/// once may have been given different cookies.
fn settled(all: &[&Request]) -> BTreeMap<u32, Nanos> {
    let mut first: BTreeMap<u32, Nanos> = BTreeMap::new();
    for request in all.iter().filter(|request| request.served_by.is_some()) {
        if let Some(user) = request.user {
            let end = first.entry(user).or_insert(request.end);
            *end = request.end.min(*end);
        }
    }
    let mut settled = first.clone();
    for request in all {
        let Some(user) = request.user else { continue };
        if let (Some(first), Some(settled)) = (first.get(&user), settled.get_mut(&user))
            && request.sent.is_some_and(|sent| sent <= *first)
        {
            *settled = request.end.max(*settled);
        }
    }
    settled
}

impl SessionRecord {
    /// Whether a session was asked for again, so that one could have been lost.
    pub fn was_put_to_the_test(&self) -> bool {
        self.kept + self.lost > 0
    }

    fn of<'a>(uses: impl Iterator<Item = &'a SessionUse>) -> Option<SessionRecord> {
        let mut record = SessionRecord::default();
        let (mut kept, mut lost, mut named) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut counters: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        let mut told = false;
        for used in uses {
            told = true;
            // One that could not be begun has no name.
            if !used.id.is_empty() {
                named.insert(used.id.as_str());
            }
            match used.state {
                SessionState::New => {}
                SessionState::Kept => {
                    kept.insert(used.id.as_str());
                    if let Some(count) = used.count {
                        let known = !counters.entry(used.id.as_str()).or_default().insert(count);
                        record.updates_lost += u64::from(known);
                    }
                }
                SessionState::Lost => {
                    lost.insert(used.id.as_str());
                }
                SessionState::Unavailable => record.store_away += 1,
            }
        }
        record.named = named.len() as u64;
        record.kept = kept.difference(&lost).count() as u64;
        record.lost = lost.len() as u64;
        told.then_some(record)
    }
}
