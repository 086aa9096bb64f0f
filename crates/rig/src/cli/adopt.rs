//! The arguments of what takes over configurations, and of what writes rig's own.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use model::catalog::BalancerKind;

/// `rig adopt`.
#[derive(Debug, Args)]
pub(crate) struct Adopt {
    /// The configuration: nginx.conf, haproxy.cfg or envoy.yaml
    pub(crate) file: PathBuf,
    /// Which balancer it is of [default: the one that it looks like]
    #[arg(long, value_name = "NAME")]
    pub(crate) kind: Option<BalancerKind>,
    /// Directory for the scenario and the template [default: the scenario's name]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The scenario's name [default: my- and the file's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Overwrite what is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// `rig templates`.
#[derive(Debug, Subcommand)]
pub(crate) enum Templates {
    /// Write the built-in templates of one balancer to DIR, to edit and pass to --proxy-configs
    Eject(Eject),
}

/// `rig templates eject`.
#[derive(Debug, Args)]
pub(crate) struct Eject {
    /// The balancer
    #[arg(value_name = "KIND")]
    pub(crate) kind: BalancerKind,
    /// The directory
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}
