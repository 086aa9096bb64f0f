//! Performs the timeline: every entry at its time, several at once if the document says so.

use std::time::Duration;

use futures_util::future::try_join_all;
use model::degrade::Degrade;
use model::detection::Symptom;
use model::draw::{Decision, uniform};
use model::history::Happening;
use model::identity::Incarnation;
use model::timeline::{Action, Entry, Fault, FaultKind, Reload, When};
use model::units::Nanos;
use tokio::sync::watch;

use super::curl::curl;
use super::deploy::deploy;
use super::error::CellError;
use super::fleet::CellFleet;
use super::recorder::Recorder;
use super::scale;
use super::steps::Fleet;
use crate::balancer::detection_bound;
use crate::host::Signal;
use crate::runtime::{Handle, Runtime};

/// How long a crashed process may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Performs `entries`, times counted from `origin`; ends when all have ended.
pub(super) async fn perform<R: Runtime>(
    fleet: &CellFleet<'_, R>,
    entries: &[Entry],
    origin: Nanos,
) -> Result<(), CellError> {
    let (seed, recorder) = (fleet.backends.seed, fleet.backends.recorder);
    in_order(entries, origin, seed, recorder, async |entry: &Entry| act(fleet, entry).await).await
}

/// Lets `act` perform each of `entries` at its time, which `seed` may shift.
pub(super) async fn in_order(
    entries: &[Entry],
    origin: Nanos,
    seed: u64,
    recorder: &Recorder<'_>,
    act: impl AsyncFn(&Entry) -> Result<(), CellError>,
) -> Result<(), CellError> {
    let act = &act;
    let ended: Vec<(&str, watch::Sender<bool>)> =
        entries.iter().map(|entry| (entry.name.as_str(), watch::Sender::new(false))).collect();
    let performances = entries.iter().zip(&ended).enumerate().map(|(place, (entry, (_, this)))| {
        let before = match &entry.when {
            When::At(_) => None,
            When::After(other) => {
                ended.iter().find(|(name, _)| name == other).map(|(_, sender)| sender.subscribe())
            }
        };
        async move {
            match (&entry.when, before) {
                (When::At(span), _) => {
                    let draw = uniform(seed, Decision::Jitter, place as u64);
                    sleep_until(origin + span.0 + entry.jitter.0.mul_f64(draw)).await;
                }
                // Its sender lives as long as this function: the wait can't fail.
                (When::After(_), Some(mut before)) => drop(before.wait_for(|ended| *ended).await),
                (When::After(_), None) => {}
            }
            recorder.record(Happening::ActionStarted { entry: entry.name.clone() });
            act(entry).await?;
            recorder.record(Happening::ActionFinished { entry: entry.name.clone() });
            this.send_replace(true);
            Ok::<(), CellError>(())
        }
    });
    try_join_all(performances).await.map(drop)
}

async fn act<R: Runtime>(fleet: &CellFleet<'_, R>, entry: &Entry) -> Result<(), CellError> {
    match &entry.action {
        Action::Deploy(wanted) => match fleet.backends.topology().pool(&wanted.pool) {
            Some(pool) => deploy(fleet, &entry.name, wanted, pool).await,
            None => Ok(()),
        },
        Action::Remove(wanted) => match fleet.backends.topology().pool_of(&wanted.backend) {
            Some(pool) => scale::remove(fleet, &entry.name, wanted, pool).await,
            None => Ok(()),
        },
        Action::Add(wanted) => match fleet.backends.topology().pool_of(&wanted.backend) {
            Some(pool) => scale::add(fleet, &entry.name, wanted, pool).await,
            None => Ok(()),
        },
        Action::Split(change) => {
            let (entry, route, to) = (entry.name.clone(), change.route.clone(), change.to.clone());
            fleet.record(Happening::Splitting { entry: entry.clone(), route, to });
            let proof = fleet.control.split(change).await?.to_owned();
            fleet.record(Happening::SplitInForce { entry, proof });
            Ok(())
        }
        Action::Curl(request) => {
            for _ in 0..request.times {
                let site = fleet.control.site();
                fleet.record(curl(&entry.name, request, site.listener, site.certificates.as_ref()).await?);
            }
            Ok(())
        }
        Action::Fault(fault) => {
            if let Some(service) = fleet.backends.service(&fault.backend) {
                return service.suffer(&entry.name, fault).await;
            }
            let harmed = make(fleet, &entry.name, fault).await?;
            if let (Some(harmed), Some(lasts)) = (harmed, fault.lasts) {
                tokio::time::sleep(lasts.0).await;
                heal(fleet, fault, harmed).await?;
            }
            Ok(())
        }
        Action::Degrade(wanted) => degrade(fleet, &entry.name, wanted).await,
        Action::Reload(wanted) => reload(fleet, *wanted).await,
        // Validation refuses it where there is no target.
        Action::Roll(_) => Ok(()),
    }
}

/// One after the other, each once the one before has taken effect.
async fn reload<R: Runtime>(fleet: &CellFleet<'_, R>, wanted: Reload) -> Result<(), CellError> {
    let mut due = agent::clock::now();
    for _ in 0..wanted.times {
        sleep_until(due).await;
        fleet.control.reload(wanted).await?;
        due = due + wanted.every.0;
    }
    Ok(())
}

