//! One live line per cell or preparation on a terminal; plain lines elsewhere; nothing with `--quiet`.

use std::cell::{Cell, RefCell};
use std::io::IsTerminal;
use std::time::Duration;

use engine::cell::Observation;
use indicatif::{ProgressBar, ProgressStyle};
use model::history::Happening;
use model::identity::CellId;
use model::job::Progress;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// A line that changes.
    Live,
    /// A line at each cell's end.
    Plain,
    /// Nothing.
    Quiet,
}

impl Show {
    /// What suits standard error.
    pub(crate) fn for_stderr(quiet: bool) -> Show {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Show::Quiet,
            (false, true) => Show::Live,
            (false, false) => Show::Plain,
        }
    }
}

/// The progress of one cell.
pub(crate) struct CellProgress {
    show: Show,
    title: String,
    line: ProgressBar,
    phase: RefCell<String>,
    last: Cell<Progress>,
}

impl CellProgress {
    /// A line for `cell`, the `number`-th of `total`.
    pub(crate) fn begin(show: Show, cell: &CellId, number: usize, total: usize) -> CellProgress {
        let line = spinner(show);
        let repeat = if cell.repeat > 1 { format!(" #{}", cell.repeat) } else { String::new() };
        let title = format!("[{number}/{total}] {} {}{repeat}", cell.balancer, cell.variant);
        let progress = CellProgress { show, title, line, phase: RefCell::default(), last: Cell::default() };
        progress.draw();
        progress
    }

    /// Takes in what the engine tells.
    pub(crate) fn observe(&self, observation: Observation<'_>) {
        match observation {
            Observation::Progress(progress) => self.last.set(progress),
            Observation::Event(event) => {
                if let Some(phase) = phase(&event.what) {
                    *self.phase.borrow_mut() = phase;
                }
            }
        }
        self.draw();
    }

    fn draw(&self) {
        let Progress { due, ok, dropped, .. } = self.last.get();
        self.line.set_message(format!(
            "{}  {due} due, {ok} ok, {dropped} dropped  {}",
            self.title,
            self.phase.borrow()
        ));
    }

    /// Replaces the live line by the cell's result.
    pub(crate) fn finish(&self, result: &str) {
        self.line.finish_and_clear();
        if self.show != Show::Quiet {
            eprintln!("{}  {result}", self.title);
        }
    }
}

/// The progress of what must be done before anything can be measured.
pub(crate) struct Preparation {
    show: Show,
    title: String,
    line: ProgressBar,
}

impl Preparation {
    /// A line about preparing `title`.
    pub(crate) fn begin(show: Show, title: &str) -> Preparation {
        Preparation { show, title: title.to_owned(), line: spinner(show) }
    }

    /// Tells what is being done now.
    pub(crate) fn tell(&self, words: &str) {
        self.line.set_message(format!("{}: {words}", self.title));
        if self.show == Show::Plain {
            eprintln!("{}: {words}", self.title);
        }
    }
}

impl Drop for Preparation {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

fn spinner(show: Show) -> ProgressBar {
    let line = match show {
        Show::Live => ProgressBar::new_spinner(),
        Show::Plain | Show::Quiet => ProgressBar::hidden(),
    };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}") {
        line.set_style(style);
    }
    line.enable_steady_tick(Duration::from_millis(250));
    line
}

/// What a cell is doing after `event`; `None`: what it did before.
fn phase(event: &Happening) -> Option<String> {
    Some(match event {
        Happening::CellStarted { .. } => "launching".into(),
        Happening::Scheduled { .. } => "load".into(),
        Happening::Deregistering { incarnation } => format!("{incarnation}: deregister"),
        Happening::Deregistered { incarnation, .. } => format!("{incarnation}: drain"),
        Happening::Terminated { incarnation, .. } => format!("{incarnation}: terminate"),
        Happening::Replacing { old, new } => format!("{old} → {new}"),
        Happening::Registering { incarnation } => format!("{incarnation}: register"),
        Happening::Confirmed { incarnation, .. } => format!("{incarnation}: confirmed"),
        Happening::Faulted { incarnation, fault } => format!("{incarnation}: {}", fault.name()),
        Happening::Degraded { incarnation, misbehaviour } => format!("{incarnation}: {misbehaviour}"),
        Happening::SeenDown { backend, words, .. } => format!("{backend}: {words}"),
        Happening::Healed { incarnation } => format!("{incarnation}: healed"),
        Happening::DeployFinished { .. } => "settled".into(),
        Happening::DeployAborted { .. } => "deploy aborted".into(),
        Happening::Splitting { route, to, .. } => format!("{route}: {to}"),
        Happening::LoadFinished { .. } => "ending".into(),
        _ => return None,
    })
}
