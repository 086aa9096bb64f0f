//! What stands in for the reaper until that runs: between its container's making and its start nothing else would see
//! that rig has died.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::endpoint::Endpoint;
use super::error::DockerError;
use crate::host::processes::Spared;

/// A process of this machine that removes everything of the run, the reaper included, if rig dies.
pub(super) struct Guard(Spared);

impl Guard {
    /// Starts it. In a process group of its own, so that what ends rig from its terminal doesn't end it.
    pub(super) fn stand(executable: &Path, endpoint: &Endpoint, run: &str) -> Result<Guard, DockerError> {
        let mut command = Command::new(executable);
        command.args(["agent", "reap", "--whole", "--run", run]).env("DOCKER_HOST", &endpoint.url);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let spared = Spared::spawn(&mut command).map_err(|error| DockerError::Refused {
            doing: "be guarded until its reaper runs".into(),
            reason: format!("{} can't be executed: {error}", executable.display()),
        })?;
        Ok(Guard(spared))
    }

    /// Ends it: the reaper runs.
    pub(super) async fn relieve(self) {
        self.0.end().await;
    }
}
