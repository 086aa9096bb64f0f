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

use super::ink::Ink;
use crate::measure::summary::CellSummary;

/// The width of every picture in its own units; pages scale it.
pub(crate) const WIDTH: u32 = 960;
/// The height of the text in a picture.
pub(crate) const TEXT: u32 = 23;
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
    /// Its name on the page, for links.
    pub(crate) id: String,
    /// What it is a picture of.
    pub(crate) title: String,
    /// What it shows.
    pub(crate) desc: String,
}

impl Alternative {
    /// Of a picture of one cell.
    pub(super) fn of(cell: &CellSummary, id: String, title: &str, desc: String) -> Alternative {
        Alternative { id, title: format!("{} {}: {title}", cell.balancer, cell.variant), desc }
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
    /// that describe it stand below it, as its caption.
    pub(crate) fn inline(&self, frames: &Frames) -> Markup {
        let words = format!("{}-words", self.told.id);
        html! {
            svg role="img" aria-label=(self.told.title) aria-describedby=(words) viewBox=(self.view()) {
                @if let Some(frame) = frames.name(&self.frame) { use href=(format!("#{frame}")) {} }
                (PreEscaped(on_page(&self.shapes)))
            }
        }
    }

    /// The caption that describes it on a page: its `name`, and what is `told`.
    pub(crate) fn caption(&self, name: &str, told: &str, more: &Markup) -> Markup {
        html! {
            figcaption id=(format!("{}-words", self.told.id)) { @if !name.is_empty() { strong { (name) } " " } (told) (more) }
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

/// What the style sheet says of all shapes of a page's pictures, no shape repeats; and a line is written as its steps.
fn on_page(shapes: &str) -> String {
    let text = format!(" font-size=\"{TEXT}\" fill=\"var({})\"", Ink::Text.property());
    let shapes = shapes
        .replace(&text, "")
        .replace(" fill=\"none\" stroke=", " stroke=")
        .replace(&format!(" stroke=\"var({})\" stroke-width=\"1\"", Ink::Axis.property()), "")
        .replace(" stroke-width=\"3\"", " class=\"c\"");
    let mut out = String::with_capacity(shapes.len());
    for (n, shape) in shapes.split("points=\"").enumerate() {
        match shape.split_once('"').filter(|_| n > 0) {
            Some((points, rest)) => out.push_str(&format!("d=\"{}\"{rest}", steps_of(points))),
            None => out.push_str(shape),
        }
    }
    out.replace("<polygon ", "<path ")
        .replace("<polyline ", "<path class=\"l\" ")
        .replace("class=\"l\" stroke", "stroke")
}

/// A path through `points`, each told from the one before: `112,95 120,95 120,92` is `M112 95h8v-3`.
fn steps_of(points: &str) -> String {
    let mut path = String::new();
    let mut before: Option<(i32, i32)> = None;
    for point in points.split_whitespace() {
        let Some((Ok(x), Ok(y))) = point.split_once(',').map(|(x, y)| (x.parse(), y.parse())) else {
            continue;
        };
        match before.replace((x, y)) {
            None => path.push_str(&format!("M{x} {y}")),
            Some(last) if last == (x, y) => {}
            Some((left, top)) if top == y => path.push_str(&format!("h{}", x - left)),
            Some((left, top)) if left == x => path.push_str(&format!("v{}", y - top)),
            Some((left, top)) => path.push_str(&format!("l{} {}", x - left, y - top)),
        }
    }
    path
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

/// Draws layer upon layer, each as high as `layers` say for each piece of `width` seconds.
pub(crate) fn stack(chart: &mut Chart<'_, '_>, width: f64, end: f64, layers: &[(Ink, Vec<f64>)]) -> Drawn {
    let pieces = layers.first().map_or(0, |(_, heights)| heights.len());
    let mut below = vec![0.0; pieces];
    for (ink, heights) in layers {
        for outline in outlines(&below, heights, width, end) {
            chart.draw_series([Polygon::new(outline, ink.rgb())])?;
        }
        for (level, height) in below.iter_mut().zip(heights) {
            *level += height;
        }
    }
    Ok(())
}

/// The outlines of a layer, one for each stretch in which it has a height.
fn outlines(below: &[f64], heights: &[f64], width: f64, end: f64) -> Vec<Vec<(f64, f64)>> {
    let mut found = Vec::new();
    let places: Vec<usize> = (0..heights.len()).collect();
    for stretch in places.chunk_by(|a, b| (heights[*a] > 0.0) == (heights[*b] > 0.0)) {
        if heights[stretch[0]] > 0.0 {
            let mut outline = steps(stretch.iter().map(|n| (*n, below[*n] + heights[*n])), width, end);
            let mut back = steps(stretch.iter().map(|n| (*n, below[*n])), width, end);
            back.reverse();
            outline.append(&mut back);
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
    use super::{on_page, outlines, steps_of};

    #[test]
    fn a_path_goes_through_the_same_points() {
        assert_eq!(steps_of("112,95 120,95 120,92 120,92 130,90"), "M112 95h8v-3l10 -2");
        assert_eq!(
            on_page("<polyline fill=\"none\" stroke=\"var(--axis)\" stroke-width=\"1\" points=\"1,2 1,5\"/>"),
            "<path class=\"l\" d=\"M1 2v3\"/>"
        );
        assert_eq!(
            on_page("<polygon fill=\"var(--ok)\" points=\"1,2 3,2 3,4\"/>"),
            "<path fill=\"var(--ok)\" d=\"M1 2h2v2\"/>"
        );
        assert_eq!(
            on_page("<polyline fill=\"none\" stroke=\"var(--ok)\" stroke-width=\"3\" points=\"1,2 3,2\"/>"),
            "<path stroke=\"var(--ok)\" class=\"c\" d=\"M1 2h2\"/>"
        );
    }

    #[test]
    fn a_layer_lies_on_what_is_below_and_ends_with_the_load() {
        let found = outlines(&[1.0, 1.0, 0.0, 2.0], &[2.0, 2.0, 0.0, 1.0], 0.5, 1.75);
        let first = vec![(0.0, 3.0), (1.0, 3.0), (1.0, 1.0), (0.0, 1.0)];
        assert_eq!(found, [first, vec![(1.5, 3.0), (1.75, 3.0), (1.75, 2.0), (1.5, 2.0)]]);
    }
}
