//! Where cells run: which runtime, and why. The first line of output says it.

use std::path::PathBuf;

use engine::program::Program;
use engine::runtime::docker::endpoint::Endpoint;
use engine::runtime::docker::{DockerError, Engine};
use tokio::sync::watch;

use crate::cli::{PullName, RuntimeName};
use crate::exit::{Failure, tell};
use crate::progress::{Preparation, Show};

/// A runtime that is ready for cells.
pub(crate) enum Place {
    /// Local processes; agents are this executable.
    Processes(PathBuf),
    /// A container engine.
    Docker(Box<Engine>),
}

/// Chooses as the user `wanted` for `programs`, which are to run beside rig's agents; `None`: the user stopped it.
///
/// # Errors
/// If what was asked for by name can't be had, or what was chosen can't be made ready.
pub(crate) async fn choose(
    wanted: RuntimeName,
    pull: PullName,
    programs: &[&'static Program],
    show: Show,
    mut interrupted: watch::Receiver<bool>,
) -> Result<Option<Place>, Failure> {
    let executable = std::env::current_exe().map_err(Failure::environment)?;
    let asked = match wanted {
        RuntimeName::Auto => "auto",
        RuntimeName::Process | RuntimeName::Docker => "as asked",
    };
    if wanted == RuntimeName::Process {
        say(show, "process", asked, "");
        return Ok(Some(Place::Processes(executable)));
    }
    let available = tokio::select! {
        available = available(pull, executable.clone(), programs) => available,
        _ = interrupted.wait_for(|stop| *stop) => return Ok(None),
    };
    let mut engine = match available {
        Ok(engine) => engine,
        Err(error) if wanted == RuntimeName::Docker => return Err(Failure::environment(error)),
        Err(error) => {
            // Its help is for those who asked for what failed.
            say(show, "process", asked, &on_one_line(&error.to_string()));
            return Ok(Some(Place::Processes(executable)));
        }
    };
    let endpoint = engine.endpoint();
    let why = format!("an engine answers at {}, from {}", endpoint.url, endpoint.found_by);
    say(show, "docker", asked, &why);
    let preparation = Preparation::begin(show, "images");
    let progress = |words: &str| preparation.tell(words);
    let begun = tokio::select! {
        begun = engine.begin(programs, &progress) => begun.map_err(Failure::environment).map(|()| true),
        _ = interrupted.wait_for(|stop| *stop) => Ok(false),
    };
    match begun {
        Ok(true) => Ok(Some(Place::Docker(Box::new(engine)))),
        broken_off => {
            let abandoned = engine.abandon().await.map_err(Failure::environment);
            // Why it can't be used says more than what it has left.
            broken_off.and_then(|_| abandoned.map(|()| None))
        }
    }
}

/// The engine, if it answers and there is a way to every image.
async fn available(
    pull: PullName,
    executable: PathBuf,
    programs: &[&'static Program],
) -> Result<Engine, DockerError> {
    let endpoint = Endpoint::find(&|name| std::env::var_os(name))?;
    let docker = endpoint.connect().await?;
    let engine = Engine::new(docker, endpoint, pull.into(), executable).await?;
    engine.choose(programs).await?;
    Ok(engine)
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn say(show: Show, runtime: &str, asked: &str, why: &str) {
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    if show != Show::Quiet {
        tell(&format!("runtime: {runtime} ({asked}{why})"));
    }
}
