//! How values of a plan are written in the scenario language.

use std::fmt::{Display, Write};

/// A value, as it stands behind its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// There is none.
    Nothing,
    /// As it is.
    Plain(String),
    /// In quotation marks.
    Quoted(String),
    /// On lines of its own, below its key.
    Lines(Vec<String>),
    /// Instead of key and value, a remark.
    Remark(String),
}

impl Written {
    pub(crate) fn plain(value: &impl Display) -> Written {
        Written::Plain(value.to_string())
    }

    pub(crate) fn quoted(value: &impl Display) -> Written {
        Written::Quoted(value.to_string())
    }

    /// Values on one line.
    pub(crate) fn list(values: impl Iterator<Item = Written>) -> Written {
        let values: Vec<_> = values.filter_map(|value| value.on_a_line()).collect();
        Written::Plain(format!("[{}]", values.join(", ")))
    }

    /// Keys and values on lines of their own.
    pub(crate) fn map<'k>(entries: impl Iterator<Item = (&'k str, Written)>) -> Written {
        Written::Lines(entries.flat_map(|(key, value)| value.under(key)).collect())
    }

    /// Keys and values on one line.
    pub(crate) fn map_on_a_line<'k>(entries: impl Iterator<Item = (&'k str, Written)>) -> Written {
        let entries: Vec<_> =
            entries.filter_map(|(key, value)| Some(format!("{key}: {}", value.on_a_line()?))).collect();
        Written::Plain(if entries.is_empty() { "{}".into() } else { format!("{{ {} }}", entries.join(", ")) })
    }

    /// The value as people would write it who have but one: without quotation marks.
    pub(crate) fn bare(self) -> String {
        match self {
            Written::Quoted(text) => text,
            other => other.on_a_line().unwrap_or_default(),
        }
    }

    /// As one line; `None`: there is no value, or none that fits.
    fn on_a_line(self) -> Option<String> {
        match self {
            Written::Plain(text) => Some(text),
            Written::Quoted(text) => Some(quoted(&text)),
            Written::Lines(lines) if lines.is_empty() => Some("{}".to_owned()),
            Written::Nothing | Written::Lines(_) | Written::Remark(_) => None,
        }
    }

    /// The lines of `key` with this value.
    fn under(self, key: &str) -> Vec<String> {
        match self {
            Written::Nothing => Vec::new(),
            Written::Remark(text) => vec![format!("# {text}")],
            Written::Lines(lines) if !lines.is_empty() => {
                let below = lines.into_iter().map(|line| format!("  {line}"));
                [format!("{key}:")].into_iter().chain(below).collect()
            }
            other => other.on_a_line().map(|value| format!("{key}: {value}")).into_iter().collect(),
        }
    }
}

pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => write!(out, "\\U{:08x}", u32::from(c)).expect("a String takes any text"),
            c => out.push(c),
        }
    }
    out + "\""
}
