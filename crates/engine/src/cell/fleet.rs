//! What a deploy works on in a real cell: its backends, and the balancer before them.

use std::collections::BTreeMap;
use std::time::Duration;

use model::draw::{Decision, uniform};

use model::history::{Happening, Scaling, WindowDerivation};
use model::identity::Incarnation;
use model::timeline::Deregister;
use model::topology::Balance;
use model::units::{Nanos, Span};

use super::backends::{ANSWER_WITHIN, Backends};
use super::control::Control;
use super::error::CellError;
use super::listener::BalancerListener;
use super::lookout::Lookout;
use super::readiness;
use super::served::Served;
use super::steps::{DrainReading, Fleet};
use crate::balancer::{DrainSignal, Standing};
use crate::host::Signal;
use crate::runtime::Runtime;

/// For how long the load should go on after a deploy.
const SETTLED: Duration = Duration::from_secs(2);
/// How long the balancer's own count must stay at zero.
const STEADY_VIEW: Duration = Duration::from_millis(100);

/// What a deploy works on: the backends, and the balancer before them.
pub(super) struct CellFleet<'a, R> {
    pub(super) backends: &'a Backends<'a, R>,
    pub(super) control: &'a Control<'a, R>,
    /// Who looks what the balancer makes of ill backends.
    pub(super) lookout: &'a Lookout,
    /// The load, if there is one.
    pub(super) load: Option<FleetLoad>,
    /// What the balancer's log says of the load so far.
    pub(super) served: &'a Served<'a>,
}

/// What a deploy has to know of the load.
#[derive(Clone, Copy)]
pub(super) struct FleetLoad {
    /// When its last request is due; `None`: it goes on for as long as what stands does.
    pub(super) ends: Option<Nanos>,
    /// How long its clients wait.
    pub(super) timeout: Duration,
}

impl<R: Runtime> CellFleet<'_, R> {
    /// What the balancer alone says of the requests that a service of the user's still has.
    async fn drain_reading_of_own(
        &self,
        backend: &str,
        signal: DrainSignal,
        old_workers_are_gone: bool,
    ) -> Result<DrainReading, CellError> {
        let in_flight = |count, steady, source| DrainReading::InFlight { count, received: 0, steady, source };
        Ok(match signal {
            DrainSignal::View => {
                let source = "nothing in flight, by the balancer's view";
                in_flight(self.control.in_flight(backend).await?, STEADY_VIEW, source)
            }
            // What they had sent there has ended, and the new ones send nothing.
            DrainSignal::OldWorkers(_) if old_workers_are_gone => {
                in_flight(0, STEADY_VIEW, "the old workers are gone, with all that they had in flight")
            }
            DrainSignal::OldWorkers(_) => DrainReading::Lingering,
            DrainSignal::Backend { .. } => DrainReading::Unreadable,
        })
    }
}

