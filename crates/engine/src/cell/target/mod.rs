//! A cell against a target that rig did not launch: the load beside the timeline, whose deploys are commands.

mod command;
mod fleet;
mod redaction;
mod settling;
mod way;

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use model::generators::LoadPart;
use model::history::{CellStage, Happening};
use model::job::LoadJob;
use model::plan::Variant;
use model::target::{CommandName, POOL, Target};
use model::timeline::{Action, Entry};
use model::tls::ClientTls;
use model::units::Nanos;
use tokio::sync::watch;

use self::command::CommandRunner;
use self::fleet::TargetFleet;
use self::settling::Settling;
use super::deploy::deploy;
use super::error::CellError;
use super::generators::{self, Generators};
use super::machine;
use super::recorder::{Observation, Recorder};
use super::stages::Stages;
use super::timeline::in_order;
use super::{End, Order, variant_of};
use crate::help::with_help;
use crate::host::{orphans, owner};
use crate::runtime::{Runtime, RuntimeError};

/// How long a command may take to end when the user wants to stop.
const STOP_WITHIN: Duration = Duration::from_secs(8);

/// Runs one cell against the target of its variant. Its command `restore` runs at every orderly end, the user's
/// interruption included.
///
/// # Errors
/// If the target can't be reached, does not answer as the scenario expects, or a file can't be written.
pub(super) async fn run<R: Runtime>(
    runtime: &R,
    order: &Order<'_>,
    target: &Target,
) -> Result<End, CellError> {
    // What a command starts and leaves running is the user's.
    orphans::release();
    let recorder = Recorder::new(order.dir, order.watcher)?;
    recorder.record(Happening::CellStarted { cell: order.cell.clone(), runtime: runtime.name().to_owned() });
    let commands = CommandRunner::new(target, &recorder, order.dir.path(), order.interrupted.clone())?;
    let cell = Against { runtime, order, recorder: &recorder, target, commands: &commands };
    let began = Cell::new(false);
    let driven = cell.drive(&began).await;
    let interrupted = *order.interrupted.borrow();
    if let Err(error) = &driven
        && !interrupted
    {
        recorder.record(Happening::Failed { message: with_help(error) });
    }
    if interrupted {
        recorder.record(Happening::Interrupted);
    }
    let restored = commands.restore().await;
    let ended = runtime.end().await.map_err(CellError::from);
    // What the generator said of itself; its records are elsewhere.
    let _ = std::fs::remove_dir_all(order.dir.scratch());
    recorder.record(Happening::CellFinished);
    let end = match driven {
        _ if interrupted => End::Interrupted,
        Ok(()) => End::Completed,
        Err(error) if began.get() => End::Failed(with_help(&error)),
        Err(error) => return Err(error.and(restored).and(ended)),
    };
    restored?;
    ended?;
    recorder.lost()?;
    Ok(end)
}

/// The parts of such a cell.
struct Against<'a, R> {
    runtime: &'a R,
    order: &'a Order<'a>,
    recorder: &'a Recorder<'a>,
    target: &'a Target,
    commands: &'a CommandRunner<'a>,
}

