//! The language as a page to read: `docs/scenario-reference.md`.

use std::fmt::Write;

use super::document;
use crate::scenario::limits;
use crate::scenario::shape::{Described, Outline, Shape, ShapeUnit, Text, Unless};

const HEAD: &str = "# Scenario reference

Every key of the language, section by section. `rig schema` prints the same as JSON Schema, and `rig validate --explain
SCENARIO` every value that a scenario has, defaults included.

Quantities have a unit: a *duration* is `250us`, `250ms`, `4s` or `2m`, a *rate* `400/s`, a *share* `2%`, a *size* `512B`,
`4KiB` or `1MiB`, a *factor* `10x`. A *name* has lower-case letters, digits and hyphens. Claims read `variant.metric op
value` or `variant.metric op 0.25 × other.metric`; a metric of one backend or pool is `variant.share[web-1]`.

A **bold** key must be there, unless every variant brings it.
";

/// The whole page.
pub(super) fn reference() -> String {
    let mut sections = Vec::new();
    gather(document(), &mut sections);
    let mut page = HEAD.to_owned();
    for section in &sections {
        write_section(&mut page, section).expect("a String takes any text");
    }
    page
}

/// A section, then those that it leads to, each once.
fn gather(section: Outline, into: &mut Vec<Outline>) {
    if into.iter().any(|known| known.title == section.title) {
        return;
    }
    into.push(section.clone());
    section.keys.into_iter().for_each(|key| gather_shape(key.shape, into));
}

fn gather_shape(shape: Shape, into: &mut Vec<Outline>) {
    match shape {
        Shape::Fields(section) => gather(section, into),
        Shape::List { of, .. } | Shape::Named { of, .. } => gather_shape(*of, into),
        Shape::Either(shapes) => shapes.into_iter().for_each(|shape| gather_shape(shape, into)),
        Shape::Text(_) | Shape::Words(_) | Shape::Quantity { .. } | Shape::Whole(_) | Shape::Patch(_) => {}
    }
}

fn write_section(page: &mut String, section: &Outline) -> std::fmt::Result {
    writeln!(page, "\n## {}\n\n{}", section.title, section.about)?;
    for keys in &section.one_of {
        writeln!(page, "\nExactly one of {}.", listed(keys))?;
    }
    writeln!(page, "\n| key | value | default | |\n|---|---|---|---|")?;
    for key in &section.keys {
        let name = match key.unless_said {
            Unless::Required => format!("**`{}`**", key.name),
            _ => format!("`{}`", key.name),
        };
        writeln!(page, "| {name} | {} | {} | {} |", value(&key.shape), default(key), key.about)?;
    }
    Ok(())
}

fn default(key: &Described) -> String {
    match &key.unless_said {
        Unless::Required => String::new(),
        Unless::Nothing => "–".to_owned(),
        Unless::Value(text) => format!("`{text}`"),
        Unless::Told(words) => (*words).to_owned(),
    }
}

fn value(shape: &Shape) -> String {
    match shape {
        Shape::Text(text) => match text {
            Text::Prose => "text".to_owned(),
            Text::Claim => "claim".to_owned(),
            Text::Figure => "figure, or `figure against figure`".to_owned(),
            Text::Name => "name".to_owned(),
            Text::NameOf(what) => format!("name of a {what}"),
            Text::Path => "path".to_owned(),
            Text::Target => "path, with or without a query".to_owned(),
            Text::HeaderName => "header".to_owned(),
            Text::HeaderValue => "text".to_owned(),
            Text::HostName => "host name".to_owned(),
            Text::CookieName => "name of a cookie".to_owned(),
            Text::Status => "status such as `404`, or a class such as `2xx`".to_owned(),
            Text::Url => "`http://` or `https://` URL".to_owned(),
            Text::Host => "name of a host".to_owned(),
            Text::File => "file".to_owned(),
            Text::Word => "text".to_owned(),
            Text::Variable => "name of a variable".to_owned(),
            Text::Release => "one of them in a version, such as `nginx@1.31`".to_owned(),
            Text::Exponent => format!("number from {} to {}", limits::ZIPF.start(), limits::ZIPF.end()),
        },
        Shape::Words(words) => listed(words),
        Shape::Quantity { unit, least, most } => {
            let what = match unit {
                ShapeUnit::Span => "duration",
                ShapeUnit::Rate => "rate",
                ShapeUnit::Share => "share",
                ShapeUnit::Bytes => "size",
                ShapeUnit::Factor => "factor",
            };
            format!("{what}, `{least}` to `{most}`")
        }
        Shape::Whole(limits) if *limits.end() == u64::MAX => format!("number from {}", limits.start()),
        Shape::Whole(limits) => format!("number, {} to {}", limits.start(), limits.end()),
        Shape::List { of, least, most } if least == most => format!("list of {most}: {}", value(of)),
        Shape::List { of, most, .. } => format!("list, at most {most}: {}", value(of)),
        Shape::Named { names, of, most } => {
            format!("map by {}, at most {most}: {}", value(&Shape::Text(*names)), value(of))
        }
        Shape::Fields(section) => format!("[{0}](#{0})", section.title),
        Shape::Patch(_) => "patch".to_owned(),
        Shape::Either(shapes) => shapes.iter().map(value).collect::<Vec<_>>().join("; or "),
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
