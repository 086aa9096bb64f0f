//! Problems of a scenario, each with the place where it was written, rendered as compilers do.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::visible::{visible, visible_at};

/// Problems beyond these are not gathered: a hostile file could make very many.
const MOST: usize = 100;

/// What problems call the place of a `--set` and other flags.
pub(crate) const COMMAND_LINE: &str = "command line";

/// A text that values were read from: the file, or one `--set`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// A piece of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    source: Arc<Source>,
    bytes: Range<usize>,
}

impl Place {
    pub(crate) fn new(source: &Arc<Source>, bytes: Range<usize>) -> Place {
        Place { source: Arc::clone(source), bytes }
    }

    /// A place for what was asked for on the command line.
    pub(crate) fn command_line(text: String) -> Place {
        let bytes = 0..text.len();
        let source = Source { name: COMMAND_LINE.into(), text };
        Place { source: Arc::new(source), bytes }
    }

    /// The piece of this place at `bytes` of `whole`, the text that was read from here; the place itself where
    /// quoting or folding makes that text differ from the source.
    pub(crate) fn within(&self, whole: &str, bytes: Range<usize>) -> Place {
        match self.text().find(whole) {
            Some(start) => {
                let start = self.bytes.start + start;
                Place { source: Arc::clone(&self.source), bytes: start + bytes.start..start + bytes.end }
            }
            None => self.clone(),
        }
    }

    /// What is written there.
    pub(crate) fn text(&self) -> &str {
        self.source.text.get(self.bytes.clone()).unwrap_or_default()
    }

    /// Sorts places as they are read: the file, then the command line.
    pub(crate) fn order(&self) -> (bool, usize) {
        (self.source.name == COMMAND_LINE, self.bytes.start)
    }

    /// The file, or `command line`.
    pub fn source(&self) -> &str {
        &self.source.name
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.before().matches('\n').count() + 1
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> usize {
        let before = self.before();
        let line = before.rfind('\n').map_or(before, |end| &before[end + 1..]);
        line.chars().count() + 1
    }

    fn before(&self) -> &str {
        self.source.text.get(..self.bytes.start).unwrap_or_default()
    }
}

/// One thing that is wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What to do about it.
    pub help: Option<String>,
    /// The variants that have it; empty if it belongs to the whole document.
    pub variants: Vec<String>,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>, place: &Place) -> Problem {
        Problem { message: message.into(), place: place.clone(), help: None, variants: Vec::new() }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Problem {
        Problem { help: Some(help.into()), ..self }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let source = &self.place.source;
        let at = |byte| visible_at(&source.text, byte);
        let snippet = Snippet::source(visible(&source.text))
            .path(visible(&source.name))
            .annotation(AnnotationKind::Primary.span(at(self.place.bytes.start)..at(self.place.bytes.end)));
        let mut group = Level::ERROR.primary_title(visible(&self.message)).element(snippet);
        if !self.variants.is_empty() {
            let names: Vec<_> = self.variants.iter().map(|name| format!("`{name}`")).collect();
            let noun = if names.len() == 1 { "variant" } else { "variants" };
            let message = format!("in the {noun} {}", names.join(", "));
            group = group.element(Level::NOTE.message(visible(&message).into_owned()));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(visible(help)));
        }
        renderer.render(&[group])
    }
}

/// Everything that is wrong with a scenario, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Sorted by where they are.
    pub(crate) fn new(mut problems: Vec<Problem>) -> Problems {
        problems.sort_by_key(|problem| problem.place.order());
        Problems(problems)
    }

    /// Each problem.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// As [`Display`](fmt::Display), with colours for a terminal.
    pub fn coloured(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut shown: Vec<_> = self.0.iter().map(|problem| problem.render(renderer)).collect();
        if self.0.len() >= MOST {
            shown.push(format!("error: there may be more than these {MOST} problems"));
        }
        shown.join("\n\n")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

impl std::error::Error for Problems {}

/// Where readers put the problems that they find. Shared by reference among nested readers, hence the cell.
#[derive(Debug, Default)]
pub(crate) struct Found {
    problems: RefCell<Vec<Problem>>,
}

impl Found {
    pub(crate) fn add(&self, problem: Problem) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < MOST {
            problems.push(problem);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// Takes over what was found in a variant. A problem that several variants inherit is one problem.
    pub(crate) fn absorb(&self, variant: &str, found: Found) {
        let mut problems = self.problems.borrow_mut();
        for mut problem in found.problems.into_inner() {
            let same = |other: &Problem| other.place == problem.place && other.message == problem.message;
            let Some(known) = problems.iter().position(same) else {
                if problems.len() < MOST {
                    problem.variants = vec![variant.to_owned()];
                    problems.push(problem);
                }
                continue;
            };
            // What the whole document has stays the document's; a variant is named once.
            let variants = &mut problems[known].variants;
            if !variants.is_empty() && !variants.iter().any(|name| name == variant) {
                variants.push(variant.to_owned());
            }
        }
    }

    /// Ends the search. `variants` is how many there are: what all of them have is said without their names.
    pub(crate) fn take(&self, variants: usize) -> Vec<Problem> {
        let mut problems = self.problems.take();
        for problem in &mut problems {
            if problem.variants.len() == variants {
                problem.variants.clear();
            }
        }
        problems
    }
}
