//! Shapes as a page writes them: paths of steps, of which those that look alike and follow each other are one. What the style
//! sheet says of all shapes, none repeats.

use super::ink::{Ink, TEXT};

/// What the style sheet of a page says of a shape, by its attributes.
const CLASSES: [(&str, &str); 6] = [
    (" stroke=\"var(--mark)\" stroke-width=\"2\"", " class=\"m\""),
    (" stroke=\"var(--grid)\" stroke-width=\"2\"", " class=\"g\""),
    (" opacity=\"0.12\" fill=\"var(--mark)\"", " class=\"d\""),
    (" stroke-width=\"3\"", " class=\"c\""),
    (" stroke=\"none\"", ""),
    (" fill=\"none\"", ""),
];

/// The shapes of a picture for a page.
pub(super) fn on_page(shapes: &str) -> String {
    let mut out = String::with_capacity(shapes.len());
    // What the path that is open looks like.
    let mut open: Option<String> = None;
    let mut rest = shapes;
    while let Some((before, tag)) = rest.split_once('<') {
        let Some((tag, after)) = tag.split_once('>') else { break };
        rest = after;
        match tag.strip_suffix('/').and_then(path) {
            Some((looks, steps)) if open.as_ref() == Some(&looks) => out.push_str(&steps),
            Some((looks, steps)) => {
                close(&mut out, open.take().as_deref());
                out.push_str(&format!("<path{looks} d=\"{steps}"));
                open = Some(looks);
            }
            None => {
                close(&mut out, open.take().as_deref());
                out.push_str(before);
                out.push('<');
                out.push_str(&plain_text(tag));
                out.push('>');
            }
        }
    }
    close(&mut out, open.as_deref());
    out + rest
}

fn close(out: &mut String, open: Option<&str>) {
    if open.is_some() {
        out.push_str("\"/>");
    }
}

/// A text has the page's font and ink, and begins where it stands.
fn plain_text(tag: &str) -> String {
    let font = format!(" font-size=\"{TEXT}\" fill=\"var({})\"", Ink::Text.property());
    tag.replace(&font, "").replace(" text-anchor=\"start\"", "")
}

/// A shape as a path: how it looks, and its steps; `None`: it is none.
fn path(tag: &str) -> Option<(String, String)> {
    let (name, attributes) = tag.split_once(' ')?;
    let mut looks = String::new();
    let mut placed: Vec<(&str, &str)> = Vec::new();
    for attribute in attributes.split("\" ") {
        let (key, value) = attribute.split_once("=\"")?;
        let value = value.trim_end_matches(['"', ' ']);
        match key {
            "x" | "y" | "width" | "height" | "x1" | "y1" | "x2" | "y2" | "points" => {
                placed.push((key, value))
            }
            _ => looks.push_str(&format!(" {key}=\"{value}\"")),
        }
    }
    let at = |wanted: &str| placed.iter().find(|(key, _)| *key == wanted)?.1.parse::<i32>().ok();
    let steps = match name {
        "rect" => {
            let (x, y, width, height) = (at("x")?, at("y")?, at("width")?, at("height")?);
            format!("M{x} {y}h{width}v{height}h-{width}z")
        }
        "line" => steps_of([(at("x1")?, at("y1")?), (at("x2")?, at("y2")?)].into_iter()),
        "polygon" | "polyline" => {
            let (_, points) = placed.first()?;
            let points = points.split_whitespace().filter_map(|point| {
                let (x, y) = point.split_once(',')?;
                Some((x.parse().ok()?, y.parse().ok()?))
            });
            steps_of(points)
        }
        _ => return None,
    };
    Some((shorter(&looks), steps))
}

/// How a shape looks, without what the style sheet says: a line has no filling, and one without a colour is an axis.
fn shorter(looks: &str) -> String {
    let axis = format!(" stroke=\"var({})\" stroke-width=\"1\"", Ink::Axis.property());
    let looks = looks.replace(&axis, " class=\"l\"");
    let looks = CLASSES.iter().fold(looks, |looks, (long, short)| looks.replace(long, short));
    // HTML asks for quotation marks only where a value has a space.
    if looks.matches(' ').count() == looks.matches('=').count() { looks.replace('"', "") } else { looks }
}

/// A path through points, each told from the one before: `112,95 120,95 120,92` is `M112 95h8v-3`.
fn steps_of(points: impl Iterator<Item = (i32, i32)>) -> String {
    let mut path = String::new();
    let mut before: Option<(i32, i32)> = None;
    for (x, y) in points {
        match before.replace((x, y)) {
            None => path.push_str(&format!("M{x} {y}")),
            Some(last) if last == (x, y) => {}
            Some((left, top)) if top == y => path.push_str(&format!("h{}", x - left)),
            Some((left, top)) if left == x => path.push_str(&format!("v{}", y - top)),
            Some((left, top)) => match y - top {
                down if down < 0 => path.push_str(&format!("l{}{down}", x - left)),
                down => path.push_str(&format!("l{} {down}", x - left)),
            },
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::{on_page, steps_of};

    #[test]
    fn a_path_goes_through_the_same_points() {
        let points = [(112, 95), (120, 95), (120, 92), (120, 92), (130, 90), (131, 94)];
        assert_eq!(steps_of(points.into_iter()), "M112 95h8v-3l10-2l1 4");
    }

    #[test]
    fn every_shape_is_a_path_without_what_the_style_sheet_says() {
        for (shape, path) in [
            (
                "<polyline fill=\"none\" stroke=\"var(--axis)\" stroke-width=\"1\" points=\"1,2 1,5\"/>",
                "<path class=l d=\"M1 2v3\"/>",
            ),
            ("<polygon fill=\"var(--ok)\" points=\"1,2 3,2 3,4\"/>", "<path fill=var(--ok) d=\"M1 2h2v2\"/>"),
            (
                "<polyline fill=\"none\" stroke=\"var(--ok)\" stroke-width=\"3\" points=\"1,2 3,2 \"/>",
                "<path stroke=var(--ok) class=c d=\"M1 2h2\"/>",
            ),
            (
                "<rect x=\"5\" y=\"6\" width=\"7\" height=\"8\" opacity=\"0.12\" fill=\"var(--mark)\" stroke=\"none\"/>",
                "<path class=d d=\"M5 6h7v8h-7z\"/>",
            ),
            (
                "<text x=\"1\" y=\"2\" text-anchor=\"start\" font-size=\"23\" fill=\"var(--text)\">a &lt; b</text>",
                "<text x=\"1\" y=\"2\">a &lt; b</text>",
            ),
        ] {
            assert_eq!(on_page(shape), path);
        }
    }

    #[test]
    fn shapes_that_look_alike_and_follow_each_other_are_one() {
        let line = |x: u32| format!("<line stroke=\"var(--ok)\" x1=\"{x}\" y1=\"1\" x2=\"{x}\" y2=\"9\"/>");
        let text = "<text x=\"1\">7</text>";
        assert_eq!(
            on_page(&format!("{}{}{text}{}", line(1), line(2), line(3))),
            "<path stroke=var(--ok) d=\"M1 1v8M2 1v8\"/><text x=\"1\">7</text><path stroke=var(--ok) d=\"M3 1v8\"/>"
        );
    }
}
