//! Sessions: what a backend remembers of a user, where it keeps that, and how it tells whether it still had it.
//!
//! A user's first request gets the cookie [`SESSION_COOKIE`]. Every later one sends it, and beside it the largest
//! counter that the user has seen ([`SEEN_HEADER`]). The backend looks the session up, adds one to its counter and
//! says in [`SESSION_HEADER`] what it found: so a lost session is measured, not assumed.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use strum::VariantArray;

/// The cookie that names a session, or carries it.
pub const SESSION_COOKIE: &str = "rig-session";
/// Carries the [`SessionAnswer`] on responses of backends that keep sessions.
pub const SESSION_HEADER: &str = "x-rig-session";
/// Carries the largest counter of its session that the user had seen when the request was sent.
pub const SEEN_HEADER: &str = "x-rig-session-seen";
/// The name of the session store in timelines, histories and reports.
pub const STORE: &str = "redis";

/// Where a pool's backends keep their sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Sessions {
    /// In the memory of the process: they end with it.
    Memory,
    /// In a Redis that all backends share.
    Redis,
    /// With the user: in a signed token (RFC 7519, HS256), which every backend that knows the key can read.
    Jwt,
}

impl Sessions {
    /// The name that scenarios use.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What a new generation's key for tokens has to do with the old one's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum JwtKeys {
    /// It is the same.
    #[default]
    Same,
    /// The new generation signs with a new key, and accepts nothing else.
    Replaced,
    /// Every generation accepts both keys; the new one signs with the new one.
    Overlapping,
}

impl JwtKeys {
    /// The name that scenarios use.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A key for tokens. It is made for one cell, travels in job lines, and is in no record.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JwtKey(pub String);

impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtKey(…)")
    }
}

/// The password of a session store. It is made for one cell and is in no record.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Where a backend keeps sessions, resolved for one incarnation: a part of its job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionsJob {
    /// In its own memory.
    Memory,
    /// In a Redis.
    Redis {
        /// Its address.
        address: SocketAddr,
        /// What it wants to be told first.
        password: Password,
    },
    /// In tokens.
    Jwt {
        /// The key that it signs with.
        sign: JwtKey,
        /// The keys whose tokens it accepts.
        accept: Vec<JwtKey>,
    },
}

/// What a backend found of a session.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::VariantArray,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// The request named none: one was begun.
    New,
    /// It was there.
    Kept,
    /// The request named one that isn't there any more; another was begun.
    Lost,
    /// The store did not answer in time: the request was answered 503.
    Unavailable,
}

impl SessionState {
    /// Every state.
    pub const ALL: &'static [SessionState] = SessionState::VARIANTS;

    /// Its word on the wire.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What a backend says about the session of a request: `kept 7 web-1.1-42`, or `unavailable`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionAnswer {
    /// What it found.
    pub state: SessionState,
    /// The session that goes on from here, and its counter after this request; `None`: there is none.
    pub session: Option<(u64, String)>,
}

impl fmt::Display for SessionAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.state.name())?;
        match &self.session {
            Some((count, id)) => write!(f, " {count} {id}"),
            None => Ok(()),
        }
    }
}

/// A text that isn't a [`SessionAnswer`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` isn't a backend's word about a session, such as `kept 7 web-1.1-42`")]
pub struct SessionAnswerError(String);

impl FromStr for SessionAnswer {
    type Err = SessionAnswerError;
    fn from_str(text: &str) -> Result<SessionAnswer, SessionAnswerError> {
        let wrong = || SessionAnswerError(text.to_owned());
        let mut words = text.split(' ');
        let word = words.next().unwrap_or_default();
        let state = SessionState::ALL.iter().copied().find(|state| state.name() == word).ok_or_else(wrong)?;
        let session = match (words.next(), words.next(), words.next()) {
            (None, None, None) if state == SessionState::Unavailable => None,
            (Some(count), Some(id), None) if state != SessionState::Unavailable && !id.is_empty() => {
                Some((count.parse().map_err(|_| wrong())?, id.to_owned()))
            }
            _ => return Err(wrong()),
        };
        Ok(SessionAnswer { state, session })
    }
}

/// What the client recorded about the session of one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionUse {
    /// The session that the request named; of a new one, the one that was begun.
    pub id: String,
    /// What the backend found of it.
    pub state: SessionState,
    /// The largest counter that the user had seen of it when the request was sent.
    pub seen: u64,
    /// Its counter after the request, by the backend's word; `None`: it is lost, or its store did not answer.
    pub count: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reads_back_as_it_was_written_and_nothing_else_does() {
        for text in ["new 1 web-1.1-0", "kept 7 web-1.1-42", "lost 1 api-2.3-1", "unavailable"] {
            assert_eq!(text.parse::<SessionAnswer>().unwrap().to_string(), text);
        }
        for text in
            ["", "kept", "kept 7", "kept x a", "kept 7 ", "kept 7 a b", "unavailable 7 a", "found 7 a"]
        {
            assert!(text.parse::<SessionAnswer>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_does_not_show_where_its_job_is_shown() {
        let key = JwtKey("very secret".into());
        assert!(
            !format!("{:?}", SessionsJob::Jwt { sign: key.clone(), accept: vec![key] }).contains("secret")
        );
    }
}
