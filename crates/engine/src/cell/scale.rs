//! Scaling: one backend leaves and nothing takes its place, or one more arrives.

use model::history::{Happening, Scaling};
use model::identity::Incarnation;
use model::timeline::{Addition, Deregister, Drain, Removal, ToldAfter};
use model::topology::Pool;

use super::error::CellError;
use super::steps::{ArrivalSteps, CONFIRM_LEAST, CONFIRM_WITHIN, DepartureSteps, Fleet, NotArrived, window};
use crate::balancer::Standing;

/// Takes a backend of `pool` away.
pub(super) async fn remove<F: Fleet>(
    fleet: &F,
    entry: &str,
    removal: &Removal,
    pool: &Pool,
) -> Result<(), CellError> {
    let Removal { backend, leaving } = removal;
    let incarnation = fleet.incarnation(backend);
    fleet.record(Happening::Scaling(Scaling::Removing {
        entry: entry.to_owned(),
        incarnation: incarnation.clone(),
        drain: leaving.drain,
    }));
    let window = window(fleet, leaving, &pool.name).await?;
    let departures = DepartureSteps { fleet, leaving, pool, window, address_stays_empty: true };
    departures.leave(&incarnation).await?;
    // Drained is not gone: a balancer may still send those users there that it keeps by a cookie. A configuration that it has
    // read again knows no such difference.
    let stands_draining = match leaving.termination {
        Some(termination) => termination.told_after != ToldAfter::Never,
        None => leaving.drain != Drain::Off,
    };
    if stands_draining && leaving.deregister == Deregister::Live {
        fleet.turn(backend, Standing::Out, leaving.deregister).await?;
    }
    fleet.record(Happening::Scaling(Scaling::Removed { incarnation }));
    Ok(())
}

/// Starts a backend of `pool`, and registers it once it is healthy. That it does not become so is an event, not an error.
pub(super) async fn add<F: Fleet>(
    fleet: &F,
    entry: &str,
    addition: &Addition,
    pool: &Pool,
) -> Result<(), CellError> {
    let Addition { backend, register, ready_within } = addition;
    let incarnation = Incarnation::new(backend, fleet.incarnation(backend).generation + 1);
    fleet.record(Happening::Scaling(Scaling::Adding {
        entry: entry.to_owned(),
        incarnation: incarnation.clone(),
    }));
    let arrivals = ArrivalSteps {
        fleet,
        pool,
        register: Some(*register),
        ready_within: *ready_within,
        unhealthy: false,
    };
    let most = CONFIRM_WITHIN + arrivals.partless();
    let patience = || fleet.room().map_or(most, |room| room.clamp(CONFIRM_LEAST, most));
    fleet.record(Happening::Scaling(match arrivals.arrive(&incarnation, patience).await? {
        Ok(()) => Scaling::Added { incarnation },
        Err(NotArrived(reason)) => Scaling::NotAdded { incarnation, reason },
    }));
    Ok(())
}
