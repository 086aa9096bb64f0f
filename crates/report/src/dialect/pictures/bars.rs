//! Bars of one figure, or of two, for each variant of a balancer: text and rectangles, without axes, as each bar says its value.

use maud::{Markup, html};

use super::ink::Ink;
use crate::compose::picture::{Bar, BarPanel, BarPicture, BarRow, BarScale};
use crate::numbers::NONE;

/// The width of a panel in its own units, unless its words need more; pages scale it.
const PANEL: u32 = 480;
/// The least length of the longest bar.
const SHORTEST: f64 = 120.0;
/// The height of its text.
pub(crate) const LETTERS: u32 = 15;
/// The height of a line: a variant's name, or a bar.
const LINE: u32 = 24;
/// A variant's own lines are so far from those of the next.
const APART: u32 = 6;
/// The height of a bar.
const BAR: u32 = 14;
/// A letter is so wide.
const LETTER: f64 = 8.0;
/// Longer names end in an ellipsis.
const NAME: usize = 22;

/// A panel as shapes, and how large it is.
pub(crate) struct DrawnPanel {
    pub(crate) shapes: Markup,
    /// The same for all panels of a picture.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Everything that it shows, in words.
    pub(crate) words: String,
}

/// Draws the panels of `picture`, all at one scale.
pub(crate) fn panels(picture: &BarPicture) -> Vec<DrawnPanel> {
    let rows = || picture.panels.iter().filter_map(|panel| panel.rows.as_ref().ok()).flatten();
    let longest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0) as f64 * LETTER;
    let names = longest(&mut rows().map(|row| short(name(row)).chars().count()));
    let values =
        rows().flat_map(|row| row.bars.iter().flatten().map(move |bar| label(bar, row).chars().count()));
    let values = longest(&mut values.into_iter());
    let left = names + 10.0;
    let length = (f64::from(PANEL) - left - values - 14.0).max(SHORTEST);
    let frame = BarFrame { picture, left, length, width: round(left + length + values + 14.0) };
    picture.panels.iter().map(|panel| frame.panel(panel)).collect()
}

/// Where bars begin, and how long they may be.
struct BarFrame<'a> {
    picture: &'a BarPicture,
    left: f64,
    length: f64,
    width: u32,
}

