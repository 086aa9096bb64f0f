//! Runs the cells of a plan: one after another, or several at the same time.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use engine::balancer::Templates;
use engine::cell::{End, Order};
use engine::runtime::Runtime;
use engine::runtime::docker::{DockerRuntime, SharedEngine};
use engine::runtime::process::ProcessRuntime;
use model::identity::CellId;
use model::outcome::OutcomeKind;
use model::plan::Plan;
use report::CellSummary;
use store::{RunWriter, SavedRun};
use tokio::sync::watch;

use super::judged::{MeasuredCell, measured};
use crate::cli;
use crate::exit::Failure;
use crate::progress::{CellProgress, Show};

/// The cells of a run, in the order in which they begin.
pub(super) struct Cells<'a> {
    pub(super) wanted: &'a cli::Run,
    pub(super) plan: &'a Plan,
    pub(super) stored: &'a RunWriter,
    pub(super) templates: &'a Templates,
    pub(super) interrupted: watch::Receiver<bool>,
    pub(super) order: Vec<CellId>,
}

/// One of them, with its number.
pub(super) struct NumberedCell<'a> {
    of: &'a Cells<'a>,
    cell: &'a CellId,
    number: usize,
    show: Show,
}

impl NumberedCell<'_> {
    async fn on(self, runtime: &impl Runtime) -> Result<(End, MeasuredCell), Failure> {
        self.of.run(runtime, self.cell, self.number, self.show).await
    }
}

/// Where cells can run at the same time: each, in its thread, gets a runtime of its own.
pub(super) trait CellPlace: Sync {
    /// Runs it.
    async fn run(&self, cell: NumberedCell<'_>) -> Result<(End, MeasuredCell), Failure>;
}

/// Local processes; the path is rig's own.
pub(super) struct Processes(pub(super) PathBuf);

impl CellPlace for Processes {
    async fn run(&self, cell: NumberedCell<'_>) -> Result<(End, MeasuredCell), Failure> {
        cell.on(&ProcessRuntime::new(self.0.clone())).await
    }
}

/// Containers on one engine, to which each thread connects by itself.
pub(super) struct Containers(pub(super) SharedEngine);

impl CellPlace for Containers {
    async fn run(&self, cell: NumberedCell<'_>) -> Result<(End, MeasuredCell), Failure> {
        let engine = self.0.connect().await.map_err(Failure::environment)?;
        cell.on(&DockerRuntime::new(&engine)).await
    }
}

/// What became of them: those that were measured, and why the others were not, if that is an error.
#[derive(Default)]
pub(super) struct EndedCells {
    pub(super) measured: Vec<MeasuredCell>,
    pub(super) broken: Option<Failure>,
}

impl EndedCells {
    /// Takes in how one ended; returns whether the next may begin: not after an error, or when the user wants to stop.
    fn take(&mut self, ended: Result<(End, MeasuredCell), Failure>) -> bool {
        match ended {
            Ok((end, measured)) => {
                self.measured.push(measured);
                !matches!(end, End::Interrupted)
            }
            Err(failure) => {
                self.broken.get_or_insert(failure);
                false
            }
        }
    }
}

impl Cells<'_> {
    /// Runs one after another, each on a runtime of its own from `launched`.
    pub(super) async fn one_by_one<R: Runtime>(self, launched: &impl Fn() -> R) -> EndedCells {
        let mut ended = EndedCells::default();
        for (n, cell) in self.order.iter().enumerate() {
            let show = Show::for_stderr(self.wanted.quiet);
            if !ended.take(self.run(&launched(), cell, n + 1, show).await) {
                break;
            }
        }
        ended
    }

