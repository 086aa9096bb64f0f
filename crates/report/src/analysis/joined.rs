//! The three records of each request side by side, joined by id.

use std::collections::BTreeMap;

use model::access_log::Logged;
use model::identity::RequestId;
use model::ledger::Execution;
use model::records::CellRecords;
use model::request::Request;

/// Everything that is known about one id.
#[derive(Clone, Debug, Default)]
pub struct Traces<'a> {
    /// The client's records: one, if the books balance.
    pub requests: Vec<&'a Request>,
    /// Executions, in the order of receipt.
    pub executions: Vec<&'a Execution>,
    /// Lines of the access log.
    pub logged: Vec<&'a Logged>,
}

/// Joins a cell's records by id. Nothing is joined by time.
pub fn join(records: &CellRecords) -> BTreeMap<RequestId, Traces<'_>> {
    let mut joined: BTreeMap<RequestId, Traces<'_>> = BTreeMap::new();
    for request in &records.requests {
        joined.entry(request.id).or_default().requests.push(request);
    }
    for execution in &records.executions {
        joined.entry(execution.id).or_default().executions.push(execution);
    }
    for line in &records.access {
        if let Some(id) = line.id {
            joined.entry(id).or_default().logged.push(line);
        }
    }
    for traces in joined.values_mut() {
        traces.executions.sort_by_key(|execution| execution.received);
    }
    joined
}
