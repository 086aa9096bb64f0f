//! What clients got beside what the balancer's log says about it: statuses, and the balancer's own words.

use std::collections::BTreeMap;

use model::history::{Event, Happening};
use model::outcome::Outcome;
use model::request::Request;
use serde::{Deserialize, Serialize};

use crate::analysis::books::Books;
use crate::analysis::joined::Joined;
use crate::numbers::words;

/// How the measured requests of a cell were answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Complete responses, by the status that the client saw.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests by each word of the balancer's log that says that something went wrong; `None`: its log names no
    /// requests, or isn't whole.
    pub flags: Option<BTreeMap<String, u64>>,
    /// Dropped requests, and those about which the log has such a word: what the client saw beside what the log says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<ToldOf>,
    /// What each of these words means, as the balancer's adapter reads it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meanings: BTreeMap<String, String>,
    /// What the balancer's other log says about its backends, each with how often: the whole cell, not request by request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notices: BTreeMap<String, u64>,
}

/// Requests of which client and log say the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldOf {
    /// The status that the client saw, or else how it saw the request end.
    pub seen: String,
    /// The status that the log has; `None`: it has no line.
    pub status: Option<u16>,
    /// The log's words.
    pub flags: Vec<String>,
    /// How many.
    pub count: u64,
}

impl Answers {
    /// Reads the answers of `measured`.
    pub fn of(measured: &[&Request], joined: &Joined<'_>, history: &[Event], books: &Books) -> Answers {
        let known = books.blind().is_none();
        let mut answers = Answers { flags: known.then(BTreeMap::new), ..Answers::default() };
        let mut told: BTreeMap<(String, Option<u16>, &[String]), u64> = BTreeMap::new();
        for request in measured {
            let line = joined.get(request.id).logged.last().copied();
            let signs = line.map_or(&[][..], |line| line.signs.as_slice());
            let kind = request.outcome.kind();
            let seen = match request.outcome {
                Outcome::Answered { status, .. } => {
                    *answers.statuses.entry(status).or_default() += 1;
                    status.to_string()
                }
                _ => words(kind),
            };
            if let Some(flags) = &mut answers.flags {
                for sign in signs {
                    *flags.entry(sign.clone()).or_default() += 1;
                }
            }
            if known && (kind.is_dropped() || !signs.is_empty()) {
                *told.entry((seen, line.map(|line| line.status), signs)).or_default() += 1;
            }
        }
        let told = told.into_iter().map(|((seen, status, flags), count)| ToldOf {
            seen,
            status,
            flags: flags.to_vec(),
            count,
        });
        answers.told = told.collect();
        for event in history {
            if let Happening::AccessLog { meanings, notices, .. } = &event.what {
                answers.meanings.clone_from(meanings);
                answers.notices.clone_from(notices);
            }
        }
        answers
    }
}
