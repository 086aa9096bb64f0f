//! What stands in for the reaper until that runs: between its container's making and its start nothing else would see
//! that rig has died.

use std::path::Path;
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::endpoint::Endpoint;
use super::error::DockerError;

/// A process of this machine that removes everything of the run, the reaper included, if rig dies.
pub(super) struct Guard(Child);

impl Guard {
    /// Starts it. In a process group of its own, so that what ends rig from its terminal doesn't end it.
    pub(super) fn stand(executable: &Path, endpoint: &Endpoint, run: &str) -> Result<Guard, DockerError> {
        let mut command = Command::new(executable);
        command.args(["agent", "reap", "--whole", "--run", run]).env("DOCKER_HOST", &endpoint.url);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let child = command.spawn().map_err(|error| DockerError::Refused {
            doing: "be guarded until its reaper runs".into(),
            reason: format!("{} can't be executed: {error}", executable.display()),
        })?;
        Ok(Guard(child))
    }

    /// Ends it: the reaper runs.
    pub(super) async fn relieve(mut self) {
        // One that is gone already can't be ended, and needn't be.
        let _ = self.0.kill().await;
    }
}
