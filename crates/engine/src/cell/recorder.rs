//! The only writer of a cell's history.

use std::cell::RefCell;

use model::history::{Event, Happening};
use model::job::{BackendStatus, Progress};
use model::units::Nanos;
use store::{CellDir, HistoryWriter, StoreError};

use crate::balancer::BackendView;

/// What somebody who watches a cell is told.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    /// An event, after it has been written.
    Event(&'a Event),
    /// How far the generator is; written nowhere.
    Progress(Progress),
    /// What the backends that answered in time say of themselves.
    Backends(&'a [BackendStatus]),
    /// A line that a command of a target wrote.
    Said(&'a str),
    /// What the balancer says of its backends.
    View(&'a [BackendView]),
}

/// Told of everything that happens.
pub type Watcher<'a> = dyn Fn(Observation<'_>) + 'a;

/// Writes events as they happen, and passes them on.
pub(crate) struct Recorder<'a> {
    writer: RefCell<HistoryWriter>,
    /// The first event that could not be written: the cell can't be trusted without it.
    lost: RefCell<Option<StoreError>>,
    watcher: &'a Watcher<'a>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(dir: &CellDir, watcher: &'a Watcher<'a>) -> Result<Recorder<'a>, StoreError> {
        Ok(Recorder { writer: RefCell::new(dir.history_writer()?), lost: RefCell::default(), watcher })
    }

    /// Records `what` as happening now.
    pub(crate) fn record(&self, what: Happening) {
        self.record_at(agent::clock::now(), what);
    }

    /// Records `what` as having happened at `at`.
    pub(crate) fn record_at(&self, at: Nanos, what: Happening) {
        let event = Event { at, what };
        if let Err(error) = self.writer.borrow_mut().append(&event) {
            self.lost.borrow_mut().get_or_insert(error);
        }
        (self.watcher)(Observation::Event(&event));
    }

    /// Tells who watches what is written elsewhere, or nowhere.
    pub(crate) fn show(&self, observation: Observation<'_>) {
        (self.watcher)(observation);
    }

    /// The first event that could not be written, if any.
    pub(crate) fn lost(&self) -> Result<(), StoreError> {
        self.lost.borrow_mut().take().map_or(Ok(()), Err)
    }
}
