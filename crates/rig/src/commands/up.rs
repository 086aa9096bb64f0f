//! `rig up`: a topology that keeps running, with deploys by hand.

mod announcer;
mod deploys;
mod instructions;
mod keys;
mod socket;

use std::convert::Infallible;

use anyhow::Context;
use engine::balancer::Templates;
use engine::balancer::program_of;
use engine::cell::{BackgroundLoad, End, Order};
use engine::components::beside;
use engine::preflight::preflight;
use engine::program::ProgramVersion;
use engine::runtime::Runtime;
use engine::runtime::docker::DockerRuntime;
use engine::runtime::process::ProcessRuntime;
use model::catalog::BalancerKind;
use model::identity::CellId;
use model::plan::{Need, Plan, Variant};
use model::scenario::{Choice, Scenario};
use model::traffic::Traffic;
use model::units::{Rate, Span};
use tokio::sync::watch;

use self::announcer::Announcer;
use self::deploys::Deploys;
use super::leftovers::UP;
use super::planning::{plan, refuse_target, templates};
use super::run::runtime_of;
use super::runtime::{self, Chosen, MissingProgram};
use crate::cli::Up;
use crate::environment;
use crate::exit::{Exit, Failure, print};
use crate::interrupt;
use crate::progress::Show;

/// The most that background load may be.
const MOST: Rate = Rate(1000.0);
/// How long the background load lasts. The topology keeps running after it.
const LOAD_FOR: Span = Span::millis(3_600_000);

/// Launches a topology, or asks a running one for a deploy.
pub(crate) fn perform(wanted: &Up) -> Result<Exit, Failure> {
    if let Some(pool) = &wanted.deploy {
        return socket::ask(wanted.scenario.as_deref(), pool, wanted.drain);
    }
    let missing = || Failure::usage(anyhow::anyhow!("name a scenario and a balancer"));
    let (path, balancer) =
        (wanted.scenario.as_ref().ok_or_else(missing)?, wanted.balancer.ok_or_else(missing)?);
    refuse_target("up", path, &wanted.sets)?;
    if wanted.load.is_some_and(|rate| rate > MOST || rate.0 <= 0.0) {
        return Err(Failure::usage(anyhow::anyhow!("--load must be at most {MOST}; use `rig run` for more")));
    }
    let choice = Choice {
        balancers: Some(vec![balancer]),
        variants: wanted.variant.clone().map(|name| vec![name]),
        ..Choice::default()
    };
    let (scenario, plan) = plan(path, &wanted.sets, &choice)?;
    let templates = templates(wanted.proxy_configs.as_deref(), [&plan])?;
    preflight(&plan, &templates).map_err(Failure::usage)?;
    let named = |variant: &&Variant| wanted.variant.as_ref().is_none_or(|name| variant.name == *name);
    let variant = plan.variants.iter().find(named).ok_or_else(missing)?;
    let kind = variant.kind(balancer).ok_or_else(missing)?;
    let cell = CellId { balancer, variant: variant.name.clone(), repeat: 1 };
    // One thread: the kernel ties the children's lives to the thread that spawns them.
    let controller =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::environment)?;
    controller.block_on(async {
        let interrupted = interrupt::requested()?;
        environment::raise_open_files();
        let job =
            UpTask { wanted, scenario: &scenario, plan: &plan, templates, variant, cell, kind, interrupted };
        job.choose_runtime().await
    })
}

/// The topology to launch.
struct UpTask<'a> {
    wanted: &'a Up,
    scenario: &'a Scenario,
    plan: &'a Plan,
    templates: Templates,
    variant: &'a Variant,
    cell: CellId,
    kind: BalancerKind,
    interrupted: watch::Receiver<bool>,
}

