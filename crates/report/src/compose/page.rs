//! A page of prose with figures, before it is laid out.

use crate::compose::document::{Line, Quote};
use crate::compose::table::Table;

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// What comes before the first section.
    pub opening: Vec<Part>,
    /// Its sections.
    pub sections: Vec<PageSection>,
}

/// A part with a title of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSection {
    /// The title.
    pub title: String,
    /// What it says.
    pub parts: Vec<Part>,
}

/// A piece of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A paragraph.
    Text(String),
    /// Numbered lines.
    Steps(Vec<String>),
    /// Lines, each with its mark.
    Lines(Vec<Line>),
    /// A table, its title as a caption.
    Table(Table),
    /// The words of others.
    Quote(Quote),
    /// Something to type into a shell.
    Command(String),
}