impl<R: Runtime> Against<'_, R> {
    async fn drive(&self, began: &Cell<bool>) -> Result<(), CellError> {
        let stages = Stages::begin(self.recorder);
        let variant = variant_of(self.order.plan, self.order.cell)?;
        let own =
            std::path::absolute(self.order.dir.path()).map_err(CellError::file(self.order.dir.path()))?;
        let scratch = std::path::absolute(self.order.dir.scratch()).map_err(CellError::file(&own))?;
        std::fs::create_dir_all(&scratch).map_err(CellError::file(&scratch))?;
        owner::mark(&scratch).map_err(CellError::file(&scratch))?;
        self.runtime.open(&[&own]).await?;
        let tls = self.tls(variant);
        let way = way::find(self.target, tls.as_ref(), variant, self.recorder).await?;
        let pods = generators::pods(self.runtime, variant.traffic.generators).await?;
        let idle = generators::launch(self.runtime, self.recorder, &pods, &scratch).await?;
        stages.ended(CellStage::Launch);
        let job = LoadJob {
            targets: way,
            host: Some(self.target.authority_of_requests()),
            identity_header: self.target.identity_header.clone(),
            // The three are set at the launch.
            origin: Nanos(0),
            part: LoadPart::WHOLE,
            records: PathBuf::new(),
            tls,
            traffic: variant.traffic.clone(),
            seed: self.order.plan.seed_of(self.order.cell.repeat),
        };
        let mut generators = idle.begin(self.recorder, job, self.order.dir).await?;
        began.set(true);
        let ended = self.under_load(variant, &mut generators).await;
        stages.ended(CellStage::Load);
        ended
    }

    /// How the load speaks TLS.
    fn tls(&self, variant: &Variant) -> Option<ClientTls> {
        let authority = self.target.authority.as_ref().map(|path| self.target.directory.join(path));
        let server = Some(self.target.name().to_owned());
        let resumption = variant.traffic.resumption;
        self.target.url.tls.then_some(ClientTls { authority, server, resumption })
    }

    async fn under_load(&self, variant: &Variant, generators: &mut Generators) -> Result<(), CellError> {
        let (origin, brake) = (generators.origin, generators.brake());
        let (seen, progress) = watch::channel(None);
        let settling =
            Settling { wanted: variant.traffic.until_settled, timeout: variant.traffic.timeout.0, progress };
        let timeline = async {
            self.perform(&variant.timeline, origin).await?;
            if settling.settled().await {
                brake.enough().await;
            }
            Ok::<(), CellError>(())
        };
        let watched = |told: Observation<'_>| {
            if let Observation::Progress(progress) = told {
                let _ = seen.send(Some(progress));
            }
            self.recorder.show(told);
        };
        let mut interrupted = self.order.interrupted.clone();
        let stop = async { drop(interrupted.wait_for(|stop| *stop).await) };
        let measured = async {
            let read = || self.recorder.record(machine::read());
            let begin = async {
                super::timeline::sleep_until(origin).await;
                read();
            };
            let (loaded, ()) = tokio::join!(generators.followed(self.recorder, &watched), begin);
            read();
            loaded
        };
        let interrupted = {
            tokio::pin!(measured, timeline, stop);
            tokio::select! {
                biased;
                loaded = &mut measured => {
                    let message = "the timeline had not ended when the load did".to_owned();
                    self.recorder.record(Happening::Warning { message });
                    self.commands.load_is_over();
                    self.no_command_runs(&mut timeline).await;
                    loaded?;
                    false
                }
                performed = &mut timeline => {
                    performed?;
                    tokio::select! {
                        loaded = &mut measured => {
                            loaded?;
                            false
                        }
                        () = &mut stop => true,
                    }
                }
                () = &mut stop => {
                    self.no_command_runs(&mut timeline).await;
                    true
                }
            }
        };
        if interrupted {
            generators.cancel(self.runtime, self.recorder).await;
        }
        Ok(())
    }

    /// Waits until a command that is being stopped has ended: the next to run is `restore`.
    async fn no_command_runs(&self, timeline: impl Future) {
        if self.commands.are_running() {
            let _ = tokio::time::timeout(STOP_WITHIN, timeline).await;
        }
    }

    /// Performs the timeline: its deploys, as commands.
    async fn perform(&self, entries: &[Entry], origin: Nanos) -> Result<(), CellError> {
        let seed = self.order.plan.seed_of(self.order.cell.repeat);
        let variant = variant_of(self.order.plan, self.order.cell)?;
        let fleet = TargetFleet::new(self.commands, self.recorder);
        in_order(entries, origin, seed, self.recorder, async |entry: &Entry| match &entry.action {
            Action::Roll(_) => match &self.target.commands.roll {
                Some(command) => self.commands.run(CommandName::Roll, command, &[]).await.map(drop),
                None => Ok(()),
            },
            Action::Deploy(wanted) => match variant.topology.pool(POOL) {
                Some(pool) => deploy(&fleet, &entry.name, wanted, pool).await,
                None => Ok(()),
            },
            // Validation refuses the others for a target.
            _ => {
                let reason = "validation lets a target only be deployed";
                Err(RuntimeError::Incapable { verb: "its action", of: entry.name.clone(), reason }.into())
            }
        })
        .await
    }
}
