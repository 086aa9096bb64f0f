//! A picture as SVG: drawn by plotters, described in words beside it.

use std::cell::RefCell;
use std::io;

use maud::{Markup, PreEscaped, html};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    Cartesian2d, ChartBuilder, ChartContext, DrawingArea, DrawingAreaErrorKind, IntoDrawingArea, IntoFont,
    PathElement, Polygon, SVGBackend, TextStyle,
};
use plotters::style::{Color, TRANSPARENT};

use super::compact::on_page;
use super::ink::Ink;
pub(crate) use super::ink::TEXT;
use crate::measure::summary::CellSummary;

/// The width of every picture in its own units; pages scale it.
pub(crate) const WIDTH: u32 = 960;
/// Left of the time axis: labels of values, and names of backends.
pub(crate) const LEFT: u32 = 112;
/// Right of it: half of its last label.
pub(crate) const RIGHT: u32 = 30;
/// Below: the labels of the time axis.
pub(crate) const BELOW: u32 = 40;
/// plotters writes a font's size divided by this.
const PLOTTERS_TEXT: f64 = 1.24;

pub(crate) type SvgArea<'a> = SVGBackend<'a>;
pub(crate) type Area<'a> = DrawingArea<SvgArea<'a>, Shift>;
pub(crate) type Chart<'a, 'b> = ChartContext<'a, SvgArea<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
pub(crate) type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

/// What a picture shows, for readers who can't see it.
pub(crate) struct Alternative {
    /// What it is a picture of.
    pub(crate) title: String,
    /// What it shows.
    pub(crate) desc: String,
}

impl Alternative {
    /// Of a picture of one cell.
    pub(super) fn of(cell: &CellSummary, title: &str, desc: String) -> Alternative {
        Alternative { title: format!("{} {}: {title}", cell.balancer, cell.variant), desc }
    }
}

/// A picture, and its description in words.
pub(crate) struct Picture {
    told: Alternative,
    pub(crate) height: u32,
    /// Axes, grid and labels: many pictures have the same.
    frame: String,
    shapes: String,
}

/// The frames of a page's pictures, each of which is drawn once.
#[derive(Default)]
pub(crate) struct Frames(RefCell<Vec<String>>);

impl Frames {
    /// The name of `frame` on the page; `None`: it is empty.
    fn name(&self, frame: &str) -> Option<String> {
        if frame.is_empty() {
            return None;
        }
        let mut known = self.0.borrow_mut();
        let place = known.iter().position(|other| other == frame).unwrap_or_else(|| {
            known.push(frame.to_owned());
            known.len() - 1
        });
        Some(Frames::id(place))
    }

    fn id(place: usize) -> String {
        format!("f{place}")
    }

    /// All that were named, to be referred to; the element itself shows nothing.
    pub(crate) fn drawn(&self) -> Markup {
        html! {
            svg.frames aria-hidden="true" width="0" height="0" {
                defs {
                    @for (place, frame) in self.0.borrow().iter().enumerate() {
                        g id=(Frames::id(place)) { (PreEscaped(on_page(frame))) }
                    }
                }
            }
        }
    }
}

impl Picture {
    /// What it shows, in words.
    pub(crate) fn desc(&self) -> &str {
        &self.told.desc
    }

    /// As a part of a page, which says how wide it is, and in its style sheet what most shapes have in common. The words
    /// that describe it stand below it, as the caption of its figure.
    pub(crate) fn inline(&self, label: &str, frames: &Frames) -> Markup {
        html! {
            svg role="img" aria-label=(label) viewBox=(self.view()) {
                @if let Some(frame) = frames.name(&self.frame) { use href=(format!("#{frame}")) {} }
                (PreEscaped(on_page(&self.shapes)))
            }
        }
    }

    /// As a part of another picture, with its upper left corner there.
    pub(crate) fn placed(&self, x: u32, y: u32) -> Markup {
        html! {
            svg x=(x) y=(y) width=(WIDTH) height=(self.height) viewBox=(self.view()) {
                title { (self.told.title) }
                desc { (self.told.desc) }
                (PreEscaped(&self.frame))
                (PreEscaped(&self.shapes))
            }
        }
    }

    fn view(&self) -> String {
        format!("0 0 {WIDTH} {}", self.height)
    }
}

