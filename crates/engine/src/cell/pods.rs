//! Where backends live: a pod for each, spares included.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use model::topology::{Pool, Topology};

use crate::runtime::{Pod, PodOrder, Reach, Runtime, RuntimeError};

/// Opens the pods of the backends, each by its backend's name.
pub(super) async fn of_backends<R: Runtime>(
    runtime: &R,
    topology: &Topology,
) -> Result<BTreeMap<String, Pod>, RuntimeError> {
    let pools = topology.pools.iter().map(|pool| of_pool(runtime, pool));
    Ok(try_join_all(pools).await?.into_iter().flatten().collect())
}

/// Those of a pool that is found by its name have one port, as A records have none.
async fn of_pool<R: Runtime>(runtime: &R, pool: &Pool) -> Result<Vec<(String, Pod)>, RuntimeError> {
    let open = async |id: &str, port: Option<u16>| {
        let mut pod = runtime.pod(PodOrder { name: id, ports: 1, reach: Reach::Cell, port }).await?;
        // An image listens where it does, and its pod has the address for itself.
        if let Some(own) = pool.service.as_ref().filter(|own| own.image.is_some()) {
            pod.addresses[0].set_port(own.port);
        }
        Ok::<_, RuntimeError>((id.to_owned(), pod))
    };
    let (first, others) = match pool.backends.as_slice() {
        [first, others @ ..] if pool.discovery.is_some() => (Some(open(&first.id, None).await?), others),
        all => (None, all),
    };
    let port = first.as_ref().map(|(_, pod)| pod.addresses[0].port());
    let others = try_join_all(others.iter().map(|backend| open(&backend.id, port))).await?;
    Ok(first.into_iter().chain(others).collect())
}