impl<R: Runtime> Fleet for CellFleet<'_, R> {
    fn record(&self, what: Happening) {
        match &what {
            Happening::Replacing { old, new } => {
                self.backends.replacing.borrow_mut().extend([old, new].map(|it| it.backend.clone()));
            }
            Happening::Replaced { old, new } => {
                let is_done = |backend: &String| [&old.backend, &new.backend].contains(&backend);
                self.backends.replacing.borrow_mut().retain(|backend| !is_done(backend));
            }
            Happening::DeployAborted { .. } => self.backends.replacing.borrow_mut().clear(),
            // Who is removed stays so until it is added.
            Happening::Scaling(
                Scaling::Removing { incarnation, .. } | Scaling::Adding { incarnation, .. },
            ) => {
                self.backends.replacing.borrow_mut().insert(incarnation.backend.clone());
            }
            Happening::Scaling(Scaling::Added { incarnation }) => {
                self.backends.replacing.borrow_mut().remove(&incarnation.backend);
            }
            _ => {}
        }
        self.backends.recorder.record(what);
    }

    fn under_load(&self) -> bool {
        self.load.is_some()
    }

    fn room(&self) -> Option<Duration> {
        let FleetLoad { ends: Some(ends), timeout } = self.load? else { return None };
        Some(ends.since(agent::clock::now()).saturating_sub(timeout.min(SETTLED)))
    }

    fn incarnation(&self, backend: &str) -> Incarnation {
        self.backends.latest(backend)
    }

    async fn turn(&self, backend: &str, standing: Standing, how: Deregister) -> Result<String, CellError> {
        self.control.turn(backend, standing, how).await.map(str::to_owned)
    }

    async fn drain_reading(&self, backend: &str) -> Result<DrainReading, CellError> {
        if self.backends.is_gone(backend) {
            return Ok(DrainReading::Dead);
        }
        let (signal, old_workers_are_gone) = self.control.drain_signal(backend)?;
        if self.backends.is_own(backend) {
            return self.drain_reading_of_own(backend, signal, old_workers_are_gone).await;
        }
        let own = self.backends.status(backend).await;
        Ok(match (signal, own) {
            (DrainSignal::OldWorkers(_), _) if !old_workers_are_gone => DrainReading::Lingering,
            // A frozen backend, or one too busy to answer: what it has in hand is unknown, not zero.
            (_, Err(_)) => DrainReading::Unreadable,
            (DrainSignal::View, Ok(own)) => DrainReading::InFlight {
                count: own.in_flight.max(self.control.in_flight(backend).await?),
                received: own.received,
                steady: STEADY_VIEW,
                source: "nothing in flight, by the balancer's view and the backend's own count",
            },
            // A log that says nothing proves nothing.
            (DrainSignal::OldWorkers(_), Ok(own)) => DrainReading::InFlight {
                count: own.in_flight,
                received: own.received,
                steady: STEADY_VIEW,
                source: "the old workers are gone, and nothing in flight by the backend's own count",
            },
            (DrainSignal::Backend { steady }, Ok(own)) => DrainReading::InFlight {
                count: own.in_flight,
                received: own.received,
                steady,
                source: "nothing in flight, by the backend's own count",
            },
        })
    }

    async fn terminate(&self, backend: &str) -> Result<(), CellError> {
        let service = self.backends.topology().service_of(backend);
        let signal = service.map_or(Signal::Term, |service| service.stop_signal.into());
        if let Some((incarnation, at)) = self.backends.end(backend, signal).await? {
            let signal = signal.name().to_owned();
            self.backends.recorder.record_at(at, Happening::Terminated { incarnation, signal });
        }
        Ok(())
    }

    async fn exited(&self, backend: &str, within: Duration) -> Result<(), CellError> {
        self.backends.exited(backend, within).await
    }

    fn draw(&self, old: &Incarnation, from: Span, to: Span) -> Duration {
        let places = self.backends.topology().pools.iter().flat_map(|pool| &pool.backends);
        let place = places.into_iter().position(|backend| backend.id == old.backend).unwrap_or(0);
        let of = u64::from(old.generation) << 16 | place as u64;
        let part = uniform(self.backends.seed, Decision::Told, of);
        from.0 + (to.0.saturating_sub(from.0)).mul_f64(part)
    }

    async fn launch(&self, incarnation: &Incarnation, unhealthy: bool) -> Result<(), CellError> {
        self.backends.keys.renew(&incarnation.backend);
        self.backends.launch(incarnation, unhealthy).await
    }

    fn starts_slowly(&self) -> Duration {
        self.backends.topology().slow_start.map_or(Duration::ZERO, |span| span.0)
    }

    fn keeps_users(&self, pool: &str) -> bool {
        let topology = self.backends.topology();
        // Nothing in an answer would tell which backend a new client has reached.
        if topology.pool(pool).is_some_and(|pool| pool.service.is_some()) {
            return false;
        }
        topology.sticky_cookie(pool).is_some() || topology.balance == Balance::SourceHash
    }

    async fn answers_newcomers(&self, new: &Incarnation, within: Duration) -> Option<u64> {
        let listener =
            BalancerListener::of(self.control.site(), self.backends.variant.traffic.host()).ok()?;
        readiness::incarnation_answers(self.backends.topology(), &listener, new, within).await
    }

    fn is_gone(&self, backend: &str) -> bool {
        self.backends.is_gone(backend)
    }

    async fn healthy(&self, backend: &str) -> bool {
        if self.backends.is_own(backend) {
            return self.backends.ready(backend).await.is_ok();
        }
        let url = format!("http://{}{}", self.backends.address(backend), self.backends.health_path(backend));
        let asked = self.backends.http.get(url).timeout(ANSWER_WITHIN).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    }

    async fn received(&self, pool: &str) -> Result<BTreeMap<String, u64>, CellError> {
        let mut received = BTreeMap::new();
        let running: Vec<String> = {
            let lives = self.backends.lives.borrow();
            let running = lives.iter().filter(|life| !life.ending && life.handle.exited().is_none());
            running.map(|life| life.incarnation.backend.clone()).collect()
        };
        let members =
            self.backends.topology().pool(pool).map(|pool| pool.backends.as_slice()).unwrap_or_default();
        for backend in members.iter().filter(|backend| running.contains(&backend.id)) {
            if self.backends.is_own(&backend.id) {
                let logged = self.served.counts()?.of_load.get(&backend.id).copied();
                received.insert(backend.id.clone(), logged.unwrap_or(0));
                continue;
            }
            // A frozen backend answers nothing; what it received stands still anyway.
            if let Ok(status) = self.backends.status(&backend.id).await {
                received.insert(backend.id.clone(), status.received);
            }
        }
        Ok(received)
    }

    fn slowest(&self, pool: &str) -> Result<Option<WindowDerivation>, CellError> {
        if self.backends.topology().pool(pool).is_some_and(|pool| pool.service.is_some()) {
            let reason = "drain: auto is derived from ledgers, which a service of your own does not keep; say how long";
            return Err(self.refused(reason));
        }
        let served: Vec<Duration> = self
            .backends
            .ledgers(pool)?
            .iter()
            .filter_map(|execution| execution.finished.map(|finished| finished.since(execution.received)))
            .collect();
        let samples = served.len() as u64;
        Ok(served.iter().max().map(|slowest| WindowDerivation { slowest: Span(*slowest), samples }))
    }

    fn refused(&self, reason: &str) -> CellError {
        CellError::Control { kind: self.control.kind, reason: reason.to_owned() }
    }
}
