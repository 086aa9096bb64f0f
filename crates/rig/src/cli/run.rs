//! The arguments of `rig run`.

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use clap::Args;
use model::units::Rate;
use report::Format;

use super::names::{Jobs, PullName, RuntimeName};
use super::{Choice, MAX_RATE, Output, RESULTS};

/// `rig run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Scenario files, or names of bundled scenarios. Several run one after another, with one table for all
    #[arg(required = true)]
    pub(crate) scenarios: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Where components run
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) runtime: RuntimeName,
    /// When to pull official images, in Docker
    #[arg(long, value_enum, default_value = "missing")]
    pub(crate) pull: PullName,
    /// Directory for results, as DIR/<scenario>/<run-id>/
    #[arg(long, value_name = "DIR", default_value = RESULTS)]
    pub(crate) out: PathBuf,
    /// The balancer's listener [default: a free loopback address]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Balancer templates that replace the built-in ones, with the layout of proxy-configs/
    #[arg(long, value_name = "DIR")]
    pub(crate) proxy_configs: Option<PathBuf>,
    /// A host that a scenario's target may be, beside this machine; may be given several times
    #[arg(long, value_name = "HOST")]
    pub(crate) allow_target: Vec<String>,
    /// The highest rate that a target may get
    #[arg(long, value_name = "RATE", default_value = MAX_RATE)]
    pub(crate) max_rate: Rate,
    /// Also exit with 1 if this claim holds, such as `with-drain.reset > 0`
    #[arg(long, value_name = "CLAIM")]
    pub(crate) fail_on: Vec<String>,
    /// Also exit with 4 if a claim rests on a DEGRADED measurement
    #[arg(long)]
    pub(crate) strict: bool,
    /// How many cells run at the same time. One whose latency or CPU time a claim is about runs alone.
    /// `auto`: one for every three processors (fewer where a load has several generators); one where commands of your own are the
    /// backends
    #[arg(long, value_name = "N|auto", default_value = "auto")]
    pub(crate) jobs: Jobs,
    /// Leave out balancers that are not installed; the verdict names them
    #[arg(long)]
    pub(crate) skip_missing: bool,
    /// Print no progress on standard error
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl Run {
    /// What a command that runs scenarios as a part of its work leaves to the defaults: cells one by one, the whole report.
    pub(crate) fn of_another_command(runtime: RuntimeName, pull: PullName, out: &Path, quiet: bool) -> Run {
        Run {
            scenarios: Vec::new(),
            choice: Choice {
                balancer: Vec::new(),
                variant: Vec::new(),
                sets: Vec::new(),
                repeat: None,
                seed: None,
            },
            output: Output { format: Format::Table, full: true, no_color: false },
            runtime,
            pull,
            out: out.to_owned(),
            listen: None,
            proxy_configs: None,
            allow_target: Vec::new(),
            max_rate: Rate(0.0),
            strict: false,
            jobs: Jobs::Of(NonZero::<usize>::MIN),
            skip_missing: false,
            fail_on: Vec::new(),
            quiet,
        }
    }
}
