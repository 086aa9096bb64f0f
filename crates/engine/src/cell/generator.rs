//! One generator: launches it, gives it its job, follows it, and keeps its account.

use std::path::Path;
use std::time::Duration;

use model::component::Component;
use model::generators::LoadPart;
use model::history::Happening;
use model::job::{Command, Frame, GeneratorReport, Job, LoadJob, Progress};
use model::units::Nanos;
use tokio::sync::mpsc;

use super::error::CellError;
use super::frames::{greet, next_frame, tell};
use super::recorder::Recorder;
use crate::host::Signal;
use crate::runtime::{Launch, Pod, Process, Runs, Runtime};

/// Progress comes four times a second; this long without any means that the generator hangs.
const SILENCE: Duration = Duration::from_secs(15);
/// How long a generator may take to exit after its last word.
const EXIT_WITHIN: Duration = Duration::from_secs(5);

/// A generator that waits for its job.
pub(super) struct Idle {
    process: Process,
    part: LoadPart,
}

/// A generator that has its schedule.
pub(super) struct GeneratorProcess {
    process: Process,
    /// Requests that it was going to send.
    pub(super) requests: u64,
    /// Whether its CPU time has been recorded since the first measured request was due.
    measured: bool,
    /// Since when nothing more of its schedule is due, if that ended early.
    pub(super) shortened: Option<Nanos>,
    /// What it said at its end.
    pub(super) report: Option<GeneratorReport>,
    /// Whether its exit has been recorded.
    exited: bool,
}

/// Launches the generator of `part` in `pod`, where it waits for its job.
pub(super) async fn launch<R: Runtime>(
    runtime: &R,
    recorder: &Recorder<'_>,
    pod: &Pod,
    part: LoadPart,
    directory: &Path,
) -> Result<Idle, CellError> {
    std::fs::create_dir_all(directory).map_err(CellError::file(directory))?;
    let component = part.generator();
    let mut process = runtime
        .start(Launch {
            component: component.clone(),
            pod,
            runs: Runs::Agent("load"),
            arguments: vec![],
            variables: vec![],
            directory: directory.to_owned(),
            leaves: Vec::new(),
        })
        .await?;
    recorder.record(Happening::Launched { component, pid: process.handle.pid });
    greet(&mut process).await?;
    Ok(Idle { process, part })
}

impl Idle {
    /// Which part of the load it sends.
    pub(super) fn part(&self) -> LoadPart {
        self.part
    }

    /// Gives it its job.
    pub(super) async fn begin(mut self, job: LoadJob) -> Result<GeneratorProcess, CellError> {
        tell(&mut self.process, &Job::Load(job)).await?;
        let process = self.process;
        GeneratorProcess {
            process,
            requests: 0,
            measured: false,
            shortened: None,
            report: None,
            exited: false,
        }
        .scheduled()
        .await
    }
}

impl GeneratorProcess {
    async fn scheduled(mut self) -> Result<GeneratorProcess, CellError> {
        match next_frame(&mut self.process, SILENCE).await? {
            Frame::Scheduled { requests } => Ok(GeneratorProcess { requests, ..self }),
            other => Err(self.unexpected("its schedule", &other)),
        }
    }

    fn unexpected(&self, wanted: &str, found: &Frame) -> CellError {
        let reason = format!("expected {wanted}, got {found:?}");
        CellError::AgentFailed { agent: self.component().clone(), reason }
    }

    fn component(&self) -> &Component {
        &self.process.handle.component
    }

    /// Asks it to stop: what is under way or still due is recorded as cancelled.
    pub(super) async fn stop<R: Runtime>(&self, runtime: &R) {
        // One that can't be told has died, and is no worse off.
        let _ = runtime.signal(&self.process.handle, Signal::Term).await;
    }

    /// What takes its controller's commands.
    pub(super) fn commands(&self) -> mpsc::Sender<String> {
        self.process.input.clone()
    }

    /// Follows it until every request has ended, and tells `watcher` how far it is. May be given up and called again.
    pub(super) async fn followed(
        &mut self,
        recorder: &Recorder<'_>,
        origin: Nanos,
        watcher: &dyn Fn(Progress),
    ) -> Result<(), CellError> {
        while self.report.is_none() {
            match next_frame(&mut self.process, SILENCE).await? {
                Frame::Progress(progress) => {
                    if !self.measured && agent::clock::now() >= origin {
                        self.measured = true;
                        recorder.record(self.cpu_read(progress.cpu_seconds));
                    }
                    watcher(progress);
                }
                Frame::Shortened { at, .. } => self.shortened = Some(at),
                Frame::Done(report) => {
                    recorder.record(self.cpu_read(report.cpu_seconds));
                    self.report = Some(report);
                }
                other => return Err(self.unexpected("progress", &other)),
            }
        }
        Ok(())
    }

    /// Waits a moment for its exit, and records it.
    pub(super) async fn exit(&mut self, recorder: &Recorder<'_>) {
        if self.exited {
            return;
        }
        if let Some(status) = self.process.handle.wait(EXIT_WITHIN).await {
            self.exited = true;
            let component = self.component().clone();
            recorder.record(Happening::Exited { component, status, expected: true });
        }
    }

    fn cpu_read(&self, seconds: f64) -> Happening {
        Happening::CpuRead {
            component: self.component().clone(),
            seconds,
            source: "its own CLOCK_PROCESS_CPUTIME_ID".into(),
        }
    }
}

/// Lets generators end their loads at `at`.
pub(super) async fn enough(generators: &[mpsc::Sender<String>], at: Nanos) {
    let line = serde_json::to_string(&Command::Enough { at }).unwrap_or_default();
    for generator in generators {
        // One that is gone says why when its next frame is missed.
        let _ = generator.send(line.clone()).await;
    }
}
