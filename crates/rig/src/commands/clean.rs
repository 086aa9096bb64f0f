//! `rig clean`: removes what dead runs have left on the Docker engine.

use engine::runtime::docker::endpoint::Endpoint;
use engine::runtime::docker::{clean, remove_packed_images};

use crate::cli::Clean;
use crate::exit::{Exit, Failure, print_plain};

/// Removes, and says what was removed and what was spared.
pub(crate) fn perform(wanted: &Clean) -> Result<Exit, Failure> {
    let controller =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::environment)?;
    controller.block_on(async {
        let endpoint = Endpoint::find(&|name| std::env::var_os(name)).map_err(Failure::environment)?;
        let docker = endpoint.connect().await.map_err(Failure::environment)?;
        let cleaned = clean(&docker, wanted.unseen).await.map_err(Failure::environment)?;
        let mut lines = format!("removed: {} containers and networks of dead runs\n", cleaned.removed);
        for spared in &cleaned.spared {
            lines.push_str(&format!("spared: {spared}\n"));
        }
        if wanted.images {
            let images = remove_packed_images(&docker).await.map_err(Failure::environment)?;
            lines.push_str(&format!("removed: {images} packed images\n"));
        }
        print_plain(&lines)?;
        Ok(Exit::Held)
    })
}
