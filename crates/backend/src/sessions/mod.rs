//! What a backend remembers of users, wherever it keeps that. For each request with an id, it says whether the session that
//! the request named was there.

mod memory;
mod store;
mod token;

use std::cell::Cell;

use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue, SET_COOKIE};
use model::identity::Incarnation;
use model::job::BackendJob;
use model::sessions::{
    SEEN_HEADER, SESSION_COOKIE, SESSION_HEADER, SessionAnswer, SessionState, SessionsJob,
};

use self::memory::Memory;
pub(crate) use self::store::SessionStoreError;
use self::store::Store;
use self::token::Tokens;

/// The sessions of one incarnation.
pub(crate) struct OwnSessions {
    kept: Kept,
    incarnation: Incarnation,
    begun: Cell<u64>,
}

enum Kept {
    Nowhere,
    Memory(Memory),
    Store(Store),
    Tokens(Box<Tokens>),
}

/// A session that the request named, and its counter after it.
struct FoundSession {
    id: String,
    count: u64,
    /// What the user must hold from now on; `None`: unchanged.
    cookie: Option<String>,
}

impl OwnSessions {
    pub(crate) fn new(job: &BackendJob) -> Result<OwnSessions, SessionStoreError> {
        let kept = match &job.sessions {
            None => Kept::Nowhere,
            Some(SessionsJob::Memory) => Kept::Memory(Memory::default()),
            Some(SessionsJob::Redis { address, password }) => Kept::Store(Store::at(*address, password)?),
            Some(SessionsJob::Jwt { sign, accept }) => Kept::Tokens(Box::new(Tokens::new(sign, accept))),
        };
        Ok(OwnSessions { kept, incarnation: job.incarnation.clone(), begun: Cell::new(0) })
    }

    /// What a request with `headers` says of a session; `None`: this backend keeps none.
    pub(crate) fn asked(&self, headers: &HeaderMap) -> Option<Asked> {
        let keeps = !matches!(self.kept, Kept::Nowhere);
        keeps.then(|| Asked { named: named(headers), seen: seen(headers) })
    }

    /// Looks up the session that a request names, adds one to its counter, and begins one where there is none.
    pub(crate) async fn visit(&self, asked: &Asked) -> Visit {
        match self.find_or_begin(asked).await {
            Ok((state, FoundSession { id, count, cookie })) => {
                Visit { answer: SessionAnswer { state, session: Some((count, id)) }, cookie }
            }
            Err(_) => {
                let answer = SessionAnswer { state: SessionState::Unavailable, session: None };
                Visit { answer, cookie: None }
            }
        }
    }

    async fn find_or_begin(&self, asked: &Asked) -> Result<(SessionState, FoundSession), SessionStoreError> {
        let Some(named) = &asked.named else { return Ok((SessionState::New, self.begin().await?)) };
        // If a backend counts, a counter behind what the user has seen is not the user's session any more. A
        // token's counter comes from the user, whose requests may have overtaken each other.
        let goes_on = |found: &FoundSession| found.count > asked.seen || matches!(self.kept, Kept::Tokens(_));
        Ok(match self.find(named).await?.filter(goes_on) {
            Some(found) => (SessionState::Kept, found),
            None => (SessionState::Lost, self.begin().await?),
        })
    }

    async fn find(&self, named: &str) -> Result<Option<FoundSession>, SessionStoreError> {
        let known = |count| FoundSession { id: named.to_owned(), count, cookie: None };
        match &self.kept {
            Kept::Nowhere => Ok(None),
            Kept::Memory(memory) => Ok(memory.count(named).map(known)),
            Kept::Store(store) => Ok(store.count(named).await?.map(known)),
            Kept::Tokens(tokens) => Ok(tokens.count(named)),
        }
    }

    async fn begin(&self) -> Result<FoundSession, SessionStoreError> {
        // No other incarnation of the cell uses the same name.
        let id = format!("{}-{}", self.incarnation.to_string().replace('/', "."), self.begun.get());
        self.begun.set(self.begun.get() + 1);
        let cookie = match &self.kept {
            Kept::Nowhere => None,
            Kept::Memory(memory) => {
                memory.begin(&id);
                Some(id.clone())
            }
            Kept::Store(store) => {
                store.begin(&id).await?;
                Some(id.clone())
            }
            Kept::Tokens(tokens) => Some(tokens.issue(&id, 1)),
        };
        Ok(FoundSession { id, count: 1, cookie })
    }
}

/// What a request says of a session.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The content of its cookie.
    named: Option<String>,
    /// The largest counter that its user has seen.
    seen: u64,
}

/// What became of a session, to be said in the response.
#[derive(Debug)]
pub(crate) struct Visit {
    answer: SessionAnswer,
    /// A new content of the user's cookie.
    cookie: Option<String>,
}

impl Visit {
    /// Whether the request can be answered at all.
    pub(crate) fn is_available(&self) -> bool {
        self.answer.state != SessionState::Unavailable
    }

    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let value =
            |text: String| HeaderValue::try_from(text).expect("names, digits and tokens fit a header");
        headers.insert(SESSION_HEADER, value(self.answer.to_string()));
        if let Some(cookie) = &self.cookie {
            headers.append(SET_COOKIE, value(format!("{SESSION_COOKIE}={cookie}; Path=/; HttpOnly")));
        }
    }
}

fn seen(headers: &HeaderMap) -> u64 {
    let text = headers.get(SEEN_HEADER).and_then(|text| text.to_str().ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The content of the session's cookie.
fn named(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    cookies.find(|(name, _)| *name == SESSION_COOKIE).map(|(_, value)| value.to_owned())
}
