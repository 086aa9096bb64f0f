//! A topology that serves until its user stops it: no timeline, a background load or none, and deploys on request.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::PathBuf;

use model::operations::{Operations, Whereabouts};
use model::timeline::Deploy;
use model::traffic::Traffic;
use tokio::sync::{mpsc, oneshot};

use super::control::Control;
use super::deploy::deploy;
use super::error::CellError;
use super::fleet::{CellFleet, FleetLoad};
use super::generators::{self, Generators};
use super::incumbent::Incumbent;
use super::lookout;
use super::served::Served;
use super::stages::Stages;
use super::testbed::Testbed;
use super::{Drive, End, Order, perform};
use crate::balancer::adapter;
use crate::host::certificates::Certificates;
use crate::runtime::Runtime;

/// What a requested deploy is called in the history.
const ENTRY: &str = "up";

/// The load beside what its user does.
#[derive(Clone, Debug)]
pub struct BackgroundLoad(pub Traffic);

/// Where a topology serves.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Where people reach the listener from this machine.
    pub listener: SocketAddr,
    /// The balancer's directory: configuration and logs.
    pub directory: PathBuf,
    /// How people look into it, with a backend of the first pool as the example; `None`: there is no backend,
    /// or nothing to look into.
    pub operations: Option<Operations>,
    /// The DNS server by which the balancer finds backends; `None`: it is told of each.
    pub names: Option<SocketAddr>,
    /// By which certificate people trust the listener; `None`: it speaks plain HTTP.
    pub authority: Option<PathBuf>,
    /// The name that the load asks for; `None`: the address, or rig's own name.
    pub host: Option<String>,
}

/// A deploy that the user asks for.
#[derive(Debug)]
pub struct DeployRequest {
    /// The deploy.
    pub deploy: Deploy,
    /// Gets how it ended; an error means that it did not take place, and the topology goes on serving.
    pub ended: oneshot::Sender<Result<(), CellError>>,
}

/// Lets a cell's topology serve until the user stops it. `told` learns where, once it is ready.
///
/// # Errors
/// As [`super::run`] has them.
pub async fn up<R: Runtime>(
    runtime: &R,
    order: &Order<'_>,
    load: Option<BackgroundLoad>,
    requests: mpsc::Receiver<DeployRequest>,
    told: impl FnOnce(&Serving),
) -> Result<End, CellError> {
    perform(runtime, order, async |testbed, stages, began| {
        testbed.serve(stages, began, load, requests, told).await
    })
    .await
}

impl<R: Runtime> Testbed<'_, R> {
    async fn serve(
        &self,
        stages: &Stages<'_>,
        began: &Cell<bool>,
        load: Option<BackgroundLoad>,
        mut requests: mpsc::Receiver<DeployRequest>,
        told: impl FnOnce(&Serving),
    ) -> Result<Drive, CellError> {
        let generators = async {
            match load {
                None => Ok(None),
                Some(BackgroundLoad(traffic)) => {
                    let pods = &self.generator_pods;
                    let idle = generators::launch(self.runtime, self.recorder, pods, &self.scratch).await?;
                    Ok(Some((idle, self.job(traffic))))
                }
            }
        };
        let (generators, balancer) = self.raise(stages, generators).await?;
        let mut generators = match generators {
            None => None,
            Some((idle, job)) => Some(idle.begin(self.recorder, job, self.order.dir).await?),
        };
        began.set(true);
        told(&Serving {
            listener: self.balancer_pod.published.unwrap_or(self.site.listener),
            directory: self.site.directory.clone(),
            operations: self
                .whereabouts()
                .and_then(|at| Some(adapter(self.kind).operated()?.operations(&at))),
            names: self.site.names,
            authority: self.site.certificates.as_ref().map(Certificates::authority),
            host: self.variant.traffic.host().map(str::to_owned),
        });
        let loaded = generators.is_some();
        let mut interrupted = self.order.interrupted.clone();
        let served = tokio::select! {
            biased;
            ended = self.loaded(&mut generators) => Err(ended),
            () = self.grant(&balancer, loaded, &mut requests) => Ok(Drive::Interrupted),
            died = self.unexpected_exit(&balancer) => Err(died),
            died = self.backends.unexpected_exit() => Err(died),
            lost = self.pod_lost() => Err(lost),
            _ = interrupted.wait_for(|stop| *stop) => Ok(Drive::Interrupted),
        }?;
        if let Some(generators) = &mut generators {
            generators.cancel(self.runtime, self.recorder).await;
        }
        self.wait_until_idle().await;
        self.stop_balancer(&balancer).await;
        self.stop_services().await;
        Ok(served)
    }

    /// Where the balancer and the first backend are.
    fn whereabouts(&self) -> Option<Whereabouts> {
        let pool = self.variant.topology.pools.first()?;
        let backend = pool.serving().next()?.id.clone();
        let address = self.site.address_of(&backend);
        Some(Whereabouts {
            admin: self.site.admin.display().to_string(),
            directory: self.site.directory.display().to_string(),
            pool: pool.name.clone(),
            backend,
            host: address.ip().to_string(),
            port: address.port().to_string(),
        })
    }

    /// Follows the load; the topology outlives it.
    async fn loaded(&self, generators: &mut Option<Generators>) -> CellError {
        if let Some(generators) = generators
            && let Err(error) = generators.finish(self.recorder).await
        {
            return error;
        }
        std::future::pending().await
    }

    /// Performs requests one after another, until there can be none any more.
    async fn grant(
        &self,
        balancer: &Incumbent<'_, R>,
        loaded: bool,
        requests: &mut mpsc::Receiver<DeployRequest>,
    ) {
        let kind = self.kind;
        let control = Control::new(kind, &self.backends, &self.site, &self.templates, balancer);
        let (lookout, _looking) = lookout::lookout(false);
        let load = loaded.then_some(FleetLoad { ends: None, timeout: self.variant.traffic.timeout.0 });
        let served = &Served::by(kind, &self.site);
        let fleet =
            CellFleet { backends: &self.backends, control: &control, lookout: &lookout, load, served };
        while let Some(DeployRequest { deploy: wanted, ended }) = requests.recv().await {
            let done = match self.variant.topology.pool(&wanted.pool) {
                Some(pool) => deploy(&fleet, ENTRY, &wanted, pool).await,
                None => Ok(()),
            };
            // Who asked may be gone.
            let _ = ended.send(done);
        }
    }
}