impl BarFrame<'_> {
    fn panel(&self, panel: &BarPanel) -> DrawnPanel {
        let rows = match &panel.rows {
            Ok(rows) => rows,
            Err(why) => return self.nothing(why),
        };
        let mut placed = Vec::new();
        let mut height = APART;
        for of_variant in rows.chunk_by(|a, b| a.variant == b.variant) {
            if of_variant[0].part.is_some() {
                placed.push(
                    html! { text y=(height + 17) font-weight="600" { (short(&of_variant[0].variant)) } },
                );
                height += LINE;
            }
            for row in of_variant {
                placed.push(self.row(row, height));
                height += LINE * row.bars.len() as u32;
            }
            height += APART;
        }
        let words = rows.iter().map(|row| self.words(row)).collect::<Vec<_>>().join("; ");
        DrawnPanel { shapes: html! { @for row in &placed { (row) } }, width: self.width, height, words }
    }

    /// A panel that says why it has no bars.
    fn nothing(&self, why: &str) -> DrawnPanel {
        let most = (f64::from(self.width) / LETTER) as usize;
        let mut lines: Vec<String> = vec![String::new()];
        for word in format!("not measured: {why}").split(' ') {
            let line = lines.last_mut().expect("there is a line");
            if line.chars().count() + word.chars().count() >= most {
                lines.push(word.to_owned());
            } else {
                line.push_str(if line.is_empty() { "" } else { " " });
                line.push_str(word);
            }
        }
        let height = APART + LINE * lines.len() as u32;
        let shapes = html! { @for (n, line) in lines.iter().enumerate() { text y=(APART + 17 + LINE * n as u32) { (line) } } };
        DrawnPanel { shapes, width: self.width, height, words: format!("not measured: {why}") }
    }

    fn row(&self, row: &BarRow, top: u32) -> Markup {
        html! {
            text x=(if row.part.is_some() { 12 } else { 0 }) y=(top + 17) { (short(name(row))) }
            @for (n, (bar, scale)) in row.bars.iter().zip(&self.picture.shown).enumerate() {
                (self.bar(bar.as_ref(), row, scale, n, top + LINE * n as u32))
            }
        }
    }

    fn bar(&self, bar: Option<&Bar>, row: &BarRow, scale: &BarScale, place: usize, top: u32) -> Markup {
        let (left, text) = (round(self.left), top + 17);
        let Some(bar) = bar else { return html! { text x=(left + 4) y=(text) { (NONE) } } };
        let [least, median, most] = bar.spread.map(|value| self.long(value, scale));
        let end = [Some(most), row.mark.as_ref().map(|mark| self.long(mark.spread[1], scale))];
        let end = end.into_iter().flatten().fold(median, f64::max);
        let fill = format!("var({})", ink(scale, place));
        let upper = top + (LINE - BAR) / 2;
        let middle = upper + BAR / 2;
        let shapes = html! {
                // What never came has a bar without an end.
                @if bar.spread[1].is_infinite() {
                    path d=(format!("M{left} {upper}h{}M{left} {}h{}", round(median), upper + BAR, round(median))) stroke=(fill) stroke-width="2" stroke-dasharray="6 4" fill="none" {}
                } @else {
                    rect x=(left) y=(upper) width=(round(median).max(1)) height=(BAR) fill=(fill) {}
                }
                @if round(least) != round(most) {
                    path d=(format!("M{} {middle}h{}", left + round(least), round(most) - round(least))) stroke="var(--mark)" stroke-width="2" {}
                }
                @if let Some(mark) = &row.mark {
                    path d=(format!("M{} {}v{}", left + round(self.long(mark.spread[1], scale)), upper - 3, BAR + 6)) stroke="var(--mark)" stroke-width="3" {}
                }
                text x=(left + round(end) + 6) y=(text) text-decoration=[bar.is_struck.then_some("line-through")] { (label(bar, row)) }
        };
        if bar.is_struck {
            html! { g opacity="0.45" { (shapes) } }
        } else {
            shapes
        }
    }

    /// How long a bar of that value is.
    fn long(&self, value: f64, scale: &BarScale) -> f64 {
        if value.is_infinite() {
            return self.length;
        }
        if scale.most > 0.0 { (value.max(0.0) / scale.most) * self.length } else { 0.0 }
    }

    fn words(&self, row: &BarRow) -> String {
        let of = match &row.part {
            Some(part) => format!("{} {part}", row.variant),
            None => row.variant.clone(),
        };
        let value = |(bar, scale): (&Option<Bar>, &BarScale)| {
            let text = bar.as_ref().map_or_else(|| NONE.to_owned(), |bar| label(bar, row));
            let trust = if bar.as_ref().is_some_and(|bar| bar.is_struck) { " (INVALID)" } else { "" };
            match self.picture.shown.len() {
                1 => format!("{text}{trust}"),
                _ => format!("{} {text}{trust}", scale.heading),
            }
        };
        let values: Vec<_> = row.bars.iter().zip(&self.picture.shown).map(value).collect();
        format!("{of} {}", values.join(", "))
    }
}

/// What the colours and the mark mean; nothing where a heading says it.
pub(crate) fn legend(picture: &BarPicture) -> Vec<(String, String)> {
    let shown = picture.shown.iter().enumerate();
    let bars = shown.map(|(place, scale)| (ink(scale, place).to_owned(), scale.heading.clone()));
    let mark = picture.mark.iter().map(|mark| (Ink::Mark.property(), format!("{mark} (line)")));
    let entries: Vec<_> = bars.chain(mark).collect();
    if entries.len() > 1 { entries } else { Vec::new() }
}

/// What the picture shows, as a heading.
pub(crate) fn title(picture: &BarPicture) -> String {
    let shown = picture.shown.iter().map(|scale| scale.heading.as_str());
    let all: Vec<&str> = shown.chain(picture.mark.as_deref()).collect();
    all.join(", beside ")
}

fn ink(scale: &BarScale, place: usize) -> &'static str {
    match (scale.is_loss, place) {
        (true, 0) => "--bad",
        (_, 0) => "--series-1",
        _ => "--series-2",
    }
}

/// A bar's value, and that of the mark on it.
fn label(bar: &Bar, row: &BarRow) -> String {
    match &row.mark {
        Some(mark) => format!("{} | {}", bar.text, mark.text),
        None => bar.text.clone(),
    }
}

fn name(row: &BarRow) -> &str {
    row.part.as_deref().unwrap_or(&row.variant)
}

fn short(name: &str) -> String {
    match name.char_indices().nth(NAME) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

fn round(length: f64) -> u32 {
    length.round() as u32
}
