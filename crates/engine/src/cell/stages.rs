//! How long each stage of a cell took.

use std::cell::Cell;

use model::history::{CellStage, Happening};
use model::units::{Nanos, Span};

use super::recorder::Recorder;

/// A cell's stages, one after the other.
pub(super) struct Stages<'a> {
    recorder: &'a Recorder<'a>,
    began: Cell<Nanos>,
}

impl<'a> Stages<'a> {
    /// The first stage begins.
    pub(super) fn begin(recorder: &'a Recorder<'a>) -> Stages<'a> {
        Stages { recorder, began: Cell::new(agent::clock::now()) }
    }

    /// `stage` is over, and the next begins.
    pub(super) fn ended(&self, stage: CellStage) {
        let now = agent::clock::now();
        let took = Span(now.since(self.began.replace(now)));
        self.recorder.record(Happening::StageEnded { stage, took });
    }
}
