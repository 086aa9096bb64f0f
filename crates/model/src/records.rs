//! What a cell leaves behind, read back into memory, and where it was measured.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::access_log::Logged;
use crate::history::Event;
use crate::identity::CellId;
use crate::ledger::Execution;
use crate::request::Request;

/// Everything that is known of one cell. The report judges from this and the plan alone.
#[derive(Clone, Debug, PartialEq)]
pub struct CellRecords {
    /// Which cell.
    pub cell: CellId,
    /// What happened, in order.
    pub history: Vec<Event>,
    /// The client's records, one per scheduled request.
    pub requests: Vec<Request>,
    /// What backends received and finished.
    pub executions: Vec<Execution>,
    /// The balancer's access log, normalised.
    pub access: Vec<Logged>,
}

/// Where a run was measured: `environment.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// rig's version.
    pub rig: String,
    /// The commit that rig was built from, if known.
    pub commit: Option<String>,
    /// When the run began, RFC 3339, UTC.
    pub started: String,
    /// Kernel release.
    pub kernel: String,
    /// CPU model.
    pub cpu: String,
    /// CPUs that rig may use.
    pub cpus: u64,
    /// Load average over one minute, when the run began.
    pub load_average: f64,
    /// Soft limit of open descriptors.
    pub open_files: u64,
    /// Kernel settings that bear on dropped connections.
    pub sysctls: BTreeMap<String, String>,
    /// Each balancer's version and executable or image.
    pub balancers: BTreeMap<String, BalancerBuild>,
}

/// A balancer as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancerBuild {
    /// What it says its version is.
    pub version: String,
    /// Its executable or image.
    pub binary: String,
}
