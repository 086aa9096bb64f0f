//! The generator's side of a cell: launches it, follows it, and takes its account.

use std::path::Path;
use std::time::Duration;

use model::component::Component;
use model::history::Happening;
use model::job::{Frame, Job, LoadJob};
use model::units::{Nanos, Span};
use tokio::sync::mpsc;

use super::error::CellError;
use super::frames::{greet, next_frame, tell};
use super::recorder::{Observation, Recorder, Watcher};
use crate::host::Signal;
use crate::runtime::{Launch, Pod, Process, Runs, Runtime};

/// Between the job and the first arrival: the agent must have its schedule by then.
const LEAD: Duration = Duration::from_millis(200);
/// Progress comes four times a second; this long without any means that the generator hangs.
const SILENCE: Duration = Duration::from_secs(15);

/// How long an interrupted generator may take to record what it had under way.
const CANCEL_WITHIN: Duration = Duration::from_secs(3);

/// A generator that waits for its job.
pub(super) struct Idle {
    process: Process,
}

/// A generator that has its schedule.
pub(super) struct GeneratorProcess {
    process: Process,
    /// Whether its CPU time has been recorded since the first measured request was due.
    measured: bool,
    /// When the first measured request is due.
    pub(super) origin: Nanos,
}

/// Launches the generator in `pod`, where it waits for its job.
pub(super) async fn launch<R: Runtime>(
    runtime: &R,
    recorder: &Recorder<'_>,
    pod: &Pod,
    directory: &Path,
) -> Result<Idle, CellError> {
    std::fs::create_dir_all(directory).map_err(CellError::file(directory))?;
    let mut process = runtime
        .start(Launch {
            component: Component::Generator,
            pod,
            runs: Runs::Agent("load"),
            arguments: vec![],
            variables: vec![],
            directory: directory.to_owned(),
            leaves: Vec::new(),
        })
        .await?;
    recorder.record(Happening::Launched { component: Component::Generator, pid: process.handle.pid });
    greet(&mut process).await?;
    Ok(Idle { process })
}

impl Idle {
    /// Gives it its job, which gets its origin here.
    pub(super) async fn begin(
        mut self,
        recorder: &Recorder<'_>,
        job: LoadJob,
    ) -> Result<GeneratorProcess, CellError> {
        let origin = agent::clock::now() + LEAD + job.traffic.warmup.0;
        tell(&mut self.process, &Job::Load(LoadJob { origin, ..job })).await?;
        match next_frame(&mut self.process, SILENCE).await? {
            Frame::Scheduled { requests } => recorder.record(Happening::Scheduled { requests, origin }),
            other => {
                let reason = format!("expected its schedule, got {other:?}");
                return Err(CellError::AgentFailed { agent: Component::Generator, reason });
            }
        }
        Ok(GeneratorProcess { process: self.process, measured: false, origin })
    }
}

impl GeneratorProcess {
    /// Asks the generator to stop: what is under way or still due is recorded as cancelled.
    pub(super) async fn cancel<R: Runtime>(&mut self, runtime: &R, recorder: &Recorder<'_>) {
        // One that can't be told has died, and is no worse off.
        let _ = runtime.signal(&self.process.handle, Signal::Term).await;
        // One that doesn't answer has lost its last records, which the books will say.
        let _ = tokio::time::timeout(CANCEL_WITHIN, self.finish(recorder)).await;
    }

    /// What takes its controller's commands.
    pub(super) fn commands(&self) -> mpsc::Sender<String> {
        self.process.input.clone()
    }

    /// Follows the generator until every request has ended, and records its account.
    pub(super) async fn finish(&mut self, recorder: &Recorder<'_>) -> Result<(), CellError> {
        self.followed(recorder, &|told| recorder.show(told)).await
    }

    /// The same, and tells `watcher` how far it is.
    pub(super) async fn followed(
        &mut self,
        recorder: &Recorder<'_>,
        watcher: &Watcher<'_>,
    ) -> Result<(), CellError> {
        loop {
            match next_frame(&mut self.process, SILENCE).await? {
                Frame::Progress(progress) => {
                    if !self.measured && agent::clock::now() >= self.origin {
                        self.measured = true;
                        recorder.record(cpu_read(progress.cpu_seconds));
                    }
                    watcher(Observation::Progress(progress));
                }
                Frame::Shortened { requests, at } => {
                    recorder
                        .record(Happening::LoadShortened { requests, after: Span(at.since(self.origin)) });
                }
                Frame::Done(generator) => {
                    recorder.record(cpu_read(generator.cpu_seconds));
                    recorder.record(Happening::LoadFinished { generator });
                    break;
                }
                other => {
                    let reason = format!("expected progress, got {other:?}");
                    return Err(CellError::AgentFailed { agent: Component::Generator, reason });
                }
            }
        }
        if let Some(status) = self.process.handle.wait(Duration::from_secs(5)).await {
            recorder.record(Happening::Exited { component: Component::Generator, status, expected: true });
        }
        Ok(())
    }
}

fn cpu_read(seconds: f64) -> Happening {
    Happening::CpuRead {
        component: Component::Generator,
        seconds,
        source: "its own CLOCK_PROCESS_CPUTIME_ID".into(),
    }
}
