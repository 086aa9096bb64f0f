//! Judges and renders a saved run: at the end of `rig run`, and later for `rig report`.

use std::io::IsTerminal;
use std::path::Path;

use model::history::{Event, Happening};
use model::identity::CellId;
use model::shell;
use model::units::Nanos;
use report::verdict::RunProblem;
use report::{
    Analysis, CellSummary, Colour, Corrected, Format, Illustrated, RunSummary, Series, Style, Verdict, judge,
    render, render_answer, render_several,
};
use store::{LoadedCell, PlanIs, ReadWarning, SavedRun, StoreError};

use crate::cli::Output;
use crate::exit::{Exit, Failure};

/// The note on a run that an earlier version saved.
const UNSEALED: &str = "the run was saved without a digest of its plan, so rig can't tell whether plan.json and its \
                        claims were changed since";

/// A judged run, with the series for its pictures.
pub(super) struct Judged {
    pub(super) run: RunSummary,
    pub(super) series: Vec<Series>,
}

impl Judged {
    pub(super) fn illustrated(&self) -> Illustrated<'_> {
        Illustrated { run: &self.run, series: &self.series }
    }
}

/// A cell's records, with what can be salvaged if its rig was killed. Then an event is added to the history that says so, as
/// rig would have done if it had had the time.
fn whole(saved: &SavedRun, cell: &CellId) -> Result<LoadedCell, StoreError> {
    let mut loaded = saved.records(cell)?;
    if saved.plan().variant(&cell.variant).is_some_and(|variant| variant.target.is_some()) {
        // Of a target, only the client keeps books.
        loaded.warnings.retain(|warning| !matches!(warning, ReadWarning::Absent { .. }));
    }
    let records = &mut loaded.records;
    if records.history.iter().any(|event| matches!(event.what, Happening::CellFinished)) {
        return Ok(loaded);
    }
    let mut missing = vec!["its timeline did not end".to_owned()];
    if records.executions.is_empty() {
        match engine::salvage::executions(&saved.dir(cell)) {
            Ok(executions) => records.executions = executions,
            Err(error) => missing.push(format!("a ledger could not be read ({error})")),
        }
    }
    if records.access.is_empty() {
        missing.push("the balancer's access log was not read".to_owned());
    }
    let (requests, executions) = (records.requests.len(), records.executions.len());
    let message = format!(
        "rig was killed in this cell, or still runs: {requests} requests and {executions} executions are known, {}",
        missing.join(", ")
    );
    let at = records.history.last().map_or(Nanos(0), |event| event.at);
    records.history.push(Event { at, what: Happening::Failed { message } });
    Ok(loaded)
}

/// What a cell's records showed.
pub(super) struct MeasuredCell {
    pub(super) summary: CellSummary,
    series: Option<Series>,
    warnings: Vec<ReadWarning>,
}

/// Sums up a cell from its records, which are in memory no longer than that; `also`: what else is to be read from them.
pub(super) fn measured<T>(
    saved: &SavedRun,
    cell: &CellId,
    also: impl FnOnce(&Analysis<'_>) -> T,
) -> Result<(MeasuredCell, T), StoreError> {
    let LoadedCell { records, warnings, .. } = whole(saved, cell)?;
    let records = Corrected::of(saved.plan(), &records);
    let analysis = Analysis::of(saved.plan(), &records);
    let (summary, series) = (analysis.summary(), analysis.series());
    Ok((MeasuredCell { summary, series, warnings }, also(&analysis)))
}

/// Judges `saved`. Cells that are in `known` were summed up before.
pub(super) fn judged(saved: &SavedRun, mut known: Vec<MeasuredCell>) -> Result<Judged, StoreError> {
    let mut problems = Vec::new();
    match saved.plan_is() {
        PlanIs::AsRun => {}
        PlanIs::Changed => problems.push(RunProblem::PlanChanged),
        PlanIs::Unsealed => problems.push(RunProblem::Note(UNSEALED.to_owned())),
    }
    if saved.was_interrupted() {
        problems.push(RunProblem::Interrupted);
    }
    let (mut cells, mut pictured) = (Vec::new(), Vec::new());
    for cell in saved.cells() {
        let measured = match known.iter().position(|measured| measured.summary.cell() == cell) {
            Some(place) => known.swap_remove(place),
            None => measured(saved, &cell, |_| ())?.0,
        };
        let notes = measured.warnings.iter().map(|warning| RunProblem::Note(format!("{cell}: {warning}")));
        problems.extend(notes);
        cells.push(measured.summary);
        pictured.extend(measured.series);
    }
    Ok(Judged { run: judge(saved.plan(), saved.environment(), cells, problems), series: pictured })
}

/// Renders the run at `path` in the requested format.
pub(super) fn rendered(judged: &Judged, path: &Path, output: &Output) -> String {
    match output.format {
        Format::Table if !output.full => render_answer(&judged.run, &elsewhere(path), style(output.no_color)),
        format => render(judged.illustrated(), format, style(output.no_color)),
    }
}

/// Where everything is that an answer leaves out.
fn elsewhere(path: &Path) -> Vec<String> {
    let beside = if path.is_file() { path.parent().unwrap_or(path) } else { path };
    let page = Some(beside.join(PAGE)).filter(|page| page.is_file());
    let words = ["rig", "report", &path.display().to_string(), "--full"].map(str::to_owned);
    let everything = format!("Everything: {}", shell::line(&words));
    page.map(|page| format!("Page: {}", page.display())).into_iter().chain([everything]).collect()
}

/// Renders several runs in the requested format.
pub(super) fn overview(runs: &[Judged], output: &Output) -> Result<String, Failure> {
    let runs: Vec<_> = runs.iter().map(Judged::illustrated).collect();
    render_several(&runs, output.format, style(output.no_color)).map_err(Failure::usage)
}

/// The style of the report that is saved beside the records.
pub(super) const SAVED: Style = Style { width: 120, colour: Colour::Never };

/// The page that is saved beside the records.
pub(super) const PAGE: &str = "report.html";

/// The style for standard output: as wide as the user or the terminal says. The user may have declined colours.
pub(super) fn style(no_color: bool) -> Style {
    let terminal = std::io::stdout().is_terminal();
    let declined = no_color || std::env::var_os("NO_COLOR").is_some();
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let width = match asked {
        Some(columns) => columns,
        None if terminal => rustix::termios::tcgetwinsize(std::io::stdout()).map_or(80, |size| size.ws_col),
        None => 160,
    };
    Style { width, colour: if terminal && !declined { Colour::Always } else { Colour::Never } }
}

/// The exit code. With `strict`, a DEGRADED measurement does not pass.
pub(super) fn exit(run: &RunSummary, strict: bool) -> Exit {
    match run.verdict {
        Verdict::Passed if strict && run.degraded => Exit::Invalid,
        verdict => verdict.into(),
    }
}
