//! The progress of a cell: a live view on a terminal, a line at each cell's end elsewhere, nothing with `--quiet`.

mod dashboard;
mod picture;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io::{IsTerminal, Stderr, Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use engine::cell::Observation;
use model::identity::CellId;
use model::plan::Variant;
use ratatui::backend::CrosstermBackend;
use ratatui::{Terminal, TerminalOptions, Viewport};

use self::dashboard::Dashboard;
use crate::exit::{tell, wants_colour};

/// The time between two pictures. Drawing costs CPU time during the measurement.
const REDRAW: Duration = Duration::from_millis(200);

/// Whether a view is on the terminal. Other output would break its lines.
static DRAWING: AtomicBool = AtomicBool::new(false);

/// Whether a view is being drawn.
pub(crate) fn is_drawing() -> bool {
    DRAWING.load(Ordering::Relaxed)
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// A live view.
    Live,
    /// A line at each cell's end.
    Plain,
    /// Nothing.
    Quiet,
}

impl Show {
    /// The choice for standard error.
    pub(crate) fn for_stderr(quiet: bool) -> Show {
        match (quiet, stderr().is_terminal()) {
            (true, _) => Show::Quiet,
            (false, true) => Show::Live,
            (false, false) => Show::Plain,
        }
    }
}

/// The progress of one cell.
pub(crate) struct CellProgress {
    show: Show,
    dashboard: RefCell<Dashboard>,
    screen: RefCell<Option<Screen>>,
}

/// The part of the terminal that the view uses.
struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    drawn: Option<Instant>,
}

impl CellProgress {
    /// A view of `cell`, the `number`-th of `total`, which runs `variant`, with the loads of the cells `after` it.
    pub(crate) fn begin(
        show: Show,
        cell: &CellId,
        variant: Option<&Variant>,
        (number, total): (usize, usize),
        after: Duration,
    ) -> CellProgress {
        let repeat = if cell.repeat > 1 { format!(" #{}", cell.repeat) } else { String::new() };
        let title = format!("[{number}/{total}] {} {}{repeat}", cell.balancer, cell.variant);
        let dashboard = Dashboard::new(title, variant, after);
        // If the terminal can't be drawn on, print plain lines.
        let screen = (show == Show::Live).then(|| Screen::open(picture::height(&dashboard))).flatten();
        let progress =
            CellProgress { show, dashboard: RefCell::new(dashboard), screen: RefCell::new(screen) };
        progress.draw(true);
        progress
    }

    /// Takes in an observation of the engine.
    pub(crate) fn observe(&self, observation: Observation<'_>) {
        if let Observation::Said(line) = observation {
            return self.say(line);
        }
        let news = matches!(observation, Observation::Event(_));
        self.dashboard.borrow_mut().observe(observation, agent::clock::now());
        self.draw(news);
    }

    /// Prints what a command said, above the view.
    fn say(&self, line: &str) {
        match (&mut *self.screen.borrow_mut(), self.show) {
            (Some(open), _) => {
                // A line that can't be printed is in the results.
                let _ = open
                    .terminal
                    .insert_before(1, |buffer| ratatui::widgets::Widget::render(line, buffer.area, buffer));
            }
            (None, Show::Quiet) => {}
            (None, _) => tell(&format!("  | {line}")),
        }
    }

    fn draw(&self, at_once: bool) {
        let mut screen = self.screen.borrow_mut();
        if let Some(open) = &mut *screen
            && open.draw(&self.dashboard.borrow(), at_once).is_err()
        {
            screen.take();
        }
    }

    /// Replaces the view by the cell's result.
    pub(crate) fn finish(&self, result: &str) {
        self.screen.take();
        if self.show != Show::Quiet {
            tell(&format!("{}  {result}", self.dashboard.borrow().title));
        }
    }
}

impl Screen {
    fn open(height: u16) -> Option<Screen> {
        if !wants_colour() {
            ratatui::crossterm::style::force_color_output(false);
        }
        let backend = CrosstermBackend::new(stderr());
        let options = TerminalOptions { viewport: Viewport::Inline(height) };
        let terminal = Terminal::with_options(backend, options).ok()?;
        DRAWING.store(true, Ordering::Relaxed);
        Some(Screen { terminal, drawn: None })
    }

    fn draw(&mut self, dashboard: &Dashboard, at_once: bool) -> std::io::Result<()> {
        if !at_once && self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW) {
            return Ok(());
        }
        self.drawn = Some(Instant::now());
        self.terminal.draw(|frame| picture::draw(frame, dashboard)).map(drop)
    }
}

/// Frees the lines and shows the cursor, however the cell ends.
impl Drop for Screen {
    fn drop(&mut self) {
        DRAWING.store(false, Ordering::Relaxed);
        let top = self.terminal.get_frame().area().as_position();
        let _ = self.terminal.clear();
        let _ = self.terminal.set_cursor_position(top);
        let _ = self.terminal.show_cursor();
    }
}

/// The progress of preparations before the measurement.
pub(crate) struct Preparation {
    show: Show,
    title: String,
}

impl Preparation {
    /// A line about preparing `title`.
    pub(crate) fn begin(show: Show, title: &str) -> Preparation {
        Preparation { show, title: title.to_owned() }
    }

    /// Prints the current step.
    pub(crate) fn tell(&self, words: &str) {
        match self.show {
            Show::Live => overwrite(&format!("{}: {words}", self.title)),
            Show::Plain => tell(&format!("{}: {words}", self.title)),
            Show::Quiet => {}
        }
    }
}

impl Drop for Preparation {
    fn drop(&mut self) {
        if self.show == Show::Live {
            overwrite("");
        }
    }
}

/// Overwrites the terminal's last line with `text`, cut to fit.
fn overwrite(text: &str) {
    let width = rustix::termios::tcgetwinsize(stderr()).map_or(80, |size| usize::from(size.ws_col));
    let text: String = text.chars().take(width.saturating_sub(1)).collect();
    // If progress can't be printed, go on without it.
    let _ = write!(stderr(), "\r\x1b[K{text}");
}
