//! Deploys by hand, by key or from another shell: one at a time.

use std::cell::RefCell;
use std::time::Duration;

use engine::cell::DeployRequest;
use model::catalog::{BalancerKind, Capability};
use model::plan::Variant;
use model::timeline::{Batch, Deploy, Deregister, Drain, Leaving, Strategy};
use model::topology::Layer;
use model::units::Span;
use tokio::sync::{mpsc, oneshot};

/// The drain window if none is given and there is no load to derive it from.
const WINDOW_OF_ONE: Duration = Duration::from_secs(1);

/// Why a deploy was refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The request is wrong.
    Wrong(String),
    /// The deploy did not happen.
    Failed(String),
}

/// Asks the cell for deploys.
pub(super) struct Deploys<'a> {
    variant: &'a Variant,
    balancer: BalancerKind,
    /// Whether there is a load.
    loaded: bool,
    /// `None`: no deploys any more.
    sender: RefCell<Option<mpsc::Sender<DeployRequest>>>,
}

impl<'a> Deploys<'a> {
    pub(super) fn new(
        variant: &'a Variant,
        balancer: BalancerKind,
        loaded: bool,
    ) -> (Deploys<'a>, mpsc::Receiver<DeployRequest>) {
        let (sender, wished) = mpsc::channel(1);
        (Deploys { variant, balancer, loaded, sender: RefCell::new(Some(sender)) }, wished)
    }

    /// The pools that can be deployed.
    pub(super) fn pools(&self) -> Vec<&str> {
        self.variant.topology.pools.iter().map(|pool| pool.name.as_str()).collect()
    }

    /// Refuses further deploys, so that the topology can stop.
    pub(super) fn close(&self) {
        self.sender.borrow_mut().take();
    }

    /// Deploys `pool` and waits for the end; the error says why it was refused.
    pub(super) async fn deploy(&self, pool: &str, drain: Option<Drain>) -> Result<(), Refusal> {
        let wanted = self.wanted(pool, drain).map_err(Refusal::Wrong)?;
        let (ended, end) = oneshot::channel();
        let gone = || Refusal::Failed("the topology is stopping".to_owned());
        let sender = self.sender.borrow().clone().ok_or_else(gone)?;
        match sender.try_send(DeployRequest { deploy: wanted, ended }) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                return Err(Refusal::Failed("another deploy is already waiting".to_owned()));
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(gone()),
        }
        drop(sender);
        end.await.map_err(|_| gone())?.map_err(|error| Refusal::Failed(error.to_string()))
    }

    /// A deploy in place, with the settings of the scenario's own deploy of this pool, if it has one.
    fn wanted(&self, pool: &str, drain: Option<Drain>) -> Result<Deploy, String> {
        let topology = &self.variant.topology;
        let known = topology
            .pool(pool)
            .ok_or_else(|| format!("there is no pool `{pool}`; the pools are {}", self.pools().join(", ")))?;
        if known.serving().count() < 2 {
            return Err(format!(
                "`{pool}` has one backend, so nothing would serve while it is replaced in place"
            ));
        }
        let drain = drain.unwrap_or(match known.discovery {
            // Long enough for the balancer to ask again, and for what it sent until then.
            Some(discovery) => Drain::For(Span(discovery.ttl.0 * 2 + WINDOW_OF_ONE)),
            None if self.loaded => Drain::Auto,
            None => Drain::For(Span(WINDOW_OF_ONE)),
        });
        let own = self.variant.deploys().find(|deploy| deploy.pool == pool).cloned();
        let unless_said = Deploy {
            pool: pool.to_owned(),
            leaving: Leaving { deregister: self.deregister(topology.listener.layer), ..Leaving::ABRUPT },
            ..Deploy::default()
        };
        let like = own.unwrap_or(unless_said);
        // A surge leaves backends at other addresses than in the plan, so the next deploy could not start from it.
        Ok(Deploy {
            strategy: Strategy::InPlace,
            leaving: Leaving { drain, termination: None, ..like.leaving },
            batch: Batch::default(),
            new_address: false,
            ..like
        })
    }

    /// Live, if the balancer can.
    fn deregister(&self, layer: Layer) -> Deregister {
        let live = match layer {
            Layer::Seven => Capability::LiveDeregister,
            Layer::Four => Capability::LiveDeregisterAtLayer4,
        };
        match engine::balancer::catalog().lacks(self.balancer, live) {
            None => Deregister::Live,
            Some(_) => Deregister::Reload,
        }
    }
}
