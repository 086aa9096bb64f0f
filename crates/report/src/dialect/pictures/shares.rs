//! Who received what part of the requests, over time.

use super::canvas::{Alternative, Area, Picture, axes, over_time, picture, stack};
use super::captions;
use super::ink::Ink;
use super::scale::Scale;
use crate::measure::series::Series;
use crate::measure::summary::CellSummary;
use crate::numbers::percent;

const HEIGHT: u32 = 240;
const ABOVE: u32 = 16;

/// The picture of a cell.
pub(crate) fn draw(cell: &CellSummary, series: &Series, scale: &Scale) -> Picture {
    let told = Alternative::of(cell, "share of each backend over time", captions::shares(series));
    let shares = &series.shares;
    let frame = |area: &Area<'_>| axes(area, scale.seconds, 1.0, ABOVE, &percent);
    picture(told, HEIGHT, frame, |area| {
        let mut chart = over_time(area, scale.seconds, 1.0, ABOVE)?;
        let part = |window: &Vec<u64>, place: usize| match window.iter().sum::<u64>() {
            0 => 0.0,
            all => window[place] as f64 / all as f64,
        };
        let layer = |place: usize| {
            let parts = shares.windows.iter().map(|window| part(window, place));
            (Ink::Series(place), parts.collect())
        };
        let layers: Vec<(Ink, Vec<f64>)> = (0..series.backends.len()).map(layer).collect();
        stack(&mut chart, shares.width, series.seconds, &layers)
    })
}
