//! Why something could not be had of a Docker engine. Each says what, where, and what to do about it.

use std::path::PathBuf;

use bollard::errors::Error;

use crate::help::Help;

/// What rig can't do for lack of an engine, an image, or the means to make one.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// The engine isn't there, or doesn't answer as one.
    #[error("no Docker engine answers at {url} (from {found_by}): {reason}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What says so.
        found_by: String,
        /// Why it can't be reached.
        reason: String,
        /// What to do.
        help: &'static str,
    },
    /// The engine's address is of a kind that rig can't use.
    #[error("the Docker engine at {url} (from {found_by}) can't be used: {reason}")]
    Unsupported {
        /// Its address.
        url: String,
        /// What says so.
        found_by: String,
        /// What can't be used about it.
        reason: &'static str,
    },
    /// A context of the Docker CLI doesn't exist, or has no usable description.
    #[error("the Docker context `{name}` (from {found_by}) can't be used: {}: {reason}", path.display())]
    Context {
        /// Which.
        name: String,
        /// What names it.
        found_by: String,
        /// The file that should describe it.
        path: PathBuf,
        /// Why it doesn't.
        reason: String,
    },
    /// The Docker CLI's configuration can't be read.
    #[error("the Docker CLI's configuration {} can't be read: {reason}", path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The engine is older than what rig needs.
    #[error(
        "the Docker engine at {url} is too old: it speaks version {api} of the API, and rig needs {needed}"
    )]
    TooOld {
        /// Where it is.
        url: String,
        /// What it speaks.
        api: String,
        /// The oldest version that will do.
        needed: String,
    },
    /// The engine refused something, or failed at it.
    #[error("the Docker engine could not {doing}: {reason}")]
    Refused {
        /// What it should have done, as in "import the image `x`".
        doing: String,
        /// Its own words.
        reason: String,
    },
    /// There is no way to an image.
    #[error("there is no image for {component}:\n{}", indented(tried))]
    NoImage {
        /// The component that should run from it.
        component: String,
        /// What was tried, each with the reason why it failed.
        tried: Vec<String>,
        /// What to do.
        help: String,
    },
    /// A program of this system can't be made into an image.
    #[error("{} can't be packed into an image: {reason}", program.display())]
    Packing {
        /// The program.
        program: PathBuf,
        /// Why.
        reason: String,
    },
    /// An event that must follow a request has not come.
    #[error("the Docker engine reported no `{action}` event: {reason}")]
    NoEvent {
        /// Which.
        action: &'static str,
        /// Why.
        reason: String,
    },
    /// What happens to containers is not heard of any more, or nothing would remove them after rig's death.
    #[error("the Docker engine has been lost: {reason}")]
    Lost {
        /// Why.
        reason: String,
    },
    /// Every subnet is taken.
    #[error(
        "the Docker engine has no free subnet for the cell's network: {tried} of 198.18.0.0/15 were tried: {last}"
    )]
    NoSubnet {
        /// How many were tried.
        tried: u32,
        /// What the engine said of the last.
        last: String,
    },
    /// The engine does not see this machine's files.
    #[error("the Docker engine does not see {directory} of this machine: {reason}")]
    Elsewhere {
        /// The directory.
        directory: String,
        /// The engine's words.
        reason: String,
    },
    /// Something of the run is still there.
    #[error("not everything of this run could be removed from the Docker engine: {reason}")]
    Leftover {
        /// Why.
        reason: String,
    },
}

impl Help for DockerError {
    fn help(&self) -> Option<String> {
        let help = match self {
            DockerError::Unreachable { help, .. } => help,
            DockerError::NoImage { help, .. } => help.as_str(),
            DockerError::Unsupported { .. } => {
                "rig speaks to unix:///path/to/docker.sock, and to tcp://host:port without TLS; forward such a socket \
                 with `ssh -L`"
            }
            DockerError::Context { .. } => {
                "`docker context ls` lists what there is; choose one with DOCKER_CONTEXT, or name the engine itself with \
                 DOCKER_HOST"
            }
            DockerError::Configuration { .. } => "repair it, or name the engine with DOCKER_HOST",
            DockerError::TooOld { .. } => "update it to Docker Engine 20.10 or newer",
            DockerError::Packing { .. } => "docker/README.md says how to build or load images instead",
            DockerError::Lost { .. } => "`rig doctor` checks it; run again when it answers",
            DockerError::NoSubnet { .. } => {
                "`rig clean` removes what dead runs have left; `docker network ls` shows the rest"
            }
            DockerError::Elsewhere { .. } => {
                "rig shares the results' directory with containers, so the engine must run on the same machine; \
                 `--runtime process` needs none"
            }
            DockerError::Leftover { .. } => "run `rig clean` when the engine answers again",
            DockerError::Refused { .. } | DockerError::NoEvent { .. } => return None,
        };
        Some(help.to_owned())
    }
}

impl DockerError {
    /// For `map_err` on calls to the engine; `doing` completes "the engine could not …".
    pub(super) fn refused(doing: impl Into<String>) -> impl FnOnce(Error) -> DockerError {
        let doing = doing.into();
        move |error| DockerError::Refused { doing, reason: words(&error) }
    }
}

/// The engine's own words, without what the client library puts around them.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        Error::RequestTimeoutError => "it did not answer in time".to_owned(),
        other => innermost(other),
    }
}

/// The cause that the others only wrap.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

fn indented(tried: &[String]) -> String {
    tried.iter().map(|text| format!("  - {}", text.replace('\n', "\n  "))).collect::<Vec<_>>().join("\n")
}
