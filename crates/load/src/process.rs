//! The generator as a process: `rig agent load`.

use std::process::ExitCode;

use agent::frames::{self, EXIT_ENVIRONMENT};
use model::job::{Command, Frame, GeneratorReport, Job, LoadJob};
use model::units::Nanos;
use tokio::runtime::{Builder, LocalOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::generator::{LoadError, generate};

/// Says hello, reads its job from stdin, sends the load and reports. SIGINT and SIGTERM end the run early but
/// orderly; the end of stdin ends it at once.
pub fn run() -> ExitCode {
    let job = match frames::hello_and_job() {
        Ok(Job::Load(job)) => job,
        Ok(_) => return frames::fault(&"this is a generator; its job must be a load"),
        Err(error) => return frames::fault(&error),
    };
    match generate_until_told(job) {
        Ok(report) => {
            frames::send(&Frame::Done(report));
            ExitCode::SUCCESS
        }
        Err(error) => frames::fault(&error),
    }
}

fn generate_until_told(job: LoadJob) -> Result<GeneratorReport, LoadError> {
    let runtime = Builder::new_current_thread().enable_io().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        let stop = async {
            tokio::select! {
                _ = interrupted.recv() => {}
                _ = terminated.recv() => {}
            }
        };
        let (enough, heard) = oneshot::channel();
        let was_enough = async {
            match heard.await {
                Ok(at) => at,
                // It is not said any more once the sender is gone.
                Err(_) => std::future::pending().await,
            }
        };
        let commands = frames::lines_to_come();
        tokio::select! {
            biased;
            () = told(commands, enough) => std::process::exit(EXIT_ENVIRONMENT.into()),
            generated = generate(job, |frame| frames::send(&frame), stop, was_enough) => generated,
        }
    })
}

/// Follows what the controller says; ends when that can say nothing more: it died.
async fn told(mut commands: mpsc::UnboundedReceiver<String>, enough: oneshot::Sender<Nanos>) {
    let mut enough = Some(enough);
    while let Some(line) = commands.recv().await {
        if let Ok(Command::Enough { at }) = serde_json::from_str(&line)
            && let Some(enough) = enough.take()
        {
            let _ = enough.send(at);
        }
    }
}
