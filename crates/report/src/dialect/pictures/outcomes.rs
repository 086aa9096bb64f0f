//! How requests ended over time, and what was going on.

use plotters::element::{Rectangle, Text};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{
    Alternative, Area, Drawn, LEFT, Picture, RIGHT, TEXT, WIDTH, axes, line, over_time, picture, stack, text,
};
use super::captions;
use super::ink::Ink;
use super::scale::Scale;
use crate::measure::series::{BackendState, Group, Series};
use crate::measure::summary::CellSummary;

const HEIGHT: u32 = 350;
/// Lines of labels above the chart.
const LABELS: usize = 3;
const ABOVE: u32 = LABELS as u32 * (TEXT + 6) + 8;

/// The picture of a cell.
pub(crate) fn draw(cell: &CellSummary, series: &Series, scale: &Scale) -> Picture {
    let told = Alternative::of(cell, "how requests ended over time", captions::outcomes(cell, series));
    let outcomes = &series.outcomes;
    let frame = |area: &Area<'_>| axes(area, scale.seconds, scale.requests, ABOVE, &crate::numbers::number);
    picture(told, HEIGHT, frame, |area| {
        let mut chart = over_time(area, scale.seconds, scale.requests, ABOVE)?;
        let layers = Group::ALL.iter().map(|group| {
            let heights = outcomes.bins.iter().map(|bin| f64::from(bin[*group as usize]));
            (Ink::Outcome(*group), heights.collect())
        });
        let layers: Vec<_> = layers.collect();
        stack(&mut chart, outcomes.width, series.seconds, &layers)?;
        // Over everything, and thin: while a backend was anything but serving.
        for (from, to) in disturbed(series) {
            let corners = [(from, 0.0), (to, scale.requests)];
            chart.draw_series([Rectangle::new(corners, Ink::Mark.rgb().mix(0.12).filled())])?;
        }
        for mark in &series.marks {
            let ends = vec![(mark.at, 0.0), (mark.at, scale.requests)];
            chart.draw_series([line(ends, Ink::Mark, 2)])?;
        }
        labels(area, series, scale)
    })
}

/// From when to when some backend was anything but serving, whichever.
fn disturbed(series: &Series) -> Vec<(f64, f64)> {
    let bands = series.bands.iter().filter(|band| band.state != BackendState::MarkedDown);
    let mut each: Vec<(f64, f64)> = bands.map(|band| (band.from, band.to)).collect();
    each.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut found: Vec<(f64, f64)> = Vec::new();
    for (from, to) in each {
        match found.last_mut().filter(|last| from <= last.1) {
            Some(last) => last.1 = last.1.max(to),
            None => found.push((from, to)),
        }
    }
    found
}

/// Says above the chart what happened, in the first line that has room; where none has, the mark must do.
fn labels(area: &Area<'_>, series: &Series, scale: &Scale) -> Drawn {
    let mut taken = [0.0_f64; LABELS];
    for mark in &series.marks {
        let x = f64::from(LEFT) + mark.at / scale.seconds * f64::from(WIDTH - LEFT - RIGHT);
        // A letter is about half as wide as it is high.
        let width = mark.what.chars().count() as f64 * f64::from(TEXT) * 0.56;
        let start = (x - 3.0).min(f64::from(WIDTH) - width);
        if let Some(row) = taken.iter().position(|until| *until <= start) {
            taken[row] = start + width + f64::from(TEXT) * 0.6;
            let y = (ABOVE - 8 - row as u32 * (TEXT + 6)) as i32;
            let style = text(Ink::Text).pos(Pos::new(HPos::Left, VPos::Bottom));
            area.draw(&Text::new(mark.what.clone(), (start as i32, y), style))?;
        }
    }
    Ok(())
}
