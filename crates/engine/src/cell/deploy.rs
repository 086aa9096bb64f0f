//! The rolling deploy: each backend of a pool leaves and its successor arrives, in place; or, as a surge, the new
//! generation first.

use std::time::Duration;

use futures_util::future::try_join_all;
use model::history::Happening;
use model::identity::Incarnation;
use model::timeline::{Deploy, Strategy};
use model::topology::Pool;
use tokio::time::Instant;

use super::error::CellError;
use super::steps::{ArrivalSteps, CONFIRM_LEAST, CONFIRM_WITHIN, DepartureSteps, Fleet, NotArrived, window};

/// Replaces every serving backend of `pool`, in batches. An abort is an event, not an error.
pub(super) async fn deploy<F: Fleet>(
    fleet: &F,
    entry: &str,
    deploy: &Deploy,
    pool: &Pool,
) -> Result<(), CellError> {
    let backends: Vec<String> = pool.serving().map(|b| b.id.clone()).collect();
    fleet.record(Happening::DeployStarted {
        entry: entry.to_owned(),
        pool: pool.name.clone(),
        strategy: deploy.strategy,
        drain: deploy.leaving.drain,
        backends: backends.clone(),
    });
    let departures = DepartureSteps {
        fleet,
        leaving: &deploy.leaving,
        pool,
        window: window(fleet, &deploy.leaving, &pool.name).await?,
        address_stays_empty: deploy.moves(),
    };
    let arrivals = ArrivalSteps {
        fleet,
        pool,
        register: deploy.tells_the_balancer().then_some(deploy.leaving.deregister),
        ready_within: deploy.ready_within,
        unhealthy: deploy.new_generation_unhealthy,
    };
    let rollout = Rollout { fleet, strategy: deploy.strategy, departures, arrivals };
    let spares = pool.backends.iter().filter(|b| b.spare).map(|b| b.id.clone());
    let mut spares: Vec<String> = spares.rev().collect();
    let mut replaced = 0;
    let batches = backends.chunks(deploy.batch.size(backends.len()));
    for (n, batch) in batches.clone().enumerate() {
        let pace = DeployPace { begun: Instant::now(), left: (batches.len() - n) as u32 };
        let places = batch.iter().map(|leaving| match deploy.moves() {
            false => leaving.clone(),
            true => spares.pop().unwrap_or_else(|| leaving.clone()),
        });
        let places: Vec<String> = places.collect();
        let each = batch.iter().zip(&places).map(|(leaving, place)| rollout.replace(leaving, place, pace));
        let arrived = try_join_all(each).await?;
        if arrived.contains(&false) {
            return Ok(());
        }
        replaced += batch.len() as u64;
        // The places that these leave are those of the next, unless each is to have one that none had before.
        if deploy.moves() && !deploy.new_address {
            spares.extend(batch.iter().cloned());
        }
    }
    fleet.record(Happening::DeployFinished { entry: entry.to_owned(), replaced });
    Ok(())
}

/// How far a deploy is.
#[derive(Clone, Copy)]
struct DeployPace {
    /// When the replacement of this batch began.
    begun: Instant,
    /// Batches to replace, this one included.
    left: u32,
}

impl DeployPace {
    /// How long a share may be waited for, if `room` is left: the other replacements take as long as this one has so far,
    /// and wait for their shares as well. `partless`: for how long
    /// the new generation need not have its part.
    fn patience(self, room: Option<Duration>, partless: Duration) -> Duration {
        let most = CONFIRM_WITHIN + partless;
        let Some(room) = room else { return most };
        let others = self.begun.elapsed() * (self.left - 1);
        (room.saturating_sub(others) / self.left).clamp(CONFIRM_LEAST, most)
    }
}

/// What the steps of one deploy share.
struct Rollout<'a, F> {
    fleet: &'a F,
    strategy: Strategy,
    departures: DepartureSteps<'a, F>,
    arrivals: ArrivalSteps<'a, F>,
}

impl<F: Fleet> Rollout<'_, F> {
    /// Replaces the backend `leaving` by a new generation at `place`. `false`: that did not become healthy.
    async fn replace(&self, leaving: &str, place: &str, pace: DeployPace) -> Result<bool, CellError> {
        let old = self.fleet.incarnation(leaving);
        let new = Incarnation::new(place, self.fleet.incarnation(place).generation + 1);
        self.fleet.record(Happening::Replacing { old: old.clone(), new: new.clone() });
        let arrived = match self.strategy {
            Strategy::InPlace => {
                self.departures.leave(&old).await?;
                self.arrive(&new, pace).await?
            }
            Strategy::Surge => {
                let arrived = self.arrive(&new, pace).await?;
                if arrived {
                    self.departures.leave(&old).await?;
                }
                arrived
            }
        };
        if arrived {
            self.fleet.record(Happening::Replaced { old, new });
        }
        Ok(arrived)
    }

    /// `false`: it did not become healthy, and the deploy is aborted.
    async fn arrive(&self, new: &Incarnation, pace: DeployPace) -> Result<bool, CellError> {
        let patience = || pace.patience(self.fleet.room(), self.arrivals.partless());
        let Err(NotArrived(reason)) = self.arrivals.arrive(new, patience).await? else { return Ok(true) };
        self.fleet.record(Happening::DeployAborted { incarnation: new.clone(), reason });
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