impl UpTask<'_> {
    async fn choose_runtime(&self) -> Result<Exit, Failure> {
        let Up { runtime, pull, .. } = self.wanted;
        let services = beside(&self.variant.topology).map(|service| service.program.into());
        let balancer = self.variant.release(self.cell.balancer).map(program_of);
        let programs: Vec<ProgramVersion> = balancer.into_iter().chain(services).collect();
        let show = Show::for_stderr(false);
        let runtime = runtime_of(*runtime, self.plan)?;
        match runtime::choose(
            runtime,
            *pull,
            &programs,
            MissingProgram::IsAnError,
            show,
            self.interrupted.clone(),
        )
        .await?
        {
            None => Err(Failure::interrupted()),
            Some(Chosen::Processes(executable)) => self.stand(&ProcessRuntime::new(executable)).await,
            Some(Chosen::Docker(engine)) => {
                let stood = self.stand(&DockerRuntime::new(&engine)).await;
                let closed = engine.close().await.map_err(Failure::environment);
                // The first error says more.
                stood.and_then(|exit| closed.map(|()| exit))
            }
        }
    }

    async fn stand(&self, runtime: &impl Runtime) -> Result<Exit, Failure> {
        let mut own =
            [Need::Command, Need::Image].into_iter().filter(|need| self.variant.needs().contains(need));
        let lacked = own.find_map(|need| Some((need, runtime.lacks(need)?)));
        if let Some((need, why)) = lacked {
            let message = format!("{} runtime: no `{}` ({why})", runtime.name(), need.name());
            return Err(Failure::environment(anyhow::anyhow!(message)));
        }
        // Nothing is kept, so it does not belong to the runs of a scenario.
        let home = self.wanted.out.join(format!("{UP}{}", std::process::id()));
        let environment = environment::gather(Default::default(), None);
        let stored = store::RunWriter::create(&home, self.plan, self.scenario.text(), &environment)
            .with_context(|| format!("files can't be written to {}", home.display()))
            .map_err(Failure::environment)?;
        engine::host::owner::mark(&home).map_err(Failure::environment)?;
        let stood = self.serve(runtime, &stored).await;
        // After a failure the files stay: the message may name them.
        if stood.is_ok() {
            std::fs::remove_dir_all(&home).map_err(Failure::environment)?;
        }
        stood
    }

    async fn serve(&self, runtime: &impl Runtime, stored: &store::RunWriter) -> Result<Exit, Failure> {
        let dir = stored.cell(&self.cell).map_err(Failure::environment)?;
        let announcer = Announcer::new();
        let order = Order {
            plan: self.plan,
            cell: &self.cell,
            dir: &dir,
            templates: &self.templates,
            listen: self.wanted.listen,
            interrupted: self.interrupted.clone(),
            watcher: &|observation| announcer.observe(observation),
        };
        let load = self.wanted.load.map(|rate| BackgroundLoad(background(&self.variant.traffic, rate)));
        let (deploys, wished) = Deploys::new(self.variant, self.kind, load.is_some());
        let socket = socket::DeploySocket::open(&self.plan.scenario)?;
        let stands = watch::Sender::new(false);
        let up = engine::cell::up(runtime, &order, load, wished, |standing| {
            // If standard output is closed, the topology still runs, and Ctrl-C stops it.
            let _ = print(&instructions::instructions(self.variant, self.kind, standing, &deploys));
            stands.send_replace(true);
        });
        let asked = async {
            let mut standing = stands.subscribe();
            // The sender lives as long as this function.
            let _ = standing.wait_for(|stands| *stands).await;
            tokio::select! {
                () = keys::follow(&deploys) => {}
                () = socket.serve(&deploys, &announcer) => {}
            }
            deploys.close();
            std::future::pending::<Infallible>().await
        };
        let end = tokio::select! {
            end = up => end.map_err(Failure::environment)?,
            never = asked => match never {},
        };
        let stood = *stands.borrow();
        match end {
            End::Failed(why) => Err(Failure::environment(anyhow::anyhow!(why))),
            End::Completed | End::Interrupted if stood => Ok(Exit::Held),
            End::Completed | End::Interrupted => Ok(Exit::Interrupted),
        }
    }
}

/// The requests of `traffic`, at the rate of a background load.
fn background(traffic: &Traffic, rate: Rate) -> Traffic {
    Traffic { rate, duration: LOAD_FOR, warmup: Span::default(), ..traffic.clone() }
}
