//! The first stage: facts about one cell, read from its records once. Everything that is said of a cell later starts
//! from its [`Analysis`], and nothing is counted here yet.

pub mod attribution;
pub mod books;
pub(crate) mod by_log;
pub mod deaths;
pub mod ejections;
pub mod errors;
pub mod evidence;
pub mod fate;
pub mod faults;
pub(crate) mod frame;
pub mod joined;
pub mod lateness;
mod outlasting;
pub mod phases;
pub(crate) mod quantile;
pub(crate) mod stalls;

use std::borrow::Cow;
use std::collections::BTreeMap;

use model::identity::RequestId;
use model::ledger::Execution;
use model::plan::{SavedPlan, Variant};
use model::records::CellRecords;
use model::request::Request;
use model::units::Nanos;

use crate::analysis::books::Books;
use crate::analysis::evidence::Evidence;
use crate::analysis::fate::SubCause;
use crate::analysis::frame::CellFrame;
use crate::analysis::joined::Joined;
use crate::analysis::lateness::Corrected;
use crate::analysis::phases::Phases;

/// What the records of one cell say, joined and read.
pub struct Analysis<'a> {
    pub(crate) plan: &'a SavedPlan,
    /// What the plan has the cell do; `None`: it knows no such variant.
    pub(crate) variant: Option<&'a Variant>,
    pub(crate) records: &'a CellRecords,
    pub(crate) frame: CellFrame,
    pub(crate) evidence: Evidence,
    pub(crate) phases: Phases,
    pub(crate) joined: Joined<'a>,
    /// Who had which request by the balancer's log, where the backends keep no ledgers.
    pub(crate) by_log: Vec<Execution>,
    pub(crate) books: Books,
    /// Why each dropped request was dropped.
    pub(crate) dropped: BTreeMap<RequestId, SubCause>,
    /// The client's first record of each request.
    pub(crate) recorded: Vec<&'a Request>,
    /// Those of them that count.
    pub(crate) measured: Vec<&'a Request>,
    /// Those before them.
    pub(crate) warmup: Vec<&'a Request>,
}

impl<'a> Analysis<'a> {
    /// Reads a cell's records.
    pub fn of(plan: &'a SavedPlan, records: &'a Corrected<'_>) -> Analysis<'a> {
        let joined = Joined::of(records.requests(), &records.records.executions, &records.records.access);
        let shortened = records.shortened.as_ref();
        let records = records.records;
        let variant = shortened.or_else(|| plan.variant(&records.cell.variant));
        let frame = CellFrame::read(&records.history);
        let evidence = Evidence::gather(&records.history).under(variant);
        let by_log = match evidence.own_services {
            true => by_log::executions(&records.history, &joined, &evidence.gaps),
            false => Vec::new(),
        };
        let without_id = records.access.iter().filter(|line| line.id.is_none()).count() as u64;
        let (books, dropped) = books::keep(frame.scheduled, &joined, without_id, &evidence);
        let recorded: Vec<&Request> = joined.recorded().collect();
        let (measured, warmup) = recorded.iter().partition(|request| request.due >= frame.first_due());
        let phases = Phases::read(&records.history);
        Analysis {
            plan,
            variant,
            records,
            frame,
            evidence,
            phases,
            joined,
            by_log,
            books,
            dropped,
            recorded,
            measured,
            warmup,
        }
    }

    /// The records of each request, with who had it: by the ledgers, or else by the balancer's log.
    pub(crate) fn handled(&self) -> Cow<'_, Joined<'_>> {
        match self.by_log.as_slice() {
            [] => Cow::Borrowed(&self.joined),
            by_log => Cow::Owned(self.joined.clone().with(by_log)),
        }
    }

    /// When the first measured request was due, or before everything.
    pub(crate) fn origin(&self) -> Nanos {
        self.frame.first_due()
    }
}
