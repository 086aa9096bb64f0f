//! How one backend leaves and how one arrives: deregister → drain → SIGTERM → exit; launch → ready → register → confirm.
//! As orchestrators do it, without waiting for the drain: telling the balancer and ending the backend begin together. Every
//! step is an event.
//!
//! The steps know the cell only as a [`Fleet`], so that a test can script one.

use std::collections::BTreeMap;
use std::time::Duration;

use model::history::{Happening, WindowDerivation};
use model::identity::Incarnation;
use model::timeline::{Deregister, Drain, Leaving, ToldAfter, Until};
use model::topology::Pool;
use model::units::{Share, Span};
use tokio::time::Instant;

use super::error::CellError;
use crate::balancer::Standing;

/// How often a drain, a health endpoint or a share is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How long a first request may take to be served, where a drain window is derived.
const BASELINE_WITHIN: Duration = Duration::from_secs(5);
/// How long a new generation may take to reach its share; less, where the rest of the deploy would not fit into the load.
pub(super) const CONFIRM_WITHIN: Duration = Duration::from_secs(5);
/// As long is waited anyway.
pub(super) const CONFIRM_LEAST: Duration = Duration::from_millis(500);
/// Requests per running backend, on average, that a share is judged by.
const CONFIRM_SAMPLES: u64 = 20;
/// The part of a fair share that confirms a new generation.
const CONFIRM_TOLERANCE: f64 = 0.5;

/// What a deploy asks of a cell.
#[allow(async_fn_in_trait, reason = "used generically, on one thread")]
pub(super) trait Fleet {
    /// Writes an event.
    fn record(&self, what: Happening);
    /// Whether requests come by which a share can be judged.
    fn under_load(&self) -> bool;
    /// How much of the load is left for the deploy; `None`: it goes on for ever.
    fn room(&self) -> Option<Duration>;
    /// The incarnation that runs, or ran last, at `backend`; generation 0 if none did.
    fn incarnation(&self, backend: &str) -> Incarnation;
    /// Gives `backend` a standing in the balancer and waits until that is confirmed; returns the proof.
    async fn turn(&self, backend: &str, standing: Standing, how: Deregister) -> Result<String, CellError>;
    /// What is known about the requests that a deregistered `backend` still has.
    async fn drain_reading(&self, backend: &str) -> Result<DrainReading, CellError>;
    /// Sends SIGTERM to the process at `backend` and records it.
    async fn terminate(&self, backend: &str) -> Result<(), CellError>;
    /// Waits until the process at `backend` is gone and records it; after `within` it is killed.
    async fn exited(&self, backend: &str, within: Duration) -> Result<(), CellError>;
    /// A time between the two, drawn for `old`.
    fn draw(&self, old: &Incarnation, from: Span, to: Span) -> Duration;
    /// Launches `incarnation`, of the new generation, and waits until it accepts connections.
    async fn launch(&self, incarnation: &Incarnation, unhealthy: bool) -> Result<(), CellError>;
    /// Whether the process at `backend` has ended.
    fn is_gone(&self, backend: &str) -> bool;
    /// Whether the health endpoint of `backend` says 200.
    async fn healthy(&self, backend: &str) -> bool;
    /// Whether the balancer keeps users of `pool` where they are: a new generation then gets new clients.
    fn keeps_users(&self, pool: &str) -> bool;
    /// For how long the balancer gives who has arrived less than its part.
    fn starts_slowly(&self) -> Duration;
    /// Asks through the listener, as a new client, until `new` answers; returns how many requests it took.
    async fn answers_newcomers(&self, new: &Incarnation, within: Duration) -> Option<u64>;
    /// Requests of the load that each running backend of `pool` has received in its present life.
    async fn received(&self, pool: &str) -> Result<BTreeMap<String, u64>, CellError>;
    /// The slowest service time so far in the ledgers of `pool`, and of how many; `None`: no request has been served.
    fn slowest(&self, pool: &str) -> Result<Option<WindowDerivation>, CellError>;
    /// The error of a deploy that can't be.
    fn refused(&self, reason: &str) -> CellError;
}

/// What is known about the requests that a deregistered backend still has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DrainReading {
    /// A count.
    InFlight {
        /// Requests in flight.
        count: u64,
        /// Requests received so far: it must not grow between two zeros.
        received: u64,
        /// How long it must stay at zero.
        steady: Duration,
        /// Who says so.
        source: &'static str,
    },
    /// It is not known.
    Unreadable,
    /// Nothing is left that could drain: its process is gone.
    Dead,
    /// A process that could still send is there.
    Lingering,
}