    /// Runs up to `jobs` at the same time, each in a thread and at a `place` of its own. Those whose latency or CPU time a claim
    /// is about come after the others, one by one.
    pub(super) fn at_once(mut self, jobs: usize, place: &impl CellPlace) -> EndedCells {
        self.order.sort_by_key(|cell| self.plan.needs_the_machine(&cell.variant));
        let beside = self.order.partition_point(|cell| !self.plan.needs_the_machine(&cell.variant));
        let numbered: Vec<(usize, &CellId)> = self.order.iter().enumerate().collect();
        let (beside, alone) = numbered.split_at(beside);
        let ended = Mutex::new((EndedCells::default(), true));
        for (cells, threads) in [(beside, jobs), (alone, 1)] {
            let waiting = Mutex::new(cells.iter());
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    // The kernel ties the children's lives to the thread that spawns them, and it lives as long as they do.
                    scope.spawn(|| self.work(&waiting, &ended, place));
                }
            });
        }
        ended.into_inner().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Runs what is `waiting`, while the next may begin.
    fn work<'c>(
        &self,
        waiting: &Mutex<impl Iterator<Item = &'c (usize, &'c CellId)>>,
        ended: &Mutex<(EndedCells, bool)>,
        place: &impl CellPlace,
    ) {
        let show = if self.wanted.quiet { Show::Quiet } else { Show::Plain };
        let goes_on = || ended.lock().is_ok_and(|ended| ended.1);
        let next = || waiting.lock().ok()?.next().filter(|_| goes_on());
        while let Some((n, cell)) = next() {
            let thread = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let one = match thread {
                Ok(thread) => {
                    thread.block_on(place.run(NumberedCell { of: self, cell, number: n + 1, show }))
                }
                Err(error) => Err(Failure::environment(error)),
            };
            let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
            let more = ended.0.take(one);
            ended.1 &= more;
        }
    }

    /// Runs one cell, and summarises it.
    async fn run(
        &self,
        runtime: &impl Runtime,
        cell: &CellId,
        number: usize,
        show: Show,
    ) -> Result<(End, MeasuredCell), Failure> {
        let variant = self.plan.variant(&cell.variant);
        let load = |cell: &CellId| {
            let traffic = &self.plan.variant(&cell.variant)?.traffic;
            Some(traffic.warmup.0 + traffic.duration.0)
        };
        let after = self.order.iter().skip(number).filter_map(load).sum();
        let progress = CellProgress::begin(show, cell, variant, (number, self.order.len()), after);
        let ended = self.observed(runtime, cell, &progress).await;
        progress.finish(&match &ended {
            Ok((End::Completed, measured)) => result_line(&measured.summary),
            Ok((End::Failed(why), _)) => format!("failed: {}", why.lines().next().unwrap_or_default()),
            Ok((End::Interrupted, _)) => "interrupted".to_owned(),
            Err(_) => "could not run".to_owned(),
        });
        ended
    }

    async fn observed(
        &self,
        runtime: &impl Runtime,
        cell: &CellId,
        progress: &CellProgress,
    ) -> Result<(End, MeasuredCell), Failure> {
        let dir = self.stored.cell(cell).map_err(Failure::environment)?;
        let order = Order {
            plan: self.plan,
            cell,
            dir: &dir,
            templates: self.templates,
            listen: self.wanted.listen,
            interrupted: self.interrupted.clone(),
            watcher: &|observation| progress.observe(observation),
        };
        let end = engine::cell::run(runtime, &order).await.map_err(Failure::environment)?;
        let saved = SavedRun::open(self.stored.path()).map_err(Failure::environment)?;
        let (measured, log) =
            measured(&saved, cell, |analysis| analysis.latency_log()).map_err(Failure::environment)?;
        dir.write_summary(&measured.summary).map_err(Failure::environment)?;
        dir.write_latency_log(&log).map_err(Failure::environment)?;
        Ok((end, measured))
    }
}

/// One line about a cell that has ended.
fn result_line(cell: &CellSummary) -> String {
    let counts = &cell.counts;
    let expected = match counts.of(OutcomeKind::ExpectedStatus) {
        0 => String::new(),
        expected => format!(", {expected} expected status"),
    };
    let ok = counts.of(OutcomeKind::Ok);
    format!("{} scheduled, {ok} ok{expected}, {} dropped", counts.scheduled, counts.dropped)
}
