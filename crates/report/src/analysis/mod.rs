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

use std::collections::BTreeMap;

use model::identity::RequestId;
use model::ledger::Execution;
use model::plan::{SavedPlan, Variant};
use model::records::CellRecords;
use model::request::Request;
use model::units::Nanos;

use crate::analysis::books::Books;
use crate::analysis::evidence::Evidence;
use crate::analysis::fate::Fate;
use crate::analysis::frame::CellFrame;
use crate::analysis::joined::{Traces, join};
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
    pub(crate) joined: BTreeMap<RequestId, Traces<'a>>,
    /// Who had which request by the balancer's log, where the backends keep no ledgers.
    pub(crate) by_log: Vec<Execution>,
    pub(crate) books: Books,
    pub(crate) fates: BTreeMap<RequestId, Fate>,
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
        let shortened = records.shortened.as_ref();
        let records: &CellRecords = records;
        let variant = shortened.or_else(|| plan.variant(&records.cell.variant));
        let frame = CellFrame::read(&records.history);
        let evidence = Evidence::gather(&records.history).under(variant);
        let joined = join(records);
        let by_log = match evidence.own_services {
            true => by_log::executions(&records.history, &joined, &evidence.gaps),
            false => Vec::new(),
        };
        let without_id = records.access.iter().filter(|line| line.id.is_none()).count() as u64;
        let (books, fates) = books::keep(frame.scheduled, &joined, without_id, &evidence);
        let recorded: Vec<&Request> =
            joined.values().filter_map(|traces| traces.requests.first().copied()).collect();
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
            fates,
            recorded,
            measured,
            warmup,
        }
    }

    /// The records of each request, with who had it: by the ledgers, or else by the balancer's log.
    pub(crate) fn handled(&self) -> BTreeMap<RequestId, Traces<'_>> {
        let mut handled: BTreeMap<RequestId, Traces<'_>> = self.joined.clone();
        for execution in &self.by_log {
            handled.entry(execution.id).or_default().executions.push(execution);
        }
        handled
    }

    /// When the first measured request was due, or before everything.
    pub(crate) fn origin(&self) -> Nanos {
        self.frame.first_due()
    }
}
