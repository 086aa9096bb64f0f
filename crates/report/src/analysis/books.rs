//! The books of a cell: do the client's records, the backends' ledger and the balancer's log tell one story? What no
//! named exception explains invalidates the counts, and is listed by id.

use std::collections::BTreeMap;

use model::identity::RequestId;
use model::outcome::Outcome;
use model::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::analysis::evidence::{Evidence, LogState};
use crate::analysis::fate::{Equation, Exception, Finding, SubCause, fate};
use crate::analysis::joined::Joined;

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
    /// Requests of which the balancer could not write a line, where it may try one again: whether an attempt
    /// had failed is not known of them.
    #[serde(default, skip_serializing_if = "is_none")]
    pub attempts_unknown: u64,
    /// Named exceptions, each with its count.
    pub exceptions: BTreeMap<Exception, u64>,
    /// What nothing explains.
    pub unmatched: Vec<Unmatched>,
    /// Whether the access log could be compared.
    pub access_log: AccessLog,
    /// How many parties keep them.
    #[serde(default)]
    pub grade: Grade,
    /// Whether the backends are a service of the user's, which keeps no ledger.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_services: bool,
}

/// Why it is not known what a service of the user's executed.
pub(crate) const NO_LEDGER: &str = "your own service keeps no ledger of what it executed";

/// How many parties keep the books. What those can't know is unproven: never 0, and never a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Client, backends and balancer.
    Full,
    /// Client and backends, or client and balancer: either the balancer's log names no requests, so that it is not known how
    /// often it tried, or the backends are not rig's, so that it is not known what they executed.
    TwoWay,
    /// The client alone: no backend of rig's stands behind the balancer, and no log of it names requests.
    #[default]
    ClientOnly,
}

impl Grade {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Grade::Full => "full",
            Grade::TwoWay => "two-way",
            Grade::ClientOnly => "client only",
        }
    }
}

/// Whether equation 5 applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessLog {
    /// The log is whole.
    Compared,
    /// The balancer was killed: `n/a`.
    Lost,
    /// A line per connection, without ids, as at layer 4.
    PerConnection,
    /// Not one of its lines has an id.
    WithoutIds,
    /// No log was read.
    #[default]
    Absent,
}

impl AccessLog {
    /// Why it can't be compared; `None`: it was.
    pub fn why_not(self) -> Option<&'static str> {
        match self {
            AccessLog::Compared => None,
            AccessLog::Lost => Some("the balancer did not stop gracefully, so its access log is not whole"),
            AccessLog::PerConnection => {
                Some("at layer 4 the access log has a line per connection, without request ids")
            }
            AccessLog::WithoutIds => Some("no line of the access log has a request id (x-rig-seq)"),
            AccessLog::Absent => Some("no access log was read"),
        }
    }
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

