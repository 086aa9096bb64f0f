//! What a cell's history says of the cell as a whole: where it ran, what stood in it, and how it ended.

use std::collections::BTreeMap;

use model::history::{CellStage, Event, Happening, Setting};
use model::job::GeneratorReport;
use model::units::Nanos;
use serde::{Deserialize, Serialize};

/// How a cell ended; where several are true, the last of them is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// By itself.
    #[default]
    Complete,
    /// Its history stops.
    Truncated,
    /// It could not be run to its end.
    Failed,
    /// The user interrupted it.
    Interrupted,
}

/// What the history says about the cell as a whole.
#[derive(Default)]
pub(crate) struct CellFrame {
    pub(crate) runtime: String,
    pub(crate) balancer_version: String,
    pub(crate) settings: Vec<Setting>,
    /// Whether the balancer says which backends are down.
    pub(crate) tells_health: bool,
    pub(crate) published: Option<String>,
    pub(crate) stages: BTreeMap<CellStage, f64>,
    pub(crate) scheduled: Option<u64>,
    pub(crate) origin: Option<Nanos>,
    pub(crate) generator: Option<GeneratorReport>,
    pub(crate) ending: Ending,
    pub(crate) warnings: Vec<String>,
    pub(crate) failures: Vec<String>,
}

impl CellFrame {
    /// When the first measured request was due. Without that nothing separates the warm-up, and the cell is INVALID
    /// anyway.
    pub(crate) fn first_due(&self) -> Nanos {
        self.origin.unwrap_or(Nanos(i64::MIN))
    }

    pub(crate) fn read(history: &[Event]) -> CellFrame {
        let mut frame = CellFrame::default();
        for event in history {
            match &event.what {
                Happening::CellStarted { runtime, .. } => frame.runtime.clone_from(runtime),
                Happening::StageEnded { stage, took } => {
                    frame.stages.insert(*stage, took.seconds());
                }
                Happening::Balancer { version, settings, published, tells_health, .. } => {
                    frame.tells_health = *tells_health;
                    frame.published.clone_from(published);
                    frame.balancer_version.clone_from(version);
                    frame.settings.clone_from(settings);
                }
                Happening::Scheduled { requests, origin } => {
                    frame.scheduled = Some(*requests);
                    frame.origin = Some(*origin);
                }
                Happening::LoadShortened { requests, .. } => frame.scheduled = Some(*requests),
                Happening::LoadFinished { generator } => frame.generator = Some(generator.clone()),
                Happening::Warning { message } => frame.warnings.push(message.clone()),
                Happening::Failed { message } => {
                    frame.failures.push(message.clone());
                    frame.ending = frame.ending.max(Ending::Failed);
                }
                Happening::Interrupted => frame.ending = Ending::Interrupted,
                _ => {}
            }
        }
        if frame.generator.is_none() && frame.ending == Ending::Complete {
            frame.ending = Ending::Truncated;
        }
        frame
    }
}
