//! A saved run, summed up, judged and rendered: what `rig run` does at its end and `rig report` at any time.

use std::io::IsTerminal;

use report::verdict::Problem;
use report::{Colour, Format, RunSummary, Style, Verdict, judge, render, render_overview, summarise};
use store::{SavedRun, StoreError};

use crate::cli::{FormatName, Output};
use crate::exit::Exit;

/// Sums up every cell of `saved` from its records and judges the run.
pub(super) fn judged(saved: &SavedRun) -> Result<RunSummary, StoreError> {
    let mut problems = Vec::new();
    if saved.was_interrupted() {
        problems.push(Problem::Interrupted);
    }
    let mut cells = Vec::new();
    for cell in saved.cells() {
        let loaded = saved.records(&cell)?;
        problems.extend(loaded.warnings.iter().map(|warning| Problem::Note(format!("{cell}: {warning}"))));
        cells.push(summarise(saved.plan(), &loaded.records));
    }
    Ok(judge(saved.plan(), saved.environment(), cells, problems))
}

/// Renders `run` as the user wants it on standard output.
pub(super) fn rendered(run: &RunSummary, output: &Output) -> String {
    render(run, format(output), style(output.no_color))
}

fn format(output: &Output) -> Format {
    match output.format {
        FormatName::Table => Format::Table,
        FormatName::Markdown => Format::Markdown,
        FormatName::Json => Format::Json,
        FormatName::Csv => Format::Csv,
    }
}

/// Renders what several runs showed as the user wants it on standard output.
pub(super) fn overview(runs: &[RunSummary], output: &Output) -> String {
    render_overview(runs, format(output), style(output.no_color))
}

/// The style of the report that is saved beside the records.
pub(super) const SAVED: Style = Style { width: 120, colour: Colour::Never };

/// What suits standard output, and a user who may have declined colours.
pub(super) fn style(no_color: bool) -> Style {
    let terminal = std::io::stdout().is_terminal();
    let declined = no_color || std::env::var_os("NO_COLOR").is_some();
    let width = if terminal {
        rustix::termios::tcgetwinsize(std::io::stdout()).map_or(120, |size| size.ws_col)
    } else {
        160
    };
    Style { width, colour: if terminal && !declined { Colour::Always } else { Colour::Never } }
}

/// How the process ends; a strict user lets no DEGRADED measurement pass.
pub(super) fn exit(run: &RunSummary, strict: bool) -> Exit {
    match run.verdict {
        Verdict::Passed if strict && run.degraded => Exit::Invalid,
        verdict => verdict.into(),
    }
}
