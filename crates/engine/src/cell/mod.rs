//! One cell, from the first lease to the last process gone.

mod backends;
mod collection;
mod control;
mod curl;
mod deploy;
mod early_end;
mod ending;
mod error;
mod fleet;
mod frames;
mod generator;
mod generators;
mod incumbent;
mod ledgers;
mod lines;
mod listener;
mod log_tail;
mod lookout;
mod losses;
mod machine;
mod names;
mod own_service;
mod pods;
mod readiness;
mod recorder;
mod sampling;
mod scale;
mod served;
mod service;
mod stages;
mod steps;
mod target;
mod testbed;
mod timeline;
mod token_keys;
pub mod trial;
mod up;
mod workers;

use std::cell::Cell;
use std::net::SocketAddr;

use model::history::{CellStage, Happening};
use model::identity::CellId;
use model::plan::{Plan, Variant};
use store::CellDir;
use tokio::sync::watch;

pub use curl::find_curl;
pub use error::CellError;
pub(crate) use ledgers::read_ledger;
pub use recorder::{Observation, Watcher};
pub use trial::trial;
pub use up::{BackgroundLoad, DeployRequest, Serving, up};

use self::recorder::Recorder;
use self::stages::Stages;
use self::testbed::Testbed;
use crate::balancer::Templates;
use crate::help::with_help;
use crate::host::certificates::{CERTIFICATES, Swept};
use crate::runtime::Runtime;

/// What a cell needs beside its runtime.
pub struct Order<'a> {
    /// The checked plan that the cell belongs to.
    pub plan: &'a Plan,
    /// Which of its cells.
    pub cell: &'a CellId,
    /// Where its records go.
    pub dir: &'a CellDir,
    /// The balancers' configuration templates.
    pub templates: &'a Templates,
    /// The listener's address, if the user wants a certain one.
    pub listen: Option<SocketAddr>,
    /// Becomes true when the user wants to stop.
    pub interrupted: watch::Receiver<bool>,
    /// Told of everything that happens.
    pub watcher: &'a Watcher<'a>,
}

/// How a cell ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// To its end.
    Completed,
    /// Something broke after the load had begun: there are records, and no trusted measurement.
    Failed(String),
    /// The user stopped it.
    Interrupted,
}

/// Runs one cell. Whatever happens, everything that it launched is gone when this returns, and its records lie
/// in its directory.
///
/// # Errors
/// If the environment can't run the cell: a balancer is missing or refuses its configuration, an address is
/// taken, an agent doesn't start, a file can't be written.
pub async fn run<R: Runtime>(runtime: &R, order: &Order<'_>) -> Result<End, CellError> {
    if let Some(target) = &variant_of(order.plan, order.cell)?.target {
        return target::run(runtime, order, target).await;
    }
    perform(runtime, order, async |testbed, stages, began| testbed.drive(stages, began).await).await
}

/// Opens a testbed, lets it be used, and ends it.
async fn perform<R: Runtime>(
    runtime: &R,
    order: &Order<'_>,
    usage: impl AsyncFnOnce(&Testbed<'_, R>, &Stages<'_>, &Cell<bool>) -> Result<Drive, CellError>,
) -> Result<End, CellError> {
    let recorder = Recorder::new(order.dir, order.watcher)?;
    let _swept = Swept::from(order.dir.scratch().join(CERTIFICATES));
    recorder.record(Happening::CellStarted { cell: order.cell.clone(), runtime: runtime.name().to_owned() });
    let load_began = Cell::new(false);
    let stages = Stages::begin(&recorder);
    let opened = tokio::select! {
        opened = Testbed::open(runtime, order, &recorder) => opened.map(Some),
        () = stopped_before_the_load(order.interrupted.clone(), &load_began) => Ok(None),
    };
    let testbed = match opened {
        Ok(Some(testbed)) => testbed,
        Ok(None) => {
            recorder.record(Happening::Interrupted);
            let ended = runtime.end().await.map_err(CellError::from);
            recorder.record(Happening::CellFinished);
            return ended.map(|()| End::Interrupted);
        }
        Err(error) => {
            recorder.record(Happening::Failed { message: with_help(&error) });
            let ended = runtime.end().await.map_err(CellError::from);
            recorder.record(Happening::CellFinished);
            return Err(error.and(ended));
        }
    };
    let driven = tokio::select! {
        driven = usage(&testbed, &stages, &load_began) => driven,
        () = stopped_before_the_load(order.interrupted.clone(), &load_began) => {
            recorder.record(Happening::Interrupted);
            Ok(Drive::Interrupted)
        }
    };
    if let Err(error) = &driven {
        recorder.record(Happening::Failed { message: with_help(error) });
    }
    let ended = testbed.end().await;
    stages.ended(CellStage::Teardown);
    let collected = testbed.collect();
    recorder.record(Happening::CellFinished);
    let end = match driven {
        Ok(Drive::Completed) => End::Completed,
        Ok(Drive::Interrupted) => End::Interrupted,
        // There are records, and they are no trusted measurement.
        Err(error) if load_began.get() => End::Failed(with_help(&error)),
        Err(error) => return Err(error.and(ended)),
    };
    ended?;
    collected?;
    recorder.lost()?;
    Ok(end)
}

/// Ends when the user wants to stop while there is no load yet; later the load is ended in order.
async fn stopped_before_the_load(mut interrupted: watch::Receiver<bool>, load_began: &Cell<bool>) {
    // The controller's end drops the sender: nothing can interrupt any more.
    if interrupted.wait_for(|stop| *stop).await.is_err() || load_began.get() {
        std::future::pending().await
    }
}

/// How the driven part of a cell ended.
#[derive(PartialEq, Eq)]
enum Drive {
    Completed,
    Interrupted,
}

fn variant_of<'a>(plan: &'a Plan, cell: &CellId) -> Result<&'a Variant, CellError> {
    plan.variant(&cell.variant).ok_or_else(|| CellError::NotInPlan { cell: cell.clone() })
}
