//! Runs the cells of a plan: one after another, or several at the same time.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use engine::balancer::Templates;
use engine::cell::{End, Order};
use engine::runtime::Runtime;
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

/// What became of them: those that were measured, and why the others were not, if that is an error.
#[derive(Default)]
pub(super) struct EndedCells {
    pub(super) measured: Vec<MeasuredCell>,
    pub(super) broken: Option<Failure>,
}

impl Cells<'_> {
    /// Runs one after another, each on a runtime of its own from `launched`.
    pub(super) async fn one_by_one<R: Runtime>(self, launched: &impl Fn() -> R) -> EndedCells {
        let mut outcome = EndedCells::default();
        for (n, cell) in self.order.iter().enumerate() {
            let show = Show::for_stderr(self.wanted.quiet);
            match self.run(&launched(), cell, n + 1, show).await {
                Ok((end, cell)) => {
                    outcome.measured.push(cell);
                    if matches!(end, End::Interrupted) {
                        break;
                    }
                }
                Err(failure) => {
                    outcome.broken = Some(failure);
                    break;
                }
            }
        }
        outcome
    }

    /// Runs up to `jobs` at the same time, each in a thread and on a runtime of its own. One whose latency or CPU time a claim
    /// is about has the machine for itself, after the others.
    pub(super) fn at_once<R: Runtime>(
        mut self,
        jobs: usize,
        launched: &(impl Fn() -> R + Sync),
    ) -> EndedCells {
        let alone = |cell: &CellId| self.plan.needs_the_machine(&cell.variant);
        self.order.sort_by_key(alone);
        let waiting = self.order.iter().enumerate().map(|(n, cell)| (n + 1, cell, alone(cell))).collect();
        let queue = CellQueue {
            state: Mutex::new(QueueState { waiting, ..QueueState::default() }),
            changed: Condvar::new(),
        };
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                // The kernel ties the children's lives to the thread that spawns them, and it lives as long as they do.
                scope.spawn(|| self.work(&queue, launched));
            }
        });
        let state = queue.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.outcome
    }

    /// Takes cells from the queue while there are any.
    fn work<R: Runtime>(&self, queue: &CellQueue<'_>, launched: &(impl Fn() -> R + Sync)) {
        let show = if self.wanted.quiet { Show::Quiet } else { Show::Plain };
        while let Some((number, cell, _)) = queue.next() {
            let thread = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let ended = match thread {
                Ok(thread) => thread.block_on(self.run(&launched(), cell, number, show)),
                Err(error) => Err(Failure::environment(error)),
            };
            queue.ended(ended);
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
        let progress = CellProgress::begin(show, cell, variant, number, self.order.len());
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

/// A cell that is next: its number, which it is, and whether it needs the machine for itself.
type CellTurn<'a> = (usize, &'a CellId, bool);

/// What the threads share.
struct CellQueue<'a> {
    state: Mutex<QueueState<'a>>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState<'a> {
    waiting: VecDeque<CellTurn<'a>>,
    running: usize,
    /// Whether what runs has the machine for itself.
    alone: bool,
    outcome: EndedCells,
}

impl<'a> CellQueue<'a> {
    fn lock(&self) -> MutexGuard<'_, QueueState<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next cell, once it may begin; `None`: there is none.
    fn next(&self) -> Option<CellTurn<'a>> {
        let mut state = self.lock();
        loop {
            let (_, _, alone) = *state.waiting.front()?;
            if state.running == 0 || !(state.alone || alone) {
                state.running += 1;
                state.alone = alone;
                return state.waiting.pop_front();
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes in how one ended. After an error, or when the user wants to stop, none begins any more.
    fn ended(&self, ended: Result<(End, MeasuredCell), Failure>) {
        let mut state = self.lock();
        state.running -= 1;
        match ended {
            Ok((end, measured)) => {
                state.outcome.measured.push(measured);
                if matches!(end, End::Interrupted) {
                    state.waiting.clear();
                }
            }
            Err(failure) => {
                state.outcome.broken.get_or_insert(failure);
                state.waiting.clear();
            }
        }
        drop(state);
        self.changed.notify_all();
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
