//! The users: who sends which request, what is in each user's cookie jar, and which address each user has.

use std::net::{IpAddr, Ipv4Addr};

use model::draw::{Decision, uniform};
use model::sessions::{SEEN_HEADER, SESSION_COOKIE, SessionState, SessionUse};
use model::traffic::{Identity, Users};

use crate::response::Head;

/// Who makes which request. Pure: same users and seed, same answer.
#[derive(Clone, Debug)]
pub(crate) struct Crowd {
    seed: u64,
    /// For each user, the cumulative share of the users up to this one.
    shares: Vec<f64>,
    sources: bool,
}

impl Crowd {
    pub(crate) fn new(users: &Users, seed: u64) -> Crowd {
        let shares = users.shares().scan(0.0, |sum, share| {
            *sum += share;
            Some(*sum)
        });
        Crowd { seed, shares: shares.collect(), sources: users.identity == Identity::SourceAddress }
    }

    /// The user of the `n`-th request. The first requests of all users come in order, so that no user collects two cookies at
    /// once and each has one before the measurement begins.
    pub(crate) fn user_of(&self, n: u64) -> u32 {
        let count = self.shares.len();
        let user = match usize::try_from(n) {
            Ok(n) if n < count => n,
            _ => {
                let draw = uniform(self.seed, Decision::User, n);
                // Shares that sum to a little under 1 leave a gap above the last one, which is the last one's.
                self.shares.partition_point(|upper| *upper <= draw).min(count.saturating_sub(1))
            }
        };
        u32::try_from(user).unwrap_or(u32::MAX)
    }

    /// The address that connections for `user` come from; `None`: any.
    pub(crate) fn source_of(&self, user: u32) -> Option<IpAddr> {
        self.sources.then(|| IpAddr::V4(source(user)))
    }
}

/// What users hold.
#[derive(Debug, Default)]
pub(crate) struct Holdings(Vec<HeldSession>);

/// What one user holds.
#[derive(Clone, Debug, Default)]
struct HeldSession {
    jar: Jar,
    session: Option<Session>,
}

/// A session as its user knows it, from the backends' headers, because the cookie may be opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Session {
    id: String,
    /// The largest counter seen.
    seen: u64,
}

/// What a user held when a request was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held(Option<Session>);

impl Holdings {
    pub(crate) fn new(users: Option<Users>) -> Holdings {
        Holdings(vec![HeldSession::default(); users.map_or(0, |users| users.count as usize)])
    }

    /// The additional header lines for a request of `user`, each with its line end, and what the user holds when it is sent.
    pub(crate) fn send(&self, user: Option<u32>) -> (String, Held) {
        let Some(holding) = user.and_then(|user| self.0.get(user as usize)) else {
            return (String::new(), Held::default());
        };
        let mut lines = holding.jar.line();
        if let Some(session) = &holding.session {
            lines.push_str(&format!("{SEEN_HEADER}: {}\r\n", session.seen));
        }
        (lines, Held(holding.session.clone()))
    }

    /// Takes in a response to `user`, who held `held` when the request was sent, and returns what became of the session.
    pub(crate) fn receive(&mut self, user: Option<u32>, held: &Held, head: &Head) -> Option<SessionUse> {
        let holding = user.and_then(|user| self.0.get_mut(user as usize))?;
        for cookie in &head.cookies {
            holding.jar.set(cookie);
        }
        let answer = head.session.as_ref()?;
        if let Some((count, id)) = &answer.session {
            let carried = head.cookies.iter().any(|cookie| cookie.name == SESSION_COOKIE);
            match &mut holding.session {
                Some(session) if session.id == *id => session.seen = session.seen.max(*count),
                // A response about an earlier session sets no cookie, and changes nothing.
                session if carried => *session = Some(Session { id: id.clone(), seen: *count }),
                _ => {}
            }
        }
        let told = answer.session.as_ref();
        Some(match (&held.0, answer.state) {
            (Some(session), SessionState::Kept) => SessionUse {
                id: session.id.clone(),
                state: SessionState::Kept,
                seen: session.seen,
                count: told.map(|(count, _)| *count),
            },
            (Some(session), state) => {
                SessionUse { id: session.id.clone(), state, seen: session.seen, count: None }
            }
            (None, state) => SessionUse {
                id: told.map(|(_, id)| id.clone()).unwrap_or_default(),
                state,
                seen: 0,
                count: told.map(|(count, _)| *count),
            },
        })
    }
}

/// Each in a /24 of its own, because some balancers hash no more of an address, and in 127.255/16, of which the process
/// runtime leases nothing (engine, `runtime/lease.rs`).
fn source(user: u32) -> Ipv4Addr {
    const BLOCKS: u32 = 250;
    let octet = |n: u32| u8::try_from(n + 1).unwrap_or(u8::MAX);
    Ipv4Addr::new(127, 255, octet(user % BLOCKS), octet(user / BLOCKS))
}

/// A cookie that a response sets, or deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetCookie {
    pub(crate) name: String,
    /// As it goes back; `None`: it is deleted.
    value: Option<String>,
}

impl SetCookie {
    /// Reads a `Set-Cookie` (RFC 6265, section 5.2), of whose attributes only an age of nothing matters here: every
    /// request goes to one host, and no run outlasts a cookie. `None`: a user agent would ignore it.
    pub(crate) fn read(text: &str) -> Option<SetCookie> {
        let mut parts = text.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() {
            return None;
        }
        let mut expired = false;
        for (attribute, value) in parts.filter_map(|part| part.split_once('=')) {
            let is = |name: &str| attribute.trim().eq_ignore_ascii_case(name);
            if is("max-age") {
                expired = value.trim().parse::<i64>().is_ok_and(|age| age <= 0);
            } else if is("expires") && value.contains("1970") {
                // How servers delete without Max-Age: the epoch.
                expired = true;
            }
        }
        Some(SetCookie { name: name.to_owned(), value: (!expired).then(|| value.to_owned()) })
    }
}

/// A user's cookies, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Jar(Vec<(String, String)>);

impl Jar {
    fn set(&mut self, cookie: &SetCookie) {
        let known = self.0.iter().position(|(name, _)| *name == cookie.name);
        match (known, &cookie.value) {
            (Some(at), Some(value)) => self.0[at].1.clone_from(value),
            (Some(at), None) => drop(self.0.remove(at)),
            (None, Some(value)) => self.0.push((cookie.name.clone(), value.clone())),
            (None, None) => {}
        }
    }

    /// All of them as one header line; nothing if there are none.
    fn line(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let cookies: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("Cookie: {}\r\n", cookies.join("; "))
    }
}

#[cfg(test)]
#[path = "users_tests.rs"]
mod tests;
