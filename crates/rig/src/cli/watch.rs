//! `rig watch`: a service that rig did not launch, and the command that deploys it.

use std::path::PathBuf;

use clap::Args;
use model::target::TargetUrl;
use model::units::{Rate, Span};

use super::{MAX_RATE, Output, RESULTS};

/// `rig watch`.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// What to ask for: http://… or https://…, with the path that the requests have
    pub(crate) url: TargetUrl,
    /// The deploy: a program with its arguments, run without a shell. With --control, the careless deploy, `--`, and the
    /// careful one
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) words: Vec<String>,
    /// Requests per second
    #[arg(long, value_name = "RATE", default_value = "50/s")]
    pub(crate) rate: Rate,
    /// Run a careless deploy first, which shows that there is something to lose
    #[arg(long)]
    pub(crate) control: bool,
    /// The response header that says which version or instance answered, such as X-Version
    #[arg(long, value_name = "HEADER")]
    pub(crate) identity_header: Option<String>,
    /// Pass although nothing proves that a zero is one
    #[arg(long)]
    pub(crate) unproved_ok: bool,
    /// How long to look before the command begins
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(crate) baseline: Span,
    /// How long a client waits for a response, and how long no loss may be seen after the command's end
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(crate) timeout: Span,
    /// How long the command may take
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub(crate) within: Span,
    /// How long to look, without a command
    #[arg(long = "for", value_name = "DURATION", conflicts_with = "words")]
    pub(crate) duration: Option<Span>,
    /// The method: GET, HEAD or POST
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    pub(crate) method: String,
    /// A header of the requests; may be given several times
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) header: Vec<(String, String)>,
    /// The statuses that count as delivered, such as 404 or 3xx [default: 2xx]
    #[arg(long, value_name = "STATUS,…", value_delimiter = ',')]
    pub(crate) expect_status: Vec<String>,
    /// The name to ask for (Host and SNI) [default: the host of the URL]
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
    /// A PEM file of the authorities that its certificate is verified by [default: those of the system]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// The share of requests on a connection of their own
    #[arg(long, value_name = "SHARE", default_value = "10%")]
    pub(crate) fresh_connections: model::units::Share,
    /// The highest rate that is allowed
    #[arg(long, value_name = "RATE", default_value = MAX_RATE)]
    pub(crate) max_rate: Rate,
    /// The name of the results
    #[arg(long, value_name = "NAME", default_value = "watch")]
    pub(crate) name: String,
    /// Do everything N times
    #[arg(long, value_name = "N")]
    pub(crate) repeat: Option<u32>,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Directory for results, as DIR/<name>/<run-id>/
    #[arg(long, value_name = "DIR", default_value = RESULTS)]
    pub(crate) out: PathBuf,
    /// Also exit with 4 if the counts are DEGRADED
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print no progress, and not what the command says
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// The deploys of a command line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deploys<'a> {
    /// The one that shows that there is something to lose.
    pub(crate) careless: Option<&'a [String]>,
    /// The one that is asked about.
    pub(crate) asked: Option<&'a [String]>,
}

impl Watch {
    /// The careless deploy and the careful one, as far as there are such.
    pub(crate) fn deploys(&self) -> Result<Deploys<'_>, &'static str> {
        match (self.control, self.words.as_slice()) {
            (false, []) => Ok(Deploys::default()),
            (false, words) => Ok(Deploys { careless: None, asked: Some(words) }),
            (true, words) => {
                let at = words.iter().position(|word| word == "--");
                let parts = at.map(|at| (&words[..at], &words[at + 1..]));
                match parts.filter(|(careless, careful)| !careless.is_empty() && !careful.is_empty()) {
                    Some((careless, careful)) => {
                        Ok(Deploys { careless: Some(careless), asked: Some(careful) })
                    }
                    None => {
                        Err("--control needs two commands: `rig watch URL --control -- CARELESS -- CAREFUL`")
                    }
                }
            }
        }
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("must be `NAME: VALUE`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