/// Draws a picture of that height: first its frame, then what it shows.
pub(crate) fn picture(
    told: Alternative,
    height: u32,
    frame: impl FnOnce(&Area<'_>) -> Drawn,
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Picture {
    Picture { told, height, frame: shapes(height, frame), shapes: shapes(height, draw) }
}

/// Nothing: a picture that shares its axes with no other.
pub(crate) fn no_frame(_: &Area<'_>) -> Drawn {
    Ok(())
}

fn shapes(height: u32, draw: impl FnOnce(&Area<'_>) -> Drawn) -> String {
    let mut drawn = String::new();
    {
        let area = SVGBackend::with_string(&mut drawn, (WIDTH, height)).into_drawing_area();
        draw(&area).expect("a string takes every shape, and no coordinate is missing");
        area.present().expect("a string takes every shape");
    }
    // What every shape has in common is the page's to say.
    let shapes = drawn.split_once('>').map_or("", |(_, shapes)| shapes).replace("</svg>", "");
    let shapes = shapes.replace(" font-family=\"sans-serif\"", "").replace(" opacity=\"1\"", "");
    let shapes = shapes.replace(" \"/>", "\"/>").replace(">\n", ">").replace("\n</text>", "</text>");
    Ink::replace_all(shapes.trim())
}

/// Text in that ink, as large as all text in pictures.
pub(crate) fn text(ink: Ink) -> TextStyle<'static> {
    let color = ink.rgb().to_backend_color();
    TextStyle { color, ..TextStyle::from(("sans-serif", f64::from(TEXT) * PLOTTERS_TEXT).into_font()) }
}

/// A chart over the time of the load, with values from 0 to `top`.
pub(crate) fn over_time<'a, 'b>(
    area: &'a Area<'b>,
    seconds: f64,
    top: f64,
    above: u32,
) -> Result<Chart<'a, 'b>, DrawingAreaErrorKind<io::Error>> {
    ChartBuilder::on(area)
        .margin_top(above)
        .margin_right(RIGHT)
        .x_label_area_size(BELOW)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(0.0..seconds, 0.0..top)
}

/// The axes of such a chart.
pub(crate) fn axes(
    area: &Area<'_>,
    seconds: f64,
    top: f64,
    above: u32,
    label: &dyn Fn(f64) -> String,
) -> Drawn {
    over_time(area, seconds, top, above)?
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(Ink::Grid.rgb())
        .axis_style(Ink::Axis.rgb())
        .label_style(text(Ink::Text))
        .x_labels(7)
        .y_labels(6)
        .x_label_formatter(&|second| format!("{} s", crate::numbers::number(*second)))
        .y_label_formatter(&|value| label(*value))
        .draw()
}

/// A line through those points.
pub(crate) fn line(points: Vec<(f64, f64)>, ink: Ink, width: u32) -> PathElement<(f64, f64)> {
    PathElement::new(points, ink.rgb().stroke_width(width))
}

/// Draws layer upon layer, each as high as `layers` say for each piece of `width` seconds. The uppermost comes first, and each
/// reaches down to the axis, under those that are drawn over it: so its lower edge needs no points.
pub(crate) fn stack(chart: &mut Chart<'_, '_>, width: f64, end: f64, layers: &[(Ink, Vec<f64>)]) -> Drawn {
    let pieces = layers.first().map_or(0, |(_, heights)| heights.len());
    let mut level = vec![0.0; pieces];
    let mut outlined = Vec::new();
    for (ink, heights) in layers {
        for (level, height) in level.iter_mut().zip(heights) {
            *level += height;
        }
        outlined.push((*ink, outlines(&level, heights, width, end)));
    }
    for (ink, outlines) in outlined.into_iter().rev() {
        for outline in outlines {
            chart.draw_series([Polygon::new(outline, ink.rgb())])?;
        }
    }
    Ok(())
}

/// The outlines of a layer whose upper edge is at `level`, one for each stretch in which it has a height.
fn outlines(level: &[f64], heights: &[f64], width: f64, end: f64) -> Vec<Vec<(f64, f64)>> {
    let mut found = Vec::new();
    let places: Vec<usize> = (0..heights.len()).collect();
    for stretch in places.chunk_by(|a, b| (heights[*a] > 0.0) == (heights[*b] > 0.0)) {
        if heights[stretch[0]] > 0.0 {
            let mut outline = steps(stretch.iter().map(|n| (*n, level[*n])), width, end);
            let ends = [outline.last(), outline.first()].map(|end| end.map_or(0.0, |(x, _)| *x));
            outline.extend(ends.map(|x| (x, 0.0)));
            found.push(outline);
        }
    }
    found
}

/// A line of steps; what stays level needs no point.
fn steps(levels: impl Iterator<Item = (usize, f64)>, width: f64, end: f64) -> Vec<(f64, f64)> {
    let mut line: Vec<(f64, f64)> = Vec::new();
    for (place, level) in levels {
        let (from, to) = (place as f64 * width, ((place + 1) as f64 * width).min(end));
        match line.last_mut() {
            Some(last) if last.1 == level => last.0 = to,
            _ => line.extend([(from, level), (to, level)]),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::outlines;

    #[test]
    fn a_layer_reaches_down_to_the_axis_and_ends_with_the_load() {
        let found = outlines(&[3.0, 3.0, 0.0, 2.0], &[2.0, 2.0, 0.0, 1.0], 0.5, 1.75);
        let first = vec![(0.0, 3.0), (1.0, 3.0), (1.0, 0.0), (0.0, 0.0)];
        assert_eq!(found, [first, vec![(1.5, 2.0), (1.75, 2.0), (1.75, 0.0), (1.5, 0.0)]]);
    }
}
