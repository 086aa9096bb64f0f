//! What was done to each backend, and what the balancer thought of it.

use std::io;

use plotters::element::{Rectangle, Text};
use plotters::prelude::{ChartBuilder, DrawingAreaErrorKind};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, TRANSPARENT};

use super::canvas::{Alternative, Area, BELOW, Chart, LEFT, Picture, RIGHT, WIDTH, picture, text};
use super::captions;
use super::ink::Ink;
use super::scale::Scale;
use crate::measure::series::{BackendState, Band, Series};
use crate::measure::summary::CellSummary;

const ROW: u32 = 40;
const ABOVE: u32 = 6;
/// A backend's name may have so many letters to its label.
const LETTERS: usize = 9;

/// The picture of a cell.
pub(crate) fn draw(cell: &CellSummary, series: &Series, scale: &Scale) -> Picture {
    let told = Alternative::of(cell, "what was done to each backend", captions::states(series));
    let rows = series.backends.len() as u32;
    let frame = |area: &Area<'_>| {
        let mut chart = chart(area, rows, scale)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .axis_style(TRANSPARENT)
            .label_style(text(Ink::Text))
            .x_labels(7)
            .y_labels(0)
            .x_label_formatter(&|second| format!("{} s", crate::numbers::number(*second)))
            .draw()?;
        for (row, backend) in series.backends.iter().enumerate() {
            let base = base(row, rows);
            let serving = [(0.0, base + 0.24), (series.seconds, base + 0.86)];
            chart.draw_series([Rectangle::new(serving, Ink::Serving.rgb().filled())])?;
            let y = (ABOVE + row as u32 * ROW + ROW / 2) as i32;
            let style = text(Ink::Text).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(short(backend), (LEFT as i32 - 12, y), style))?;
        }
        Ok(())
    };
    picture(told, ABOVE + rows * ROW + BELOW, frame, |area| {
        let mut chart = chart(area, rows, scale)?;
        // Nothing is too short to be seen.
        let least = 3.0 * scale.seconds / f64::from(WIDTH - LEFT - RIGHT);
        // One colour after the other: what looks alike and follows each other is one shape.
        for state in BackendState::ALL.iter().copied() {
            for band in series.bands.iter().filter(|band| band.state == state) {
                let Some(row) = series.backends.iter().position(|name| *name == band.backend) else {
                    continue;
                };
                let (base, (low, high)) = (base(row, rows), lane(band));
                let corners = [(band.from, base + low), (band.to.max(band.from + least), base + high)];
                chart.draw_series([Rectangle::new(corners, Ink::State(state).rgb().filled())])?;
            }
        }
        Ok(())
    })
}

fn chart<'a, 'b>(
    area: &'a Area<'b>,
    rows: u32,
    scale: &Scale,
) -> Result<Chart<'a, 'b>, DrawingAreaErrorKind<io::Error>> {
    ChartBuilder::on(area)
        .margin_top(ABOVE)
        .margin_right(RIGHT)
        .x_label_area_size(BELOW)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(0.0..scale.seconds, 0.0..f64::from(rows))
}

/// The lower edge of a backend's row.
fn base(row: usize, rows: u32) -> f64 {
    f64::from(rows) - 1.0 - row as f64
}

/// What is done to a backend, and below that what the balancer thinks of it.
fn lane(band: &Band) -> (f64, f64) {
    match band.state {
        BackendState::MarkedDown => (0.04, 0.2),
        _ => (0.24, 0.86),
    }
}

fn short(name: &str) -> String {
    match name.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
