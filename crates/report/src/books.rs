//! The books of a cell: do the client's records, the backends' ledger and the balancer's log tell one story?
//! Equations 1 to 4 invalidate the counts when they fail. Equation 5, on the access log, is computed and
//! listed, but only warns as yet; it becomes invalidating later.

use std::collections::BTreeMap;

use model::identity::RequestId;
use serde::{Deserialize, Serialize};

use crate::evidence::{Evidence, LogState};
use crate::fate::{Equation, Exception, Fate, Finding, fate};
use crate::joined::Traces;

/// How many ids of one finding are listed.
const LISTED: usize = 20;

/// The books of a cell, the warm-up included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Books {
    /// Requests that the generator said it would send; `None`: it never said.
    pub scheduled: Option<u64>,
    /// Requests of which there is a record.
    pub recorded: u64,
    /// Executions in the ledger.
    pub executions: u64,
    /// Requests that backends received more than once.
    pub duplicates: u64,
    /// Requests that ended well although an attempt at a backend had failed.
    pub masked: u64,
    /// Named exceptions, each with its count.
    pub exceptions: BTreeMap<Exception, u64>,
    /// What nothing explains.
    pub unmatched: Vec<Unmatched>,
    /// Whether the access log could be compared.
    pub access_log: AccessLog,
}

/// Whether equation 5 applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessLog {
    /// The log is whole.
    Compared,
    /// The balancer was killed or lines were unreadable: `n/a`.
    Lost,
    /// A line per connection, without ids, as at layer 4: two-way books.
    PerConnection,
    /// No log was read: two-way books.
    #[default]
    Absent,
}

/// Requests that one finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmatched {
    /// The equation that does not hold.
    pub equation: Equation,
    /// In what way.
    pub finding: Finding,
    /// How many requests.
    pub count: u64,
    /// The first of them.
    pub ids: Vec<RequestId>,
}

impl Books {
    /// The findings that invalidate the counts.
    pub fn unexplained(&self) -> impl Iterator<Item = &Unmatched> {
        self.unmatched.iter().filter(|unmatched| unmatched.equation != Equation::LogAgrees)
    }
    /// The findings that only warn.
    pub fn warnings(&self) -> impl Iterator<Item = &Unmatched> {
        self.unmatched.iter().filter(|unmatched| unmatched.equation == Equation::LogAgrees)
    }
    /// Whether client and ledger tell one story.
    pub fn balance(&self) -> bool {
        self.scheduled.is_some() && self.unexplained().next().is_none()
    }
}

/// Keeps the books of a cell and returns each recorded request's fate beside them.
pub fn keep(
    scheduled: Option<u64>,
    joined: &BTreeMap<RequestId, Traces<'_>>,
    lines_without_id: u64,
    evidence: &Evidence,
) -> (Books, BTreeMap<RequestId, Fate>) {
    let mut books = Books {
        scheduled,
        access_log: match evidence.log {
            LogState::Whole => AccessLog::Compared,
            LogState::Lost => AccessLog::Lost,
            LogState::PerConnection => AccessLog::PerConnection,
            LogState::Absent => AccessLog::Absent,
        },
        ..Books::default()
    };
    let mut findings: BTreeMap<(Equation, Finding), (u64, Vec<RequestId>)> = BTreeMap::new();
    let mut find = |equation, finding, id| {
        let (count, ids) = findings.entry((equation, finding)).or_default();
        *count += 1;
        if ids.len() < LISTED {
            ids.push(id);
        }
    };
    let mut fates = BTreeMap::new();
    for (id, traces) in joined {
        books.executions += traces.executions.len() as u64;
        let Some(request) = traces.requests.first() else {
            // A scheduled id without a record is found below, by its place in the schedule.
            if scheduled.is_none_or(|n| id.0 >= n) {
                find(Equation::EndsOnce, Finding::NeverScheduled, *id);
            }
            continue;
        };
        books.recorded += 1;
        if traces.requests.len() > 1 {
            find(Equation::EndsOnce, Finding::SeveralRecords, *id);
        }
        if scheduled.is_some_and(|n| id.0 >= n) {
            find(Equation::EndsOnce, Finding::NeverScheduled, *id);
        }
        let fate = fate(request, &traces.executions, &traces.logged, evidence);
        books.duplicates += u64::from(fate.receipts > 1);
        books.masked += u64::from(fate.masked);
        for exception in &fate.exceptions {
            *books.exceptions.entry(*exception).or_default() += 1;
        }
        for (equation, finding) in &fate.unmatched {
            find(*equation, *finding, *id);
        }
        fates.insert(*id, fate);
    }
    // Of connections, no line has one: that is no exception.
    if lines_without_id > 0 && books.access_log != AccessLog::PerConnection {
        books.exceptions.insert(Exception::NoId, lines_without_id);
    }
    let found = findings.into_iter().map(|((equation, finding), (count, ids))| Unmatched {
        equation,
        finding,
        count,
        ids,
    });
    books.unmatched = missing(scheduled.unwrap_or(0), joined).into_iter().chain(found).collect();
    (books, fates)
}

/// Scheduled ids without a record: counted by subtraction, since a history may claim any number.
fn missing(scheduled: u64, joined: &BTreeMap<RequestId, Traces<'_>>) -> Option<Unmatched> {
    let recorded = |id: &RequestId| joined.get(id).is_some_and(|traces| !traces.requests.is_empty());
    let present = joined.keys().filter(|id| id.0 < scheduled && recorded(id));
    let count = scheduled - present.count() as u64;
    (count > 0).then(|| Unmatched {
        equation: Equation::EndsOnce,
        finding: Finding::NoRecord,
        count,
        ids: (0..scheduled).map(RequestId).filter(|id| !recorded(id)).take(LISTED).collect(),
    })
}