impl Unmatched {
    /// In words, with the ids.
    pub fn words(&self) -> String {
        let ids: Vec<_> = self.ids.iter().map(ToString::to_string).collect();
        let more = if self.count > ids.len() as u64 { ", …" } else { "" };
        format!("{} × {} (ids {}{more})", self.count, self.finding.words(), ids.join(", "))
    }
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Books {
    /// Why it is not known how often the balancer tried a request; `None`: its log says so.
    pub fn blind(&self) -> Option<String> {
        let why = self.access_log.why_not()?;
        (self.grade != Grade::Full).then(|| format!("{} books: {why}", self.grade.name()))
    }
    /// Why it is not known whether an attempt failed of a request that ended well; `None`: the log says so of each.
    pub fn masked_unknown(&self) -> Option<String> {
        let unknown = self.attempts_unknown;
        let unwritten = || format!("the balancer could not write its lines about {unknown} requests");
        self.blind().or_else(|| (unknown > 0).then(unwritten))
    }
    /// Why it is not known how often backends executed a request; `None`: their ledgers say so.
    pub fn unexecuted(&self) -> Option<String> {
        let own = || self.own_services.then(|| format!("{} books: {NO_LEDGER}", self.grade.name()));
        self.blind().or_else(own)
    }
    /// Whether all that keep them tell one story.
    pub fn balance(&self) -> bool {
        self.scheduled.is_some() && self.unmatched.is_empty()
    }
}

/// Keeps the books of a cell, and returns why each dropped request was dropped beside them.
pub fn keep(
    scheduled: Option<u64>,
    joined: &Joined<'_>,
    lines_without_id: u64,
    evidence: &Evidence,
) -> (Books, BTreeMap<RequestId, SubCause>) {
    let mut books = Books {
        scheduled,
        access_log: match evidence.log {
            LogState::Whole => AccessLog::Compared,
            LogState::Lost => AccessLog::Lost,
            LogState::PerConnection => AccessLog::PerConnection,
            LogState::WithoutIds => AccessLog::WithoutIds,
            LogState::Absent => AccessLog::Absent,
        },
        grade: match (evidence.ledgers, evidence.log) {
            (false, LogState::Whole) if evidence.own_services => Grade::TwoWay,
            (false, _) => Grade::ClientOnly,
            (true, LogState::Whole) => Grade::Full,
            (true, _) => Grade::TwoWay,
        },
        own_services: evidence.own_services,
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
    let mut dropped = BTreeMap::new();
    let mut due = Nanos(i64::MIN);
    for (id, traces) in joined.iter() {
        books.executions += traces.executions.len() as u64;
        let Some(request) = traces.requests.first() else {
            // A scheduled id without a record is found below, by its place in the schedule.
            if scheduled.is_none_or(|n| id.0 >= n) {
                find(Equation::EndsOnce, Finding::NeverScheduled, id);
            }
            continue;
        };
        books.recorded += 1;
        if traces.requests.len() > 1 {
            find(Equation::EndsOnce, Finding::SeveralRecords, id);
        }
        // The schedule is in the order of ids: a request that was moved in time, e.g. into the warm-up, breaks it.
        let answered = matches!(request.outcome, Outcome::Answered { .. });
        if request.due < due || (answered && request.end < request.due) {
            find(Equation::EndsOnce, Finding::OutOfOrder, id);
        } else {
            due = request.due;
        }
        if scheduled.is_some_and(|n| id.0 >= n) {
            find(Equation::EndsOnce, Finding::NeverScheduled, id);
        }
        let fate = fate(request, traces.executions, traces.logged, evidence);
        books.duplicates += u64::from(fate.receipts > 1);
        books.masked += u64::from(fate.masked);
        for exception in &fate.exceptions {
            *books.exceptions.entry(*exception).or_default() += 1;
        }
        for (equation, finding) in &fate.unmatched {
            find(*equation, *finding, id);
        }
        if let Some(sub_cause) = fate.sub_cause {
            dropped.insert(id, sub_cause);
        }
    }
    // As many as the balancer says that it could not write are known to be missing; which ones, it can't say.
    let not_logged = (Equation::LogAgrees, Finding::NotLogged);
    if let Some(count) = findings.get(&not_logged).map(|it| it.0).filter(|count| *count <= evidence.unwritten)
    {
        findings.remove(&not_logged);
        books.attempts_unknown = if evidence.retries_off { 0 } else { count };
        *books.exceptions.entry(Exception::LogLost).or_default() += count;
    }
    // Where no line has one, that is no exception.
    let some_have_ids = matches!(books.access_log, AccessLog::Compared | AccessLog::Lost);
    if lines_without_id > 0 && some_have_ids {
        books.exceptions.insert(Exception::NoId, lines_without_id);
    }
    let found = findings.into_iter().map(|((equation, finding), (count, ids))| Unmatched {
        equation,
        finding,
        count,
        ids,
    });
    books.unmatched = missing(scheduled.unwrap_or(0), joined).into_iter().chain(found).collect();
    (books, dropped)
}

/// Scheduled ids without a record: counted by subtraction, since a history may claim any number.
fn missing(scheduled: u64, joined: &Joined<'_>) -> Option<Unmatched> {
    let recorded = |id: &RequestId| !joined.get(*id).requests.is_empty();
    let present = joined.recorded().filter(|request| request.id.0 < scheduled);
    let count = scheduled - present.count() as u64;
    (count > 0).then(|| Unmatched {
        equation: Equation::EndsOnce,
        finding: Finding::NoRecord,
        count,
        ids: (0..scheduled).map(RequestId).filter(|id| !recorded(id)).take(LISTED).collect(),
    })
}
