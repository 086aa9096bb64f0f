//! Performs the timeline: every entry at its time, several at once if the document says so.

use std::time::Duration;

use futures_util::future::try_join_all;
use model::history::Happening;
use model::identity::Incarnation;
use model::timeline::{Action, Entry, Fault, When};
use model::units::Nanos;
use tokio::sync::watch;

use super::deploy::{Fleet, deploy};
use super::fleet::CellFleet;
use crate::balancer::Signal;
use crate::error::EngineError;
use crate::runtime::Runtime;

/// How long a crashed process may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Performs `entries`, times counted from `origin`; ends when all have ended.
pub(super) async fn perform<R: Runtime>(
    fleet: &CellFleet<'_, R>,
    entries: &[Entry],
    origin: Nanos,
) -> Result<(), EngineError> {
    let ended: Vec<(&str, watch::Sender<bool>)> =
        entries.iter().map(|entry| (entry.name.as_str(), watch::Sender::new(false))).collect();
    let performances = entries.iter().zip(&ended).map(|(entry, (_, this))| {
        let before = match &entry.when {
            When::At(_) => None,
            When::After(other) => {
                ended.iter().find(|(name, _)| name == other).map(|(_, sender)| sender.subscribe())
            }
        };
        async move {
            match (&entry.when, before) {
                (When::At(span), _) => sleep_until(origin + span.0).await,
                // Its sender lives as long as this function: the wait can't fail.
                (When::After(_), Some(mut before)) => drop(before.wait_for(|ended| *ended).await),
                (When::After(_), None) => {}
            }
            fleet.record(Happening::ActionStarted { entry: entry.name.clone() });
            act(fleet, entry).await?;
            fleet.record(Happening::ActionFinished { entry: entry.name.clone() });
            this.send_replace(true);
            Ok::<(), EngineError>(())
        }
    });
    try_join_all(performances).await.map(drop)
}

async fn act<R: Runtime>(fleet: &CellFleet<'_, R>, entry: &Entry) -> Result<(), EngineError> {
    match &entry.action {
        Action::Deploy(wanted) => match fleet.backends.topology().pool(&wanted.pool) {
            Some(pool) => deploy(fleet, &entry.name, wanted, pool).await,
            None => Ok(()),
        },
        Action::Crash(fault) => {
            make(fleet, fault, Signal::Kill, "crash");
            fleet.backends.exited(&fault.backend, GONE_WITHIN).await?;
            if heals(fault).await {
                let crashed = fleet.incarnation(&fault.backend);
                let next = Incarnation::new(&fault.backend, crashed.generation + 1);
                fleet.launch(&next, false).await?;
                fleet.record(Happening::Healed { incarnation: next });
            }
            Ok(())
        }
        Action::Freeze(fault) => {
            make(fleet, fault, Signal::Stop, "freeze");
            if heals(fault).await
                && let Some((incarnation, at)) = fleet.backends.signal(&fault.backend, Signal::Cont)
            {
                fleet.backends.recorder.record_at(at, Happening::Healed { incarnation });
            }
            Ok(())
        }
    }
}

fn make<R: Runtime>(fleet: &CellFleet<'_, R>, fault: &Fault, signal: Signal, name: &str) {
    if let Some((incarnation, at)) = fleet.backends.signal(&fault.backend, signal) {
        fleet.backends.recorder.record_at(at, Happening::Faulted { incarnation, fault: name.to_owned() });
    }
}

/// Waits out a fault; `false`: it stays.
async fn heals(fault: &Fault) -> bool {
    match fault.lasts {
        Some(span) => {
            tokio::time::sleep(span.0).await;
            true
        }
        None => false,
    }
}

async fn sleep_until(at: Nanos) {
    tokio::time::sleep(at.since(agent::clock::now())).await;
}
