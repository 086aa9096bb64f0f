//! The SVG dialect: one picture, for a README or a slide. Each cell is a column with how its requests ended and what was
//! done to its backends; all are at one scale. Or it is a figure of every cell, as bars.

use maud::{Markup, html};
use model::claim::AnswerPicture;

use super::pictures::bars::{self, DrawnPanel};
use super::pictures::canvas::{Picture, WIDTH};
use super::pictures::ink::by_itself;
use super::pictures::scale::Scale;
use super::pictures::{Illustrated, Pictured, captions, legend, outcomes, states};
use crate::compose::picture::{self, BarPanel};
use crate::figure::reading::NoReading;
use crate::judge::verdict::RunSummary;
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
            style {}
            rect width=(width) height=(drawn + LEGEND) fill="var(--page)" {}
            @for (row, top) in columns.iter().zip(&tops) {
                @for (column, x) in row.iter().zip((0..).step_by((WIDTH + GAP) as usize)) { (column.placed(x, *top)) }
            }
            @if headings.is_empty() { text x="8" y="32" font-size="26" fill="var(--text)" { (title) } }
            @else { (keys(&series, drawn)) }
        }
    };
    by_itself(&picture.into_string()) + "\n"
}

/// So much around bars, and between the panels of two balancers.
const AROUND: u32 = 20;
/// Above the panels: what they show. Above each: whose it is.
const TITLE: u32 = 34;
/// So many panels stand side by side.
const PANELS: usize = 3;

/// Lays out a figure of every cell, with a row of panels for each run; or says which run has no such figure, and why.
pub(crate) fn figure(runs: &[&RunSummary], asked: Option<&AnswerPicture>) -> Result<String, NoReading> {
    let mut placed: Vec<Markup> = Vec::new();
    let (mut top, mut right) = (AROUND, 0);
    let mut titles = Vec::new();
    for run in runs {
        let drawn = picture::draw(run, asked.unwrap_or(&run.figure))
            .map_err(|no| NoReading(format!("{}: {}", run.scenario, no.0)))?;
        let title = format!("{}: {}", run.scenario, bars::title(&drawn));
        let mut x = AROUND;
        placed.push(html! { text x=(x) y=(top + 18) font-size="18" font-weight="600" { (title) } });
        titles.push(title);
        top += TITLE;
        let keys = bars::legend(&drawn);
        for (ink, name) in &keys {
            placed.push(html! {
                rect x=(x) y=(top) width="14" height="14" rx="3" fill=(format!("var({ink})")) {}
                text x=(x + 20) y=(top + 13) { (name) }
            });
            x += 50 + 8 * name.chars().count() as u32;
        }
        right = right.max(x);
        top += if keys.is_empty() { 0 } else { TITLE };
        let panels: Vec<(&BarPanel, DrawnPanel)> = drawn.panels.iter().zip(bars::panels(&drawn)).collect();
        for row in panels.chunks(PANELS) {
            for ((panel, drawn), place) in row.iter().zip(0_u32..) {
                let x = AROUND + place * (drawn.width + AROUND);
                placed.push(html! {
                    text x=(x) y=(top + 17) font-weight="600" { (panel.balancer) }
                    svg x=(x) y=(top + TITLE - 8) width=(drawn.width) height=(drawn.height) {
                        desc { (panel.balancer) ": " (drawn.words) }
                        (drawn.shapes)
                    }
                });
                right = right.max(x + drawn.width + AROUND);
            }
            top += row.iter().map(|(_, drawn)| drawn.height).max().unwrap_or(0) + TITLE + AROUND;
        }
    }
    let picture = html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox=(format!("0 0 {right} {top}"))
            font-family="system-ui, sans-serif" font-size=(bars::LETTERS) fill="var(--text)" {
            title { (titles.join("; ")) }
            style {}
            rect width=(right) height=(top) fill="var(--page)" {}
            @for part in &placed { (part) }
        }
    };
    Ok(by_itself(&picture.into_string()) + "\n")
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
        CellColumn {
            heading: format!("{of}{}, {}{repeat}: {dropped}{invalid}", cell.balancer, cell.variant),
            usable: cell.is_usable(),
            pictures: [outcomes::draw(cell, series, &scale), states::draw(cell, series, &scale)],
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
