//! The processes of a cell's balancer: the one that serves, and those that served before and finish what they have.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::{join_all, select_all};
use model::component::{Component, ExitStatus};
use model::history::Happening;
use tokio::sync::watch;

use super::error::CellError;
use super::recorder::Recorder;
use crate::runtime::{Handle, Launch, Process, Runtime};

/// A balancer that was launched.
pub(super) struct Incumbent<'a, R> {
    runtime: &'a R,
    recorder: &'a Recorder<'a>,
    /// How its first process was launched.
    launch: Launch<'a>,
    /// Those whose end is not recorded yet, in the order of their launches.
    lives: RefCell<Vec<Handle>>,
    launches: Cell<u32>,
    /// A successor was launched, and does not serve yet: until it does, the one before may end first.
    succeeding: Cell<bool>,
    /// Whether each that has ended did so with success.
    clean: Cell<bool>,
    /// Told of every change of the above.
    changes: watch::Sender<()>,
}

impl<'a, R: Runtime> Incumbent<'a, R> {
    pub(super) async fn launch(
        runtime: &'a R,
        recorder: &'a Recorder<'a>,
        launch: Launch<'a>,
    ) -> Result<Incumbent<'a, R>, CellError> {
        let incumbent = Incumbent {
            runtime,
            recorder,
            launch,
            lives: RefCell::default(),
            launches: Cell::new(0),
            succeeding: Cell::new(false),
            clean: Cell::new(true),
            changes: watch::Sender::new(()),
        };
        incumbent.start(incumbent.launch.arguments.clone()).await?;
        Ok(incumbent)
    }

    async fn start(&self, arguments: Vec<String>) -> Result<(), CellError> {
        let launch = Launch { arguments, ..self.launch.clone() };
        let Process { handle, .. } = self.runtime.start(launch).await?;
        let pid = handle.pid;
        self.lives.borrow_mut().push(handle);
        self.launches.set(self.launches.get() + 1);
        self.changes.send_replace(());
        self.recorder.record(Happening::Launched { component: Component::Balancer, pid });
        Ok(())
    }

    /// Launches a successor with `arguments`; [`Incumbent::succeeded`] says once it serves.
    pub(super) async fn succeed(&self, arguments: Vec<String>) -> Result<(), CellError> {
        self.succeeding.set(true);
        self.start(arguments).await
    }

    pub(super) fn succeeded(&self) {
        self.succeeding.set(false);
        self.changes.send_replace(());
    }

    pub(super) fn is_succeeding(&self) -> bool {
        self.succeeding.get()
    }

    /// The one that was launched last.
    pub(super) fn serving(&self) -> Handle {
        self.lives.borrow().last().expect("it was launched, and stays in here").clone()
    }

    /// The only one that there ever was; `None`: there were several, of which no one's CPU time is the balancer's.
    pub(super) fn only(&self) -> Option<Handle> {
        (self.launches.get() == 1).then(|| self.serving())
    }

    /// Which successor the next one is, from 1.
    pub(super) fn next(&self) -> u32 {
        self.launches.get()
    }

    /// Those with whom the balancer has gone.
    fn bearers(&self) -> Vec<Handle> {
        let lives = self.lives.borrow();
        let several = if self.succeeding.get() { 2 } else { 1 };
        lives[lives.len().saturating_sub(several)..].to_vec()
    }

    /// How the balancer ended, if nothing of it serves any more.
    pub(super) fn exited(&self) -> Option<ExitStatus> {
        let ended: Option<Vec<_>> = self.bearers().iter().map(Handle::exited).collect();
        ended.and_then(|all| all.last().cloned())
    }

    /// Waits until nothing of the balancer serves any more.
    pub(super) async fn exit(&self) -> ExitStatus {
        let mut changes = self.changes.subscribe();
        loop {
            let bearers = self.bearers();
            tokio::select! {
                ended = join_all(bearers.iter().map(end_of)) => {
                    if let Some(last) = ended.last() {
                        return last.clone();
                    }
                }
                _ = changes.changed() => {}
            }
        }
    }

    /// Writes down when predecessors end, and when the balancer exits.
    pub(super) async fn follow(&self) -> Infallible {
        let mut changes = self.changes.subscribe();
        loop {
            let predecessors = self.predecessors();
            tokio::select! {
                (status, pid) = first_end(&predecessors) => self.note(pid, status),
                status = self.exit() => {
                    let component = Component::Balancer;
                    self.recorder.record(Happening::Exited { component, status, expected: false });
                    return std::future::pending().await;
                }
                _ = changes.changed() => {}
            }
        }
    }

    fn predecessors(&self) -> Vec<Handle> {
        let lives = self.lives.borrow();
        match self.succeeding.get() {
            true => Vec::new(),
            false => lives[..lives.len().saturating_sub(1)].to_vec(),
        }
    }

    fn note(&self, pid: u32, status: ExitStatus) {
        self.clean.set(self.clean.get() && status.is_success());
        self.lives.borrow_mut().retain(|life| life.pid != pid);
        let (component, expected) = (Component::Predecessor, status.is_success());
        self.recorder.record(Happening::Exited { component, status, expected });
    }

    /// Waits for the end of every process, at most `within`. Returns how the balancer ended, and whether all of its
    /// processes did so with success; `None`: one still runs.
    pub(super) async fn all_ended(&self, within: Duration) -> Option<(ExitStatus, bool)> {
        self.succeeding.set(false);
        let serving = self.serving();
        let all = async {
            for predecessor in self.predecessors() {
                self.note(predecessor.pid, end_of(&predecessor).await);
            }
            end_of(&serving).await
        };
        let status = tokio::time::timeout(within, all).await.ok()?;
        let clean = self.clean.get() && status.is_success();
        Some((status, clean))
    }

    /// Every process that may still run.
    pub(super) fn all(&self) -> Vec<Handle> {
        self.lives.borrow().clone()
    }
}

async fn end_of(process: &Handle) -> ExitStatus {
    let mut exit = process.exit.clone();
    let ended = exit.wait_for(Option::is_some).await;
    ended.ok().and_then(|status| status.clone()).unwrap_or_else(|| ExitStatus::unknown("gone"))
}

/// The first of `processes` to end; waits for ever if there is none.
async fn first_end(processes: &[Handle]) -> (ExitStatus, u32) {
    if processes.is_empty() {
        return std::future::pending().await;
    }
    let ends = processes.iter().map(|process| Box::pin(async { (end_of(process).await, process.pid) }));
    select_all(ends).await.0
}
