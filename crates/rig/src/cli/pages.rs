//! The arguments of the commands that print what saved runs showed, and of the one that makes all of it.

use std::path::PathBuf;

use clap::Args;
use model::catalog::BalancerKind;
use model::identity::BalancerName;
use report::over_time::Followed;

use super::names::{FigureChoice, HistoryFormat, Jobs, PullName, RuntimeName, in_words};
use super::{Output, RESULTS};

/// `rig report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Directories of runs, such as results/drain/latest, or a run's summary.json; several get one overview
    #[arg(required = true)]
    pub(crate) runs: Vec<PathBuf>,
    /// With --format svg: this figure of every cell, as claims name it, such as p99, share[*] or
    /// 'detection[web-1] against bound[web-1]'; without NAME, the scenario's own
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    pub(crate) figure: Option<FigureChoice>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `rig history`.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// Only runs of these scenarios, by name [default: all]
    pub(crate) scenarios: Vec<String>,
    /// Follow this figure, such as dropped, with-drain.p99 or share[web-1]
    #[arg(long, value_name = "FIGURE", value_parser = |text: &str| text.parse::<Followed>().map_err(in_words))]
    pub(crate) figure: Option<Followed>,
    /// Only the last N runs of each scenario
    #[arg(long, value_name = "N")]
    pub(crate) last: Option<usize>,
    /// Directory of results
    #[arg(long, value_name = "DIR", default_value = RESULTS)]
    pub(crate) out: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: HistoryFormat,
    /// Print no colours
    #[arg(long)]
    pub(crate) no_color: bool,
}

/// `rig dossier`.
#[derive(Debug, Args)]
pub(crate) struct Dossier {
    /// Directory for the files
    #[arg(default_value = "dossier")]
    pub(crate) directory: PathBuf,
    /// Only these balancers
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) balancer: Vec<BalancerName>,
    /// Seed for arrivals, service times and the order of cells
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Where components run
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) runtime: RuntimeName,
    /// When to pull official images, in Docker
    #[arg(long, value_enum, default_value = "missing")]
    pub(crate) pull: PullName,
    /// Directory for results, as DIR/<scenario>/<run-id>/
    #[arg(long, value_name = "DIR", default_value = RESULTS)]
    pub(crate) out: PathBuf,
    /// How many cells run at the same time
    #[arg(long, value_name = "N|auto", default_value = "auto")]
    pub(crate) jobs: Jobs,
    /// Write over files of an earlier dossier
    #[arg(long)]
    pub(crate) force: bool,
    /// Print no colours
    #[arg(long)]
    pub(crate) no_color: bool,
    /// Print no progress on standard error
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// `rig writeup`.
#[derive(Debug, Args)]
pub(crate) struct Writeup {
    /// Directories of runs [default: the newest run of each scenario in results/]
    pub(crate) runs: Vec<PathBuf>,
    /// Everything that the runs showed, not one page
    #[arg(long)]
    pub(crate) full: bool,
}

/// `rig runbook`.
#[derive(Debug, Args)]
pub(crate) struct Runbook {
    /// Directories of runs [default: the newest run of each scenario in results/]
    pub(crate) runs: Vec<PathBuf>,
    /// The balancer [default: one page for each balancer in the runs]
    #[arg(long, value_name = "NAME")]
    pub(crate) balancer: Option<BalancerKind>,
}
