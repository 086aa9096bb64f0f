//! The picture of a running cell. Pure: the same dashboard gives the same characters.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{LineGauge, Row, Sparkline, Table};

use super::dashboard::{BackendRow, Dashboard};

/// Lines beside the backends: title, time, column heads, two series, requests.
const AROUND: u16 = 6;
/// Columns for what a series is, and its last value.
const NAME: u16 = 16;
/// The width of a share's bar.
const BAR: usize = 10;

/// How many lines the picture needs.
pub(super) fn height(dashboard: &Dashboard) -> u16 {
    AROUND + u16::try_from(dashboard.backends.len()).unwrap_or(u16::MAX - AROUND)
}

pub(super) fn draw(frame: &mut Frame<'_>, dashboard: &Dashboard) {
    let one = Constraint::Length(1);
    let lines = [one, one, Constraint::Min(1), one, one, one];
    let [title, time, backends, ok, dropped, requests] = Layout::vertical(lines).areas(frame.area());
    let phase = Span::from(dashboard.phase.clone()).cyan();
    let run = dashboard.run_to_go().map(|seconds| format!("  the run: at least {} to go", minutes(seconds)));
    let heading =
        [Span::from(dashboard.title.clone()).bold(), "  ".into(), phase, run.unwrap_or_default().dim()];
    frame.render_widget(Line::from_iter(heading), title);
    draw_series(frame, "ok", ok, dashboard.series.iter().map(|second| second.ok));
    draw_series(frame, "dropped", dropped, dashboard.series.iter().map(|second| second.dropped));
    draw_time(frame, dashboard, time);
    draw_backends(frame, dashboard, backends);
    frame.render_widget(totals(dashboard), requests);
}

fn draw_time(frame: &mut Frame<'_>, dashboard: &Dashboard, area: Rect) {
    let Some((gone, all)) = dashboard.seconds() else {
        return frame.render_widget("no load yet".dim(), area);
    };
    let label = format!("{gone:>5.1} s gone, {:>5.1} s to go", all - gone);
    let ratio = if all > 0.0 { (gone / all).clamp(0.0, 1.0) } else { 1.0 };
    let gauge = LineGauge::default().ratio(ratio).label(label);
    // Different symbols, so that it works without colours.
    let gauge = gauge.filled_symbol("━").unfilled_symbol("┄").filled_style(Color::Cyan);
    frame.render_widget(gauge, area);
}

/// `1 min 20 s`.
fn minutes(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    match (seconds / 60, seconds % 60) {
        (0, rest) => format!("{rest} s"),
        (minutes, rest) => format!("{minutes} min {rest} s"),
    }
}

/// The last seconds, each a bar; the last one has not ended, and its number is that of the one before it.
fn draw_series(frame: &mut Frame<'_>, what: &str, area: Rect, values: impl Iterator<Item = u64>) {
    let [name, bars] = Layout::horizontal([Constraint::Length(NAME), Constraint::Min(0)]).areas(area);
    let values: Vec<u64> = values.collect();
    let last = values.len().checked_sub(2).map_or_else(|| "–".to_owned(), |n| values[n].to_string());
    frame.render_widget(format!("{what:<8}{last:>5}/s").dim(), name);
    let first = values.len().saturating_sub(usize::from(bars.width));
    let style = if what == "ok" { Color::Green } else { Color::Red };
    frame.render_widget(Sparkline::default().data(&values[first..]).style(style), bars);
}

fn draw_backends(frame: &mut Frame<'_>, dashboard: &Dashboard, area: Rect) {
    let heads = Row::new(["backend", "share, 1 s", "in flight", "queued", "balancer says", "state"]);
    let widths = [
        Constraint::Length(14),
        Constraint::Length(BAR as u16 + 5),
        Constraint::Length(9),
        Constraint::Length(6),
        Constraint::Min(13),
        Constraint::Min(14),
    ];
    let rows = dashboard.backends.iter().map(|(id, backend)| row(id, backend, dashboard.sees));
    frame.render_widget(Table::new(rows, widths).header(heads.style(Modifier::DIM)).column_spacing(1), area);
}

fn row<'a>(id: &'a str, backend: &'a BackendRow, sees: Option<bool>) -> Row<'a> {
    let name = backend.incarnation.as_ref().map_or_else(|| id.to_owned(), ToString::to_string);
    let share = backend.share.map_or_else(
        || "–".to_owned(),
        |share| {
            let filled = (share * BAR as f64).round() as usize;
            format!("{:>3.0}% {}", 100.0 * share, "█".repeat(filled.min(BAR)))
        },
    );
    let count = |of: fn(&model::job::BackendStatus) -> u64| {
        backend.status.as_ref().map_or_else(|| format!("{:>6}", "–"), |status| format!("{:>6}", of(status)))
    };
    let says = match &backend.balancer {
        Some((true, words)) => Span::from(words.as_str()).green(),
        Some((false, words)) => Span::from(words.as_str()).red(),
        None if sees == Some(false) => "no view".dim(),
        None => "–".into(),
    };
    let state = match (backend.state.as_str(), &backend.status) {
        ("", Some(_)) => "serves".into(),
        ("", None) => "–".dim(),
        (state, _) => Span::from(state).yellow(),
    };
    Row::new([
        Span::from(name),
        Span::from(share),
        Span::from(count(|status| status.in_flight)),
        Span::from(count(|status| status.queued)),
        says,
        state,
    ])
}

/// The requests so far, and the rate of losses.
fn totals(dashboard: &Dashboard) -> Line<'static> {
    let progress = dashboard.progress;
    let lost = |count: u64, rate: Option<f64>, what: &str| {
        let rate = rate.map_or_else(|| "–".to_owned(), |rate| format!("{rate:.0}"));
        let style = if count > 0 { Style::new().fg(Color::Red).bold() } else { Style::new() };
        Span::styled(format!("{count} {what} ({rate}/s)"), style)
    };
    let (dropped, answered) = dashboard.rates().unzip();
    Line::from_iter([
        Span::from(format!("{} due · {} ok · ", progress.due, progress.ok)),
        lost(progress.dropped, dropped, "dropped"),
        " · ".into(),
        lost(progress.http_5xx, answered, "5xx"),
    ])
}
