//! Judges and renders a saved run: at the end of `rig run`, and later for `rig report`.

use std::io::IsTerminal;

use model::history::{Event, Happening};
use model::identity::CellId;
use model::units::Nanos;
use report::verdict::Problem;
use report::{
    Analysis, Colour, Corrected, Format, Illustrated, RunSummary, Series, Style, Verdict, html, judge,
    render, render_overview,
};
use store::{LoadedCell, PlanIs, ReadWarning, SavedRun, StoreError};

use crate::cli::{FormatName, Output};
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
    fn illustrated(&self) -> Illustrated<'_> {
        Illustrated { run: &self.run, series: &self.series }
    }
}

/// A cell's records, with what can be salvaged if its rig was killed. Then an event is added to the history that says so, as
/// rig would have done if it had had the time.
fn whole(saved: &SavedRun, cell: &CellId) -> Result<LoadedCell, StoreError> {
    let mut loaded = saved.records(cell)?;
    if saved.plan().variant(&cell.variant).is_some_and(|variant| variant.target.is_some()) {
        // Nobody but the client keeps books of a target.
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

/// Summarises every cell of `saved` from its records and judges the run. Only one cell's records are in memory at a time.
pub(super) fn judged(saved: &SavedRun) -> Result<Judged, StoreError> {
    let mut problems = Vec::new();
    match saved.plan_is() {
        PlanIs::AsRun => {}
        PlanIs::Changed => problems.push(Problem::PlanChanged),
        PlanIs::Unsealed => problems.push(Problem::Note(UNSEALED.to_owned())),
    }
    if saved.was_interrupted() {
        problems.push(Problem::Interrupted);
    }
    let (mut cells, mut pictured) = (Vec::new(), Vec::new());
    for cell in saved.cells() {
        let loaded = whole(saved, &cell)?;
        problems.extend(loaded.warnings.iter().map(|warning| Problem::Note(format!("{cell}: {warning}"))));
        let records = Corrected::of(saved.plan(), &loaded.records);
        let analysis = Analysis::of(saved.plan(), &records);
        cells.push(analysis.summary());
        pictured.extend(analysis.series());
    }
    Ok(Judged { run: judge(saved.plan(), saved.environment(), cells, problems), series: pictured })
}

/// A run as an HTML page.
pub(super) fn page(judged: &Judged) -> String {
    html(&[judged.illustrated()])
}

/// Renders a run in the requested format.
pub(super) fn rendered(judged: &Judged, output: &Output) -> String {
    match format(output) {
        Some(format) => render(&judged.run, format, style(output.no_color)),
        None => page(judged),
    }
}

/// Renders several runs in the requested format.
pub(super) fn overview(runs: &[Judged], output: &Output) -> Result<String, Failure> {
    let summaries: Vec<&RunSummary> = runs.iter().map(|judged| &judged.run).collect();
    match format(output) {
        Some(format) => render_overview(&summaries, format, style(output.no_color)).map_err(Failure::usage),
        None => Ok(html(&runs.iter().map(Judged::illustrated).collect::<Vec<_>>())),
    }
}

/// `None`: an HTML page, which needs more than the summary.
fn format(output: &Output) -> Option<Format> {
    Some(match output.format {
        FormatName::Table => Format::Table,
        FormatName::Markdown => Format::Markdown,
        FormatName::Html => return None,
        FormatName::Json => Format::Json,
        FormatName::Csv => Format::Csv,
        FormatName::Junit => Format::Junit,
        FormatName::Openmetrics => Format::Openmetrics,
    })
}

/// The style of the report that is saved beside the records.
pub(super) const SAVED: Style = Style { width: 120, colour: Colour::Never };

/// The style for standard output; the user may have declined colours.
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

/// The exit code. With `strict`, a DEGRADED measurement does not pass.
pub(super) fn exit(run: &RunSummary, strict: bool) -> Exit {
    match run.verdict {
        Verdict::Passed if strict && run.degraded => Exit::Invalid,
        verdict => verdict.into(),
    }
}
