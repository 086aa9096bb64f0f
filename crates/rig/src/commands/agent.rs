//! `rig agent`: the processes that rig launches.

use std::process::ExitCode;

use engine::runtime::docker::endpoint::Endpoint;
use engine::runtime::docker::{Extent, reap};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Agent, Exec, Keep, Reap};
use crate::exit::Failure;

/// Becomes an agent, and ends with its exit code.
pub(crate) fn perform(wanted: Agent) -> Result<ExitCode, Failure> {
    match wanted {
        Agent::Load => Ok(load::run()),
        Agent::Backend => Ok(backend::run()),
        Agent::Dns => Ok(dns::run()),
        Agent::Pause => waiting()?.block_on(async {
            let mut terminated = signal(SignalKind::terminate()).map_err(Failure::environment)?;
            terminated.recv().await;
            Ok(ExitCode::SUCCESS)
        }),
        Agent::Reap(Reap { run, whole }) => waiting()?.block_on(async {
            let endpoint = Endpoint::find(&|name| std::env::var_os(name)).map_err(Failure::environment)?;
            let extent = if whole { Extent::Whole } else { Extent::AllButReaper };
            reap(&endpoint, &run, extent).await.map_err(Failure::environment)?;
            Ok(ExitCode::SUCCESS)
        }),
        Agent::Keep(Keep { group, leaves }) => {
            agent::keep::keep(group, &leaves, std::io::stdin());
            Ok(ExitCode::SUCCESS)
        }
        Agent::Exec(Exec { parent, signal, program }) => {
            let error = agent::exec::exec_dying_with_parent(signal, parent, &program);
            let name = program.first().map(|name| name.display().to_string()).unwrap_or_default();
            Err(Failure::environment(anyhow::anyhow!("{name} can't be executed: {error}")))
        }
    }
}

fn waiting() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::environment)
}
