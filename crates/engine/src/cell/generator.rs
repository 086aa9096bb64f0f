//! The generator's side of a cell: launches it, follows it, and takes its account.

use std::path::Path;
use std::time::Duration;

use model::history::Happening;
use model::job::{Frame, Job, LoadJob};
use model::units::Nanos;

use super::frames::{greet, next_frame};
use super::recorder::Recorder;
use crate::balancer::Signal;
use crate::error::EngineError;
use crate::runtime::{Launch, Process, Program, Runtime};

/// Between the launch and the first arrival: the agent must be up by then.
const LEAD: Duration = Duration::from_millis(400);
/// Progress comes four times a second; this long without any means that the generator hangs.
const SILENCE: Duration = Duration::from_secs(15);

/// How long an interrupted generator may take to record what it had under way.
const CANCEL_WITHIN: Duration = Duration::from_secs(3);

/// A generator that has its schedule.
pub(super) struct Generator {
    process: Process,
    /// When the first measured request is due.
    pub(super) origin: Nanos,
}

/// Launches the generator; `job` gets its origin here.
pub(super) async fn launch<R: Runtime>(
    runtime: &R,
    recorder: &Recorder<'_>,
    directory: &Path,
    job: LoadJob,
) -> Result<Generator, EngineError> {
    let origin = agent::clock::now() + LEAD + job.traffic.warmup.0;
    let job = Job::Load(LoadJob { origin, ..job });
    std::fs::create_dir_all(directory).map_err(EngineError::file(directory))?;
    let failed = |reason: String| EngineError::AgentFailed { agent: "generator".into(), reason };
    let mut process = runtime
        .start(Launch {
            component: "generator".into(),
            program: Program::Agent("load"),
            arguments: vec![],
            directory: directory.to_owned(),
            job: Some(serde_json::to_string(&job).map_err(|error| failed(error.to_string()))?),
        })
        .await?;
    recorder.record(Happening::Launched { component: "generator".into(), pid: process.pid });
    greet(&mut process).await?;
    match next_frame(&mut process, SILENCE).await? {
        Frame::Scheduled { requests } => recorder.record(Happening::Scheduled { requests, origin }),
        other => return Err(failed(format!("expected its schedule, it said {other:?}"))),
    }
    Ok(Generator { process, origin })
}

impl Generator {
    /// Asks the generator to stop: what is under way or still due is recorded as cancelled.
    pub(super) async fn cancel<R: Runtime>(&mut self, runtime: &R, recorder: &Recorder<'_>) {
        runtime.signal(&self.process, Signal::Term);
        // One that doesn't answer has lost its last records, which the books will say.
        let _ = tokio::time::timeout(CANCEL_WITHIN, self.finish(recorder)).await;
    }

    /// Follows the generator until every request has ended, and records its account.
    pub(super) async fn finish(&mut self, recorder: &Recorder<'_>) -> Result<(), EngineError> {
        loop {
            match next_frame(&mut self.process, SILENCE).await? {
                Frame::Progress(progress) => recorder.progress(progress),
                Frame::Done(generator) => {
                    recorder.record(Happening::LoadFinished { generator });
                    break;
                }
                other => {
                    let reason = format!("expected progress, it said {other:?}");
                    return Err(EngineError::AgentFailed { agent: "generator".into(), reason });
                }
            }
        }
        if let Some(status) = self.process.wait(Duration::from_secs(5)).await {
            recorder.record(Happening::Exited { component: "generator".into(), status, expected: true });
        }
        Ok(())
    }
}
