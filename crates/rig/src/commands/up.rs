//! `rig up`: a topology that is left standing, with deploys by hand.

mod door;
mod keys;
mod sheet;
mod told;
mod wishes;

use std::convert::Infallible;

use anyhow::Context;
use engine::balancer::Templates;
use engine::balancer::adapter;
use engine::cell::{End, Light, Order};
use engine::preflight::preflight;
use engine::program::{Program, REDIS};
use engine::runtime::Runtime;
use engine::runtime::docker::DockerRuntime;
use engine::runtime::process::ProcessRuntime;
use model::identity::CellId;
use model::plan::{Plan, Variant};
use model::scenario::{Choice, Scenario};
use model::traffic::Traffic;
use model::units::{Rate, Span};
use tokio::sync::watch;

use self::told::Told;
use self::wishes::Wishes;
use super::leftovers::UP;
use super::place::{self, Place};
use super::planning::{plan, templates};
use crate::cli::Up;
use crate::environment;
use crate::exit::{Exit, Failure, print};
use crate::interrupt;
use crate::progress::Show;

/// More is no light load.
const MOST: Rate = Rate(1000.0);
/// What stands goes on standing when its load has ended.
const LOAD_FOR: Span = Span::millis(3_600_000);

/// Leaves a topology standing, or asks the one that stands for a deploy.
pub(crate) fn perform(wanted: &Up) -> Result<Exit, Failure> {
    if let Some(pool) = &wanted.deploy {
        return door::ask(wanted.scenario.as_deref(), pool, wanted.drain);
    }
    let missing = || Failure::usage(anyhow::anyhow!("a scenario and a balancer are needed"));
    let (path, balancer) =
        (wanted.scenario.as_ref().ok_or_else(missing)?, wanted.balancer.ok_or_else(missing)?);
    if wanted.load.is_some_and(|rate| rate > MOST || rate.0 <= 0.0) {
        return Err(Failure::usage(anyhow::anyhow!("--load: up to {MOST}; `rig run` measures more")));
    }
    let choice = Choice {
        balancers: Some(vec![balancer]),
        variants: wanted.variant.clone().map(|name| vec![name]),
        ..Choice::default()
    };
    let (scenario, plan) = plan(path, &wanted.sets, &choice)?;
    let templates = templates(wanted.proxy_configs.as_deref())?;
    preflight(&plan, &templates).map_err(Failure::usage)?;
    let named = |variant: &&Variant| wanted.variant.as_ref().is_none_or(|name| variant.name == *name);
    let variant = plan.variants.iter().find(named).ok_or_else(missing)?;
    let cell = CellId { balancer, variant: variant.name.clone(), repeat: 1 };
    // One thread: the kernel ties the children's lives to the thread that spawns them.
    let controller =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::environment)?;
    controller.block_on(async {
        let interrupted = interrupt::requested()?;
        environment::raise_open_files();
        let job = Job { wanted, scenario: &scenario, plan: &plan, templates, variant, cell, interrupted };
        job.find_a_place().await
    })
}

/// What is to stand.
struct Job<'a> {
    wanted: &'a Up,
    scenario: &'a Scenario,
    plan: &'a Plan,
    templates: Templates,
    variant: &'a Variant,
    cell: CellId,
    interrupted: watch::Receiver<bool>,
}

impl Job<'_> {
    async fn find_a_place(&self) -> Result<Exit, Failure> {
        let Up { runtime, pull, .. } = self.wanted;
        let store = self.variant.topology.has_session_store().then_some(&REDIS);
        let balancer = adapter(self.cell.balancer).program();
        let programs: Vec<&'static Program> = [balancer].into_iter().chain(store).collect();
        let show = Show::for_stderr(false);
        match place::choose(*runtime, *pull, &programs, show, self.interrupted.clone()).await? {
            None => Err(Failure::interrupted()),
            Some(Place::Processes(executable)) => self.stand(&ProcessRuntime::new(executable)).await,
            Some(Place::Docker(engine)) => {
                let stood = self.stand(&DockerRuntime::new(&engine)).await;
                let closed = engine.close().await.map_err(Failure::environment);
                // What broke first says more.
                stood.and_then(|exit| closed.map(|()| exit))
            }
        }
    }

    async fn stand(&self, runtime: &impl Runtime) -> Result<Exit, Failure> {
        // Nothing is kept, so it is no run among runs.
        let home = self.wanted.out.join(format!("{UP}{}", std::process::id()));
        let environment = environment::gather(Default::default(), None);
        let stored = store::Run::create(&home, self.plan, self.scenario.text(), &environment)
            .with_context(|| format!("files can't be written to {}", home.display()))
            .map_err(Failure::environment)?;
        engine::host::owner::mark(&home).map_err(Failure::environment)?;
        let stood = self.serve(runtime, &stored).await;
        // What a failure points at stays.
        if stood.is_ok() {
            std::fs::remove_dir_all(&home).map_err(Failure::environment)?;
        }
        stood
    }

    async fn serve(&self, runtime: &impl Runtime, stored: &store::Run) -> Result<Exit, Failure> {
        let dir = stored.cell(&self.cell).map_err(Failure::environment)?;
        let told = Told::new();
        let order = Order {
            plan: self.plan,
            cell: &self.cell,
            dir: &dir,
            templates: &self.templates,
            listen: self.wanted.listen,
            interrupted: self.interrupted.clone(),
            watcher: &|observation| told.observe(observation),
        };
        let light = self.wanted.load.map(|rate| Light(light(&self.variant.traffic, rate)));
        let (wishes, wished) = Wishes::new(self.variant, self.cell.balancer, light.is_some());
        let door = door::Door::open(&self.plan.scenario)?;
        let stands = watch::Sender::new(false);
        let up = engine::cell::up(runtime, &order, light, wished, |standing| {
            // The listener is what matters; if nobody reads it, Ctrl-C still ends it.
            let _ = print(&sheet::sheet(self.variant, self.cell.balancer, standing, &wishes));
            stands.send_replace(true);
        });
        let asked = async {
            let mut standing = stands.subscribe();
            // Its sender lives as long as this function.
            let _ = standing.wait_for(|stands| *stands).await;
            tokio::select! {
                () = keys::follow(&wishes) => {}
                () = door.serve(&wishes, &told) => {}
            }
            wishes.close();
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

/// The requests of `traffic`, few and for long.
fn light(traffic: &Traffic, rate: Rate) -> Traffic {
    Traffic { rate, duration: LOAD_FOR, warmup: Span::default(), ..traffic.clone() }
}
