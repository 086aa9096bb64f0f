//! Reads what agents say on their standard output.

use std::time::Duration;

use model::component::{Component, ExitStatus};
use model::job::{Frame, Job, PROTOCOL};

use super::error::CellError;
use crate::runtime::Process;

/// The next frame of `process`, or why there is none.
pub(super) async fn next_frame(process: &mut Process, within: Duration) -> Result<Frame, CellError> {
    let failed = |agent: &Process, reason: String| CellError::AgentFailed {
        agent: agent.handle.component.clone(),
        reason,
    };
    let line = match tokio::time::timeout(within, process.lines.recv()).await {
        Ok(Some(line)) => line,
        Ok(None) => {
            let status = process
                .handle
                .wait(Duration::from_secs(2))
                .await
                .unwrap_or_else(|| ExitStatus::unknown("its output ended"));
            return Err(failed(process, status.to_string()));
        }
        Err(_) => {
            return Err(failed(process, format!("it wrote nothing for {} s", within.as_secs_f32())));
        }
    };
    frame(&process.handle.component, &line)
}

/// The frame in a line of `agent`'s; an error if the agent says that it can't go on.
pub(super) fn frame(agent: &Component, line: &str) -> Result<Frame, CellError> {
    let failed = |reason: String| CellError::AgentFailed { agent: agent.clone(), reason };
    match serde_json::from_str(line) {
        Ok(Frame::Fault { message }) => Err(failed(message)),
        Ok(frame) => Ok(frame),
        Err(error) => Err(failed(format!("it wrote a line that is no frame ({error}): {line}"))),
    }
}

/// Reads the hello, which comes first, and refuses an agent that speaks another protocol.
pub(super) async fn greet(process: &mut Process) -> Result<(), CellError> {
    let failed = |agent: &Process, reason: String| CellError::AgentFailed {
        agent: agent.handle.component.clone(),
        reason,
    };
    match next_frame(process, Duration::from_secs(10)).await? {
        Frame::Hello(hello) if hello.protocol != PROTOCOL => {
            Err(failed(process, format!("it speaks protocol {}, not {PROTOCOL}", hello.protocol)))
        }
        // On another kernel its times would need an offset, which is not measured yet.
        Frame::Hello(hello) if agent::clock::boot_id().is_ok_and(|own| own != hello.boot_id) => {
            Err(failed(process, "it runs on another kernel than the controller".into()))
        }
        Frame::Hello(_) => Ok(()),
        other => Err(failed(process, format!("its first frame is no hello: {other:?}"))),
    }
}

/// Gives an agent its job.
pub(super) async fn tell(process: &mut Process, job: &Job) -> Result<(), CellError> {
    let failed = |reason: String| CellError::AgentFailed { agent: process.handle.component.clone(), reason };
    let line = serde_json::to_string(job).map_err(|error| failed(error.to_string()))?;
    // An agent that is gone says why when its next frame is missed.
    let _ = process.input.send(line).await;
    Ok(())
}
