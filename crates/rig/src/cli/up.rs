//! `rig up`: the topology to launch, or the deploy in one that is running.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use model::identity::BalancerName;
use model::scenario::Set;
use model::timeline::Drain;
use model::units::Rate;

use super::{PullName, RESULTS, RuntimeName};

/// `rig up`.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Scenario file, or the name of a bundled scenario; with --deploy: which of several running topologies
    #[arg(required_unless_present = "deploy")]
    pub(crate) scenario: Option<PathBuf>,
    /// The balancer
    #[arg(long, value_name = "NAME", required_unless_present = "deploy")]
    pub(crate) balancer: Option<BalancerName>,
    /// The variant [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<String>,
    /// Change any key of the scenario
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<Set>,
    /// Send a background load of the scenario's requests, at this rate
    #[arg(long, value_name = "RATE", num_args = 0..=1, require_equals = true, default_missing_value = "20/s")]
    pub(crate) load: Option<Rate>,
    /// Where components run
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) runtime: RuntimeName,
    /// When official images are pulled, in Docker
    #[arg(long, value_enum, default_value = "missing")]
    pub(crate) pull: PullName,
    /// The balancer's listener [default: a free loopback address]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Balancer templates that replace the built-in ones, laid out like proxy-configs/
    #[arg(long, value_name = "DIR")]
    pub(crate) proxy_configs: Option<PathBuf>,
    /// Directory for the files of the components while they run
    #[arg(long, value_name = "DIR", default_value = RESULTS)]
    pub(crate) out: PathBuf,
    /// Deploy this pool in the running topology
    #[arg(long, value_name = "POOL", conflicts_with_all = ["balancer", "variant", "sets", "load", "listen", "proxy_configs"])]
    pub(crate) deploy: Option<String>,
    /// How long a backend may finish its requests: off, auto (derived from the requests so far) or a duration
    #[arg(long, value_name = "WINDOW", requires = "deploy", value_parser = drain)]
    pub(crate) drain: Option<Drain>,
}

fn drain(text: &str) -> Result<Drain, String> {
    match text {
        "off" => Ok(Drain::Off),
        "auto" => Ok(Drain::Auto),
        window => window
            .parse()
            .map(Drain::For)
            .map_err(|_| "must be off, auto or a duration such as 300ms".to_owned()),
    }
}