/// The drain window; `None`: no draining. `auto` is 1.2 × the slowest service time so far + 250 ms.
pub(super) async fn window<F: Fleet>(
    fleet: &F,
    leaving: &Leaving,
    pool: &str,
) -> Result<Option<Duration>, CellError> {
    let (window, derived) = match leaving.drain {
        Drain::Off => return Ok(None),
        Drain::For(window) => (window, None),
        Drain::Auto => {
            let derived = baseline(fleet, pool).await?;
            (Span(derived.slowest.0.mul_f64(1.2) + Duration::from_millis(250)), Some(derived))
        }
    };
    fleet.record(Happening::DrainWindow { window, derived });
    Ok(Some(window.0))
}

/// The slowest service time so far. A deploy by hand may come before the first request has been served.
async fn baseline<F: Fleet>(fleet: &F, pool: &str) -> Result<WindowDerivation, CellError> {
    let begun = Instant::now();
    loop {
        if let Some(derived) = fleet.slowest(pool)? {
            return Ok(derived);
        }
        if begun.elapsed() > BASELINE_WITHIN {
            return Err(fleet.refused("drain: auto needs a baseline, and no request has been served yet"));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// How the backends of one pool leave.
pub(super) struct DepartureSteps<'a, F> {
    pub(super) fleet: &'a F,
    pub(super) leaving: &'a Leaving,
    pub(super) pool: &'a Pool,
    /// The drain window, as [`window`] says it.
    pub(super) window: Option<Duration>,
    /// Whether the address of one that has left stays empty: nothing takes its place there.
    pub(super) address_stays_empty: bool,
}

impl<F: Fleet> DepartureSteps<'_, F> {
    /// Deregister → drain → SIGTERM → exit; or as orchestrators do it.
    pub(super) async fn leave(&self, old: &Incarnation) -> Result<(), CellError> {
        if let Some(termination) = self.leaving.termination {
            return tokio::try_join!(
                self.stop(old, termination.pre_stop),
                self.tell(old, termination.told_after)
            )
            .map(drop);
        }
        if let Some(window) = self.window {
            self.deregister(old, Standing::Draining).await?;
            self.drain(old, window).await?;
        }
        self.fleet.terminate(&old.backend).await?;
        self.fleet.exited(&old.backend, self.pool.grace.0).await?;
        // It would leave a dead address behind, which not every balancer notices.
        if self.window.is_none() && self.address_stays_empty {
            self.deregister(old, Standing::Out).await?;
        }
        Ok(())
    }

    /// Pre-stop → SIGTERM → exit, or SIGKILL after the grace.
    async fn stop(&self, old: &Incarnation, pre_stop: Span) -> Result<(), CellError> {
        tokio::time::sleep(pre_stop.0).await;
        self.fleet.record(Happening::Stopping { incarnation: old.clone() });
        self.fleet.terminate(&old.backend).await?;
        self.fleet.exited(&old.backend, self.pool.grace.0.saturating_sub(pre_stop.0)).await
    }

    /// The balancer hears of it late, or never.
    async fn tell(&self, old: &Incarnation, told_after: ToldAfter) -> Result<(), CellError> {
        let ToldAfter::Between(from, to) = told_after else { return Ok(()) };
        tokio::time::sleep(self.fleet.draw(old, from, to)).await;
        self.deregister(old, Standing::Draining).await
    }

    async fn deregister(&self, old: &Incarnation, standing: Standing) -> Result<(), CellError> {
        self.fleet.record(Happening::Deregistering { incarnation: old.clone() });
        let proof = self.fleet.turn(&old.backend, standing, self.leaving.deregister).await?;
        self.fleet.record(Happening::Deregistered { incarnation: old.clone(), proof });
        Ok(())
    }

    /// Waits until nothing is in flight, or for the whole window, as the deploy says.
    async fn drain(&self, old: &Incarnation, window: Duration) -> Result<(), CellError> {
        let begun = Instant::now();
        let mut quiet = Quiet::default();
        let mut drained = false;
        loop {
            let asked = begun.elapsed();
            let reading = self.fleet.drain_reading(&old.backend).await?;
            let waited = begun.elapsed();
            if reading == DrainReading::Dead {
                if !drained {
                    self.fleet.record(Happening::DrainCut { incarnation: old.clone() });
                }
                return Ok(());
            }
            if !drained && quiet.is_confirmed_by(reading, asked, waited) {
                drained = true;
                self.fleet.record(Happening::Drained {
                    incarnation: old.clone(),
                    waited: Span(waited),
                    proof: source(reading).to_owned(),
                });
            }
            if drained && self.leaving.until == Until::Idle {
                return Ok(());
            }
            // A zero within the window may be confirmed after it: nothing is in flight, so nothing is lost by that.
            let limit = if drained { window } else { window.max(quiet.confirmed_by()) };
            if waited >= limit {
                if !drained {
                    self.fleet.record(Happening::DrainExpired {
                        incarnation: old.clone(),
                        in_flight: match reading {
                            DrainReading::InFlight { count, .. } => Some(count),
                            DrainReading::Lingering | DrainReading::Unreadable | DrainReading::Dead => None,
                        },
                    });
                }
                return Ok(());
            }
            tokio::time::sleep(POLL.min(limit - waited)).await;
        }
    }
}

/// How backends of one pool arrive.
pub(super) struct ArrivalSteps<'a, F> {
    pub(super) fleet: &'a F,
    pub(super) pool: &'a Pool,
    /// How the balancer is told; `None`: it isn't.
    pub(super) register: Option<Deregister>,
    pub(super) ready_within: Span,
    /// Whether they never become healthy.
    pub(super) unhealthy: bool,
}

