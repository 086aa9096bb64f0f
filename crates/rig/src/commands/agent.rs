//! `rig agent`: the processes that rig launches.

use std::process::ExitCode;

use crate::cli::{Agent, Exec};
use crate::exit::Failure;

/// Becomes an agent, and ends with its exit code.
pub(crate) fn perform(wanted: Agent) -> Result<ExitCode, Failure> {
    match wanted {
        Agent::Load => Ok(load::run()),
        Agent::Backend => Ok(backend::run()),
        Agent::Exec(Exec { parent, signal, program }) => {
            let error = agent::exec::exec_dying_with_parent(signal, parent, &program);
            let name = program.first().map(|name| name.display().to_string()).unwrap_or_default();
            Err(Failure::environment(anyhow::anyhow!("{name} could not be executed: {error}")))
        }
    }
}
