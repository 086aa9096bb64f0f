//! `rig clean`: removes what dead runs left, on disk and on the Docker engine.

use engine::help::with_help;
use engine::host::owner::OwnerState;
use engine::host::private;
use engine::runtime::docker::endpoint::Endpoint;
use engine::runtime::docker::{DockerError, clean, remove_packed_images};

use super::leftovers;
use crate::cli::Clean;
use crate::exit::{Exit, Failure, print_plain};

/// Removes leftovers, and prints what it removed and what it kept.
pub(crate) fn perform(wanted: &Clean) -> Result<Exit, Failure> {
    let (lines, failed) = files(wanted)?;
    print_plain(&lines)?;
    let controller =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::environment)?;
    let cleaned = controller.block_on(containers(wanted));
    match cleaned {
        Ok(lines) => print_plain(&lines)?,
        Err(error @ DockerError::Unreachable { .. }) if !wanted.images => {
            print_plain(&format!("containers were not checked: {}\n", with_help(&error)))?;
        }
        Err(error) => return Err(Failure::environment(error)),
    }
    if failed.is_empty() {
        Ok(Exit::Held)
    } else {
        Err(Failure::environment(anyhow::anyhow!(failed.join("\n"))))
    }
}

/// Removes directories of components below the results, and private directories of control interfaces, if their owner is
/// gone. Those of live runs stay.
fn files(wanted: &Clean) -> Result<(String, Vec<String>), Failure> {
    let (mut removed, mut lines, mut failed) = (0, String::new(), Vec::new());
    let mut treat = |path: &std::path::Path, state: OwnerState, remove: &dyn Fn() -> anyhow::Result<()>| {
        let path = path.display();
        match state {
            OwnerState::Lives => lines.push_str(&format!("kept: {path}: its run is live\n")),
            OwnerState::Unknown if !wanted.unseen => {
                lines.push_str(&format!(
                    "kept: {path}: its owner can't be seen from here; --unseen removes it\n"
                ));
            }
            OwnerState::Unknown | OwnerState::Gone => match remove() {
                Ok(()) => removed += 1,
                Err(error) => failed.push(format!("{path} can't be removed: {error}")),
            },
        }
    };
    for leftover in leftovers::all(&wanted.out).map_err(Failure::environment)? {
        treat(&leftover.path(), leftover.owner_state(), &|| leftover.remove());
    }
    for (path, state) in private::all() {
        treat(&path, state, &|| Ok(std::fs::remove_dir_all(&path)?));
    }
    Ok((format!("removed: {removed} directories of dead runs\n{lines}"), failed))
}

async fn containers(wanted: &Clean) -> Result<String, DockerError> {
    let endpoint = Endpoint::find(&|name| std::env::var_os(name))?;
    let docker = endpoint.connect().await?;
    let cleaned = clean(&docker, wanted.unseen).await?;
    let mut lines = format!("removed: {} containers and networks of dead runs\n", cleaned.removed);
    for spared in &cleaned.spared {
        lines.push_str(&format!("kept: {spared}\n"));
    }
    if wanted.images {
        let images = remove_packed_images(&docker).await?;
        lines.push_str(&format!("removed: {images} images that rig built\n"));
    }
    Ok(lines)
}