/// Why a backend did not arrive.
pub(super) struct NotArrived(pub(super) String);

impl<F: Fleet> ArrivalSteps<'_, F> {
    /// For how long who has arrived need not have its part: the balancer may not know of it yet, and may start it slowly.
    pub(super) fn partless(&self) -> Duration {
        let unknown = self.pool.discovery.map_or(Duration::ZERO, |discovery| discovery.ttl.0);
        unknown + self.fleet.starts_slowly()
    }

    /// Launch → ready → register → confirm. `patience` says, once it is registered, how long its share may be waited for.
    pub(super) async fn arrive(
        &self,
        new: &Incarnation,
        patience: impl Fn() -> Duration,
    ) -> Result<Result<(), NotArrived>, CellError> {
        let within = self.ready_within;
        let reason = match tokio::time::timeout(within.0, self.becomes_healthy(new)).await {
            Ok(Ok(())) => None,
            // It is the new generation's failure, not rig's: a result.
            Ok(Err(error @ (CellError::BackendFailed { .. } | CellError::AgentFailed { .. }))) => {
                Some(error.to_string())
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => Some(format!("its health endpoint did not say 200 within {within} of its launch")),
        };
        if let Some(reason) = reason {
            return Ok(Err(NotArrived(reason)));
        }
        self.fleet
            .record(Happening::Ready { component: new.into(), proof: "its health endpoint says 200".into() });
        if let Some(how) = self.register {
            self.fleet.record(Happening::Registering { incarnation: new.clone() });
            let turned = tokio::select! {
                biased;
                turned = self.fleet.turn(&new.backend, Standing::In, how) => Some(turned?),
                () = self.dies(new) => None,
            };
            let Some(proof) = turned else {
                return Ok(Err(NotArrived("it died before the balancer used it".to_owned())));
            };
            self.fleet.record(Happening::Registered { incarnation: new.clone(), proof });
        }
        let patience = patience();
        match self.fleet.under_load() {
            // It gets nothing while others live.
            _ if self.pool.backends.iter().any(|b| b.id == new.backend && b.backup) => {}
            _ if self.fleet.keeps_users(&self.pool.name) => self.reach(new, patience).await,
            true => self.confirm(new, patience).await?,
            false => {}
        }
        Ok(Ok(()))
    }

    /// Waits until a new client reaches the new generation. Users that have another backend stay there, so
    /// that no share of the requests would be fair.
    async fn reach(&self, new: &Incarnation, patience: Duration) {
        let incarnation = new.clone();
        self.fleet.record(match self.fleet.answers_newcomers(new, patience).await {
            Some(probes) => Happening::Reached { incarnation, probes },
            None => Happening::Unconfirmed { incarnation, share: Share(0.0), of: 0 },
        });
    }

    async fn becomes_healthy(&self, new: &Incarnation) -> Result<(), CellError> {
        self.fleet.launch(new, self.unhealthy).await?;
        while !self.fleet.healthy(&new.backend).await {
            if self.fleet.is_gone(&new.backend) {
                let reason = "it died before it was healthy".to_owned();
                return Err(CellError::BackendFailed { incarnation: new.clone(), reason });
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Ends when the process of `new` does.
    async fn dies(&self, new: &Incarnation) {
        while !self.fleet.is_gone(&new.backend) {
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the new generation gets its part of the pool's requests. Judged over a window of requests,
    /// and over the next one if that fails: a balancer may take a moment to use what it says it would use.
    async fn confirm(&self, new: &Incarnation, patience: Duration) -> Result<(), CellError> {
        let begun = Instant::now();
        let mut before = self.fleet.received(&self.pool.name).await?;
        loop {
            tokio::time::sleep(POLL).await;
            let now = self.fleet.received(&self.pool.name).await?;
            let serving = now.len().max(1) as u64;
            let grown = |backend: &str| {
                now.get(backend).unwrap_or(&0).saturating_sub(*before.get(backend).unwrap_or(&0))
            };
            let of: u64 = now.keys().map(|backend| grown(backend)).sum();
            let share = Share(grown(&new.backend) as f64 / of.max(1) as f64);
            let incarnation = new.clone();
            let judged = of >= CONFIRM_SAMPLES * serving;
            let fair = self.pool.part_of(&new.backend, now.keys().map(String::as_str));
            if judged && share.0 >= CONFIRM_TOLERANCE * fair {
                self.fleet.record(Happening::Confirmed { incarnation, share, of });
                return Ok(());
            }
            if begun.elapsed() >= patience || self.fleet.is_gone(&new.backend) {
                self.fleet.record(Happening::Unconfirmed { incarnation, share, of });
                return Ok(());
            }
            if judged {
                before = now;
            }
        }
    }
}

/// Since when a backend has had nothing in flight and received nothing.
#[derive(Default)]
struct Quiet {
    /// When the first of the zero readings was in, the receipts that it told, and how long zero must last.
    since: Option<(Duration, u64, Duration)>,
}

impl Quiet {
    /// Takes in a reading that was asked for at one time and answered at another: zero counts from the first
    /// one's answer to the last one's question.
    fn is_confirmed_by(&mut self, reading: DrainReading, asked: Duration, answered: Duration) -> bool {
        match reading {
            DrainReading::Lingering | DrainReading::Unreadable | DrainReading::Dead => {
                self.since = None;
                false
            }
            DrainReading::InFlight { count, received, steady, .. } => {
                self.since = match self.since {
                    _ if count > 0 => None,
                    Some(zero) if zero.1 == received => Some(zero),
                    _ => Some((answered, received, steady)),
                };
                self.since.is_some_and(|(since, ..)| asked.saturating_sub(since) >= steady)
            }
        }
    }

    /// When a zero that lasts will have been confirmed; at the beginning, if there is no zero.
    fn confirmed_by(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |(since, _, steady)| since + steady + 5 * POLL)
    }
}

fn source(reading: DrainReading) -> &'static str {
    match reading {
        DrainReading::InFlight { source, .. } => source,
        DrainReading::Lingering | DrainReading::Unreadable | DrainReading::Dead => "could not be read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_that_nobody_could_give_starts_the_count_anew() {
        let at = Duration::from_millis;
        let zero = DrainReading::InFlight { count: 0, received: 7, steady: at(100), source: "scripted" };
        let mut quiet = Quiet::default();
        assert!(!quiet.is_confirmed_by(zero, at(0), at(1)));
        assert!(!quiet.is_confirmed_by(DrainReading::Unreadable, at(50), at(51)));
        assert!(!quiet.is_confirmed_by(zero, at(110), at(111)));
        assert!(quiet.is_confirmed_by(zero, at(211), at(212)));
    }

    #[test]
    fn a_slow_answer_does_not_bring_two_zeros_closer_than_they_must_be_apart() {
        let at = Duration::from_millis;
        let zero = DrainReading::InFlight { count: 0, received: 7, steady: at(100), source: "scripted" };
        let mut quiet = Quiet::default();
        assert!(!quiet.is_confirmed_by(zero, at(0), at(40)));
        assert!(!quiet.is_confirmed_by(zero, at(60), at(150)));
        assert!(quiet.is_confirmed_by(zero, at(140), at(150)));
    }
}
