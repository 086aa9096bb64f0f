//! Chooses the runtime for the cells. The first line of output says which, and why.

use std::path::PathBuf;

use engine::program::ProgramVersion;
use engine::runtime::docker::endpoint::Endpoint;
use engine::runtime::docker::{DockerError, Engine};
use tokio::sync::watch;

use crate::cli::{PullName, RuntimeName};
use crate::exit::{Failure, tell};
use crate::progress::{Preparation, Show};

/// The chosen runtime, ready for cells.
pub(crate) enum Chosen {
    /// Local processes; agents are this executable.
    Processes(PathBuf),
    /// A container engine.
    Docker(Box<Engine>),
}

/// What becomes of a program that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissingProgram {
    /// Nothing can run without it.
    IsAnError,
    /// What needs it is left out.
    IsLeftOut,
}

/// Chooses a runtime for `programs` and rig's agents, as the user `wanted`; `None`: the user interrupted it.
///
/// # Errors
/// If the named runtime is not available, or the chosen one can't be made ready.
pub(crate) async fn choose(
    wanted: RuntimeName,
    pull: PullName,
    programs: &[ProgramVersion],
    missing: MissingProgram,
    show: Show,
    mut interrupted: watch::Receiver<bool>,
) -> Result<Option<Chosen>, Failure> {
    let executable = std::env::current_exe().map_err(Failure::environment)?;
    let asked = match wanted {
        RuntimeName::Auto => "auto",
        RuntimeName::Process | RuntimeName::Docker => "as asked",
    };
    if wanted == RuntimeName::Process {
        say(show, "process", asked, "");
        return Ok(Some(Chosen::Processes(executable)));
    }
    let available = tokio::select! {
        available = available(pull, executable.clone(), programs, missing) => available,
        _ = interrupted.wait_for(|stop| *stop) => return Ok(None),
    };
    let (mut engine, programs) = match available {
        Ok(available) => available,
        Err(error) if wanted == RuntimeName::Docker => return Err(Failure::environment(error)),
        Err(error) => {
            // The help is meant for users who asked for Docker.
            say(show, "process", asked, &on_one_line(&error.to_string()));
            return Ok(Some(Chosen::Processes(executable)));
        }
    };
    let endpoint = engine.endpoint();
    let why = format!("an engine answers at {}, from {}", endpoint.url, endpoint.found_by);
    say(show, "docker", asked, &why);
    let preparation = Preparation::begin(show, "images");
    let progress = |words: &str| preparation.tell(words);
    let begun = tokio::select! {
        begun = engine.begin(&programs, &progress) => begun.map_err(Failure::environment).map(|()| true),
        _ = interrupted.wait_for(|stop| *stop) => Ok(false),
    };
    match begun {
        Ok(true) => Ok(Some(Chosen::Docker(Box::new(engine)))),
        broken_off => {
            let abandoned = engine.abandon().await.map_err(Failure::environment);
            // The reason says more than what it left behind.
            broken_off.and_then(|_| abandoned.map(|()| None))
        }
    }
}

/// The engine, if it answers, and the programs to prepare: images of all of them can be had.
async fn available(
    pull: PullName,
    executable: PathBuf,
    programs: &[ProgramVersion],
    missing: MissingProgram,
) -> Result<(Engine, Vec<ProgramVersion>), DockerError> {
    let endpoint = Endpoint::find(&|name| std::env::var_os(name))?;
    let docker = endpoint.connect().await?;
    let engine = Engine::new(docker, endpoint, pull.into(), executable).await?;
    let mut there = Vec::new();
    for program in programs {
        match engine.choose(&[*program]).await {
            Ok(()) => there.push(*program),
            Err(DockerError::NoImage { .. }) if missing == MissingProgram::IsLeftOut => {}
            Err(error) => return Err(error),
        }
    }
    Ok((engine, there))
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
