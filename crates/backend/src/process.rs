//! The backend as a process: `rig agent backend`.

use std::io;
use std::process::ExitCode;

use agent::clock;
use agent::frames::{self, EXIT_ENVIRONMENT};
use model::job::{BackendJob, Command, Frame, Job};
use tokio::runtime::{Builder, LocalOptions};
use tokio::signal::unix::{SignalKind, signal};

use crate::behaviour::Behaviour;
use crate::server::{BackendError, serve};

#[derive(Debug, thiserror::Error)]
enum ProcessError {
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error("a line on stdin isn't a command: {0}")]
    Command(#[from] serde_json::Error),
}

/// Says hello, reads its job from stdin and serves until SIGTERM or the end of stdin.
pub fn run() -> ExitCode {
    let job = match frames::hello_and_job() {
        Ok(Job::Backend(job)) => job,
        Ok(_) => return frames::fault(&"this is a backend; its job must be one"),
        Err(error) => return frames::fault(&error),
    };
    match serve_until_told(job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => frames::fault(&error),
    }
}

fn serve_until_told(job: BackendJob) -> Result<(), ProcessError> {
    // The clock is the session store's client's: what is measured has a timer of its own.
    let runtime =
        Builder::new_current_thread().enable_io().enable_time().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate())?;
        let terminate = async {
            terminated.recv().await;
        };
        let behaviour = Behaviour::default();
        tokio::select! {
            biased;
            obeyed = obey(&behaviour) => {
                obeyed?;
                std::process::exit(EXIT_ENVIRONMENT.into())
            }
            served = serve(job, behaviour.clone(), |_| frames::send(&Frame::Listening), terminate) => Ok(served?),
        }
    })
}

/// Follows commands until stdin ends: the controller died.
async fn obey(behaviour: &Behaviour) -> Result<(), ProcessError> {
    let mut lines = frames::lines_to_come();
    while let Some(line) = lines.recv().await {
        let Command::Degrade(misbehaviour) = serde_json::from_str(&line)? else { continue };
        behaviour.set(misbehaviour);
        frames::send(&Frame::Behaves { at: clock::now() });
    }
    Ok(())
}
