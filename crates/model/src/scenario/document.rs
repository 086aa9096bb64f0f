//! A scenario as it is written: parsed and located, not yet checked.

use std::sync::Arc;

use super::problem::{Problem, Problems, Source};
use super::set::{Patch, Set};
use super::tree::{Node, Value};
use super::yaml;

/// A parsed scenario: the document, with every value's place, and the values set from the command line.
#[derive(Clone, Debug)]
pub struct Scenario {
    source: Arc<Source>,
    /// Base ⊕ `--set`: the keys that belong to no variant are read from it.
    document: Node,
    sets: Vec<Patch>,
}

impl Scenario {
    /// Parses the `text` of `file_name`, and the values of `sets`. Finds syntax errors and duplicate keys.
    pub fn parse(file_name: &str, text: &str, sets: &[Set]) -> Result<Scenario, Problems> {
        let source = Arc::new(Source { name: file_name.to_owned(), text: text.to_owned() });
        let document = yaml::parse(&source, 0..text.len()).and_then(|node| match node.value {
            Value::Map(_) => Ok(node),
            _ => Err(vec![Problem::new(
                "a scenario is a map with keys such as `name` and `load`",
                &node.place,
            )]),
        });
        match (document, Set::patches(sets)) {
            (Ok(document), Ok(sets)) => {
                let problems: Vec<_> = sets.iter().filter_map(|set| set.problem(&document)).collect();
                if !problems.is_empty() {
                    return Err(Problems::new(problems));
                }
                let document = sets.iter().fold(document, |document, set| document.patched(set.node()));
                Ok(Scenario { source, document, sets })
            }
            (document, sets) => {
                let problems = [document.err(), sets.err()].into_iter().flatten().flatten();
                Err(Problems::new(problems.collect()))
            }
        }
    }

    /// The file's name.
    pub fn file_name(&self) -> &str {
        &self.source.name
    }

    /// The file's text, as it is saved beside the results.
    pub fn text(&self) -> &str {
        &self.source.text
    }

    pub(crate) fn document(&self) -> &Node {
        &self.document
    }

    /// The document that the `patch` of the variant called `name` makes of this one: base ⊕ variant ⊕ `--set`.
    pub(crate) fn variant(&self, name: &str, patch: &Node) -> Node {
        let variant = self.document.patched(patch);
        let sets = self.sets.iter().filter_map(|set| set.within(name, patch));
        sets.fold(variant, |variant, set| variant.patched(set))
    }
}
