//! The server as a process: `rig agent dns`.

use std::io;
use std::process::ExitCode;

use agent::clock;
use agent::frames::{self, EXIT_ENVIRONMENT};
use model::job::{Command, DnsJob, Frame, Job};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::server::{DnsError, DnsServer};

#[derive(Debug, thiserror::Error)]
enum ServingError {
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
    #[error(transparent)]
    Dns(#[from] DnsError),
    #[error("a line on stdin isn't a command: {0}")]
    Command(#[from] serde_json::Error),
}

/// Says hello, reads its job from stdin and serves until SIGTERM or the end of stdin.
pub fn run() -> ExitCode {
    let job = match frames::hello_and_job() {
        Ok(Job::Dns(job)) => job,
        Ok(_) => return frames::fault(&"this is a DNS server; its job must be one"),
        Err(error) => return frames::fault(&error),
    };
    match serve_until_told(job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => frames::fault(&error),
    }
}

fn serve_until_told(job: DnsJob) -> Result<(), ServingError> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate())?;
        let server = DnsServer::bind(job.listen, job.names.into_iter().collect()).await?;
        frames::send(&Frame::Listening);
        tokio::select! {
            biased;
            obeyed = obey(&server) => {
                obeyed?;
                std::process::exit(EXIT_ENVIRONMENT.into())
            }
            _ = terminated.recv() => Ok(()),
            () = server.serve() => Ok(()),
        }
    })
}

/// Follows commands until stdin ends: the controller died.
async fn obey(server: &DnsServer) -> Result<(), ServingError> {
    let mut lines = frames::lines_to_come();
    while let Some(line) = lines.recv().await {
        let Command::Records(records) = serde_json::from_str(&line)? else { continue };
        server.set(records);
        frames::send(&Frame::Renamed { at: clock::now() });
    }
    Ok(())
}