/// Makes a fault; returns whom it befell.
async fn make<R: Runtime>(
    fleet: &CellFleet<'_, R>,
    entry: &str,
    fault: &Fault,
) -> Result<Option<(Incarnation, Handle)>, CellError> {
    let backends = fleet.backends;
    let backend = fault.backend.as_str();
    let running = backends.running(backend).filter(|(_, handle)| handle.exited().is_none());
    let Some((incarnation, handle)) = running else {
        missed(fleet, entry, backend);
        return Ok(None);
    };
    let harmed = (incarnation.clone(), handle.clone());
    let runtime = backends.runtime;
    let at = match fault.kind {
        FaultKind::Crash => backends.end(backend, Signal::Kill).await?.map(|(_, at)| at),
        // The network first: a host that is lost says no farewell on its connections.
        FaultKind::HostLoss => Some(runtime.partition(&backends.pods[backend]).await?),
        FaultKind::Term => backends.end(backend, Signal::Term).await?.map(|(_, at)| at),
        FaultKind::Freeze => Some(runtime.freeze(&handle).await?),
        FaultKind::Partition => Some(runtime.partition(&backends.pods[backend]).await?),
    };
    if let Some(at) = at {
        backends.recorder.record_at(at, Happening::Faulted { incarnation, fault: fault.kind });
        look_out(fleet, backend, Some(fault.kind.into()), at);
    }
    if fault.kind == FaultKind::HostLoss {
        backends.end(backend, Signal::Kill).await?;
    }
    if ends_the_process(fault.kind) {
        backends.exited(backend, GONE_WITHIN).await?;
    }
    Ok(Some(harmed))
}

/// The target of an entry was not running, and the history says so.
fn missed<R: Runtime>(fleet: &CellFleet<'_, R>, entry: &str, backend: &str) {
    let latest = fleet.backends.latest(backend);
    let reason = match fleet.backends.is_gone(backend) {
        true => format!("nothing ran at {backend} then: {latest} was gone"),
        false => format!("{latest} was still starting"),
    };
    fleet.record(Happening::FaultMissed { entry: entry.to_owned(), backend: backend.to_owned(), reason });
}

async fn heal<R: Runtime>(
    fleet: &CellFleet<'_, R>,
    fault: &Fault,
    (incarnation, handle): (Incarnation, Handle),
) -> Result<(), CellError> {
    let backends = fleet.backends;
    let backend = fault.backend.as_str();
    let pod = &backends.pods[backend];
    if fault.kind == FaultKind::HostLoss {
        backends.runtime.heal(pod).await?;
    }
    // A deploy has taken the place over: what comes next there is its own.
    let taken_over = backends.replacing.borrow().contains(backend) || backends.latest(backend) != incarnation;
    if taken_over && (ends_the_process(fault.kind) || handle.exited().is_some()) {
        return Ok(());
    }
    let (healed, at) = match fault.kind {
        FaultKind::Crash | FaultKind::Term | FaultKind::HostLoss => {
            let next = Incarnation::new(backend, backends.latest(backend).generation + 1);
            backends.launch(&next, false).await?;
            (next, agent::clock::now())
        }
        FaultKind::Freeze => (incarnation, backends.runtime.thaw(&handle).await?),
        FaultKind::Partition => (incarnation, backends.runtime.heal(pod).await?),
    };
    backends.recorder.record_at(at, Happening::Healed { incarnation: healed });
    fleet.lookout.tell(backend, at);
    Ok(())
}

async fn degrade<R: Runtime>(
    fleet: &CellFleet<'_, R>,
    entry: &str,
    wanted: &Degrade,
) -> Result<(), CellError> {
    let Degrade { backend, misbehaviour, lasts } = wanted;
    let backends = fleet.backends;
    let Some((incarnation, at)) = backends.behave(backend, Some(*misbehaviour)).await? else {
        missed(fleet, entry, backend);
        return Ok(());
    };
    let misbehaviour = *misbehaviour;
    backends.recorder.record_at(at, Happening::Degraded { incarnation, misbehaviour });
    look_out(fleet, backend, Symptom::of(misbehaviour), at);
    if let Some(lasts) = lasts {
        tokio::time::sleep(lasts.0).await;
        if let Some((incarnation, at)) = backends.behave(backend, None).await? {
            backends.recorder.record_at(at, Happening::Healed { incarnation });
            fleet.lookout.tell(backend, at);
        }
    }
    Ok(())
}

/// From here on the balancer's view of `backend`, which is ill since `at`, is looked at.
pub(super) fn look_out<R: Runtime>(
    fleet: &CellFleet<'_, R>,
    backend: &str,
    symptom: Option<Symptom>,
    at: Nanos,
) {
    let bound = detection_bound(fleet.control.kind, fleet.backends.topology(), symptom);
    let every = fleet.lookout.every();
    fleet.backends.recorder.record_at(at, Happening::Watched { backend: backend.to_owned(), bound, every });
    fleet.lookout.tell(backend, at);
}

/// Whether a backend that it befalls has to be launched again.
fn ends_the_process(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::Crash | FaultKind::Term | FaultKind::HostLoss)
}

pub(super) async fn sleep_until(at: Nanos) {
    tokio::time::sleep(at.since(agent::clock::now())).await;
}
