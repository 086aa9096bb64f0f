//! The SVG dialect: one picture, for a README or a slide. Each cell is a column with how its requests ended and what was
//! done to its backends; all are at one scale.

use maud::{Markup, PreEscaped, html};

use super::pictures::canvas::{Picture, WIDTH};
use super::pictures::ink::COLOURS;
use super::pictures::scale::Scale;
use super::pictures::{Illustrated, Pictured, captions, legend, outcomes, states};
use crate::measure::series::Series;

const GAP: u32 = 40;
const HEADING: u32 = 46;
const LEGEND: u32 = 50;
/// More side by side would make the text too small to read.
const COLUMNS: usize = 2;

/// Lays out runs as one picture.
pub(crate) fn render(runs: &[Illustrated<'_>]) -> String {
    let columns: Vec<Vec<CellColumn>> = runs.iter().flat_map(|told| rows(*told, runs.len() > 1)).collect();
    let series: Vec<&Series> = runs.iter().flat_map(|told| told.series).collect();
    let widest = columns.iter().map(Vec::len).max().unwrap_or(1) as u32;
    let width = widest * (WIDTH + GAP) - GAP;
    let mut tops = vec![0];
    tops.extend(columns.iter().scan(0, |top, row| {
        *top += row.iter().map(CellColumn::height).max().unwrap_or(0);
        Some(*top)
    }));
    let drawn = tops.last().copied().unwrap_or(0);
    let headings: Vec<&str> = columns.iter().flatten().map(|column| column.heading.as_str()).collect();
    let title = if headings.is_empty() {
        "No picture: the records of the load are missing".to_owned()
    } else {
        headings.join("; ")
    };
    let picture = html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox=(format!("0 0 {width} {}", drawn + LEGEND))
            font-family="system-ui, sans-serif" {
            title { (title) }
            style { (PreEscaped(COLOURS)) }
            rect width=(width) height=(drawn + LEGEND) fill="var(--page)" {}
            @for (row, top) in columns.iter().zip(&tops) {
                @for (column, x) in row.iter().zip((0..).step_by((WIDTH + GAP) as usize)) { (column.placed(x, *top)) }
            }
            @if headings.is_empty() { text x="8" y="32" font-size="26" fill="var(--text)" { (title) } }
            @else { (keys(&series, drawn)) }
        }
    };
    picture.into_string() + "\n"
}

/// A cell's part of the picture.
struct CellColumn {
    heading: String,
    usable: bool,
    pictures: [Picture; 2],
}

fn rows(told: Illustrated<'_>, several: bool) -> Vec<Vec<CellColumn>> {
    let scale = Scale::of(told.series);
    let column = |(cell, series): &Pictured<'_>| {
        let of = match several {
            true => format!("{}: ", cell.scenario),
            false => String::new(),
        };
        let repeat = if told.run.repeats > 1 { format!(" #{}", cell.repeat) } else { String::new() };
        let invalid = if cell.is_usable() { "" } else { ", INVALID" };
        let dropped = captions::dropped(cell);
        let id = |of: &str| format!("{}-{}-{of}", cell.scenario, cell.cell());
        CellColumn {
            heading: format!("{of}{}, {}{repeat}: {dropped}{invalid}", cell.balancer, cell.variant),
            usable: cell.is_usable(),
            pictures: [
                outcomes::draw(id("requests"), cell, series, &scale),
                states::draw(id("backends"), cell, series, &scale),
            ],
        }
    };
    let rows = told.rows();
    let rows = rows.iter().flat_map(|cells| cells.chunks(COLUMNS));
    rows.map(|cells| cells.iter().map(column).collect()).collect()
}

impl CellColumn {
    fn height(&self) -> u32 {
        HEADING + self.pictures.iter().map(|picture| picture.height).sum::<u32>()
    }

    fn placed(&self, x: u32, top: u32) -> Markup {
        let [requests, backends] = &self.pictures;
        let struck = (!self.usable).then_some("line-through");
        html! {
            text x=(x + 8) y=(top + 32) font-size="26" font-weight="600" fill="var(--text)" text-decoration=[struck] {
                (self.heading)
            }
            g opacity=[(!self.usable).then_some("0.45")] {
                (requests.placed(x, top + HEADING))
                (backends.placed(x, top + HEADING + requests.height))
            }
        }
    }
}

fn keys(series: &[&Series], top: u32) -> Markup {
    let keys = legend::outcomes(series).into_iter().chain(legend::states(series));
    let placed = keys.scan(112, |x, (ink, name)| {
        let here = *x;
        *x += 80 + 15 * name.chars().count() as u32;
        Some((here, ink, name))
    });
    html! {
        @for (x, ink, name) in placed {
            rect x=(x) y=(top + 8) width="24" height="24" rx="4" fill=(format!("var({})", ink.property())) {}
            text x=(x + 34) y=(top + 29) font-size="26" fill="var(--text)" { (name) }
        }
    }
}
