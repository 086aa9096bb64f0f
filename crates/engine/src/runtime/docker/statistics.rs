//! CPU time of a container as the engine tells it, where its control group can't be read.

use bollard::Docker;
use bollard::query_parameters::StatsOptionsBuilder;
use futures_util::StreamExt;

use super::error::DockerError;
use crate::runtime::CpuUse;

/// The CPU time of `container`. The engine may take a second to answer.
pub(super) async fn cpu_time(docker: &Docker, container: &str) -> Result<CpuUse, DockerError> {
    let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
    let mut answers = Box::pin(docker.stats(container, Some(options)));
    let answer =
        answers.next().await.transpose().map_err(DockerError::refused("tell a container's CPU time"))?;
    let usage = answer.and_then(|answer| answer.cpu_stats?.cpu_usage?.total_usage);
    // A container that has ended is told as one that used nothing.
    let nanos = usage.filter(|nanos| *nanos > 0).ok_or_else(|| DockerError::Refused {
        doing: "tell a container's CPU time".into(),
        reason: "its answer holds none".into(),
    })?;
    Ok(CpuUse { seconds: nanos as f64 / 1e9, source: "the engine's statistics of its container" })
}
