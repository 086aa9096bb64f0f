//! What a cell leaves behind, read back into memory, and where it was measured.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::access_log::Logged;
use crate::history::Event;
use crate::identity::CellId;
use crate::ledger::Execution;
use crate::request::Request;
use crate::sample::Sample;

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
    /// What backends and balancer had in hand while the load ran.
    pub samples: Vec<Sample>,
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
    /// The container engine, if components ran in one.
    #[serde(default)]
    pub engine: Option<ContainerEngine>,
    /// The digest (SHA-256) of `plan.json` as it was when the run began; `None`: an earlier version did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_sha256: Option<String>,
    /// The command that does the same again, word by word; empty in runs that were saved before it was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The templates that the balancers' configurations were rendered from, by name; empty in runs that were saved
    /// before they were kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub templates: BTreeMap<String, TemplateUsed>,
}

/// A template that a balancer's configuration was rendered from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateUsed {
    /// The path of the user's own; `None`: it is rig's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<String>,
    /// SHA-256 of its text.
    pub sha256: String,
    /// What it changes of rig's, as a unified diff; empty for rig's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub diff: String,
}

/// A container engine, and what components ran from in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerEngine {
    /// Where it was found.
    pub endpoint: String,
    /// Its version.
    pub version: String,
    /// The version of its API that was negotiated.
    pub api: String,
    /// How components reach each other, e.g. `bridge`.
    pub network: String,
    /// Facts that bear on figures: storage driver, cgroup version, conntrack.
    pub facts: BTreeMap<String, String>,
    /// The image of each component, by what it is: `nginx`, `agent`.
    pub images: BTreeMap<String, ImageUsed>,
}

/// An image that a component ran from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageUsed {
    /// Its name and tag.
    pub reference: String,
    /// Its content: the registry's digest, else the image's id.
    pub digest: String,
    /// How it came to be on the engine: `local`, `pulled`, or `packed from FILE`, and why.
    pub origin: String,
}

/// A balancer as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancerBuild {
    /// What it says its version is.
    pub version: String,
    /// Its executable or image.
    pub binary: String,
    /// Modules that it has to load for what rig may ask of it, by their files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<String>,
    /// What there is to say of that version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}
