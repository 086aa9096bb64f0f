//! The component that outlives rig: it waits for the end of its standard input, which is the end of the controller
//! however that came, and removes what is left of the run.

use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::endpoint::Endpoint;
use super::error::DockerError;
use super::owner::RUN;
use super::sweep::{sweep, sweep_all};

/// What it says when it is ready.
pub(super) const READY: &str = "ready";
/// What the controller says when it has removed everything itself.
pub(super) const DONE: &str = "done";
/// How often it looks. A request that the controller sent with its last breath may still make something.
const PAUSE: Duration = Duration::from_millis(500);
/// How often in a row it must find nothing, unless the controller said that there is nothing.
const TIMES: usize = 2;
/// How often it looks in all.
const AT_MOST: usize = 120;

/// What of a run is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All but the reaper, which removes it.
    AllButReaper,
    /// The reaper as well.
    Whole,
}

/// Waits for the end of the standard input, then removes `extent` of `run`.
///
/// # Errors
/// If the engine doesn't answer, or refuses.
pub async fn reap(endpoint: &Endpoint, run: &str, extent: Extent) -> Result<(), DockerError> {
    let docker = endpoint.connect().await?;
    println!("{READY}");
    // The end of the input is all that counts, and a failure is one.
    let mut last = String::new();
    let _ = tokio::io::stdin().read_to_string(&mut last).await;
    let times = if last.trim() == DONE { 1 } else { TIMES };
    let mut in_a_row = 0;
    for _ in 0..AT_MOST {
        let labels = [format!("{RUN}={run}")];
        let swept = match extent {
            Extent::AllButReaper => sweep(&docker, &labels).await,
            Extent::Whole => sweep_all(&docker, &labels).await,
        };
        match swept {
            Ok(0) => in_a_row += 1,
            // What can't be removed now may be next time.
            Ok(_) | Err(_) => in_a_row = 0,
        }
        if in_a_row == times {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(DockerError::Leftover { reason: format!("{AT_MOST} attempts were not enough") })
}
