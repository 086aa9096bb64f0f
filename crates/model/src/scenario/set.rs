//! `--set load.rate=800/s`: one value of the document, changed for every variant.

use std::str::FromStr;
use std::sync::Arc;

use super::problem::{COMMAND_LINE, Place, Problem, Source};
use super::suggest::suggestion;
use super::tree::{Key, Node, Value};
use super::yaml;

/// The flag, as problems show it before what was set.
const FLAG: &str = "--set ";

/// A value that replaces one of the document's, in every variant, after the variant's own patch; below
/// `variants.NAME`, in that variant alone. A variant that removed what the value belongs to stays without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The keys that lead to it, from the outermost.
    pub path: Vec<String>,
    /// The value, as a fragment of YAML; `null` removes the key.
    pub value: String,
}

/// A text that isn't `key.key=value`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a key and its value, such as `load.rate=800/s`, found `{0}`")]
pub struct SetError(String);

impl FromStr for Set {
    type Err = SetError;
    fn from_str(text: &str) -> Result<Set, SetError> {
        let (path, value) = text.split_once('=').ok_or_else(|| SetError(text.to_owned()))?;
        let path: Vec<String> = path.split('.').map(|key| key.trim().to_owned()).collect();
        if path.iter().any(String::is_empty) || path.len() > super::limits::DEPTH {
            return Err(SetError(text.to_owned()));
        }
        Ok(Set { path, value: value.to_owned() })
    }
}

impl Set {
    /// The merge patches of `sets`, or everything that is wrong with their values.
    pub(crate) fn patches(sets: &[Set]) -> Result<Vec<Patch>, Vec<Problem>> {
        let (mut patches, mut problems) = (Vec::new(), Vec::new());
        for set in sets {
            match set.patch() {
                Ok(node) => patches.push(Patch { depth: set.path.len(), node }),
                Err(more) => problems.extend(more),
            }
        }
        if problems.is_empty() { Ok(patches) } else { Err(problems) }
    }

    /// The merge patch that it stands for, located in its own text.
    fn patch(&self) -> Result<Node, Vec<Problem>> {
        let text = format!("{FLAG}{}={}", self.path.join("."), self.value);
        let source = Arc::new(Source { name: COMMAND_LINE.into(), text });
        let end = source.text.len();
        let mut node = yaml::parse(&source, end - self.value.len()..end)?;
        let mut key_end = end - self.value.len() - "=".len();
        for key in self.path.iter().rev() {
            let place = Place::new(&source, key_end - key.len()..key_end);
            // The separator before the first key is the flag's space, which is never asked for.
            key_end -= key.len() + ".".len();
            let entry = (Key { text: key.clone(), place: place.clone() }, node);
            node = Node { place, value: Value::Map(vec![entry]) };
        }
        Ok(node)
    }
}

/// The key of a document below which its variants stand.
const VARIANTS: &str = "variants";

/// A [`Set`] as a merge patch of the document.
#[derive(Clone, Debug)]
pub(crate) struct Patch {
    /// How many keys lead to the value.
    depth: usize,
    node: Node,
}

impl Patch {
    /// As a patch of the whole document.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// What is wrong with it, given the document: only variants that are there can be changed.
    pub(crate) fn problem(&self, document: &Node) -> Option<Problem> {
        let entry = match &self.node.get(VARIANTS)?.value {
            Value::Map(entries) if self.depth > 1 => entries.first(),
            _ => None,
        };
        let Some((key, value)) = entry else {
            let problem = Problem::new("`variants` can't be set as a whole", &self.node.place);
            return Some(problem.help("name the variant, as in `--set variants.NAME.load.rate=800/s`"));
        };
        let Some(Value::Map(variants)) = document.get(VARIANTS).map(|variants| &variants.value) else {
            let problem = Problem::new("the scenario has no variants", &key.place);
            return Some(problem.help("leave out `variants` and the name"));
        };
        let names: Vec<&str> = variants.iter().map(|(known, _)| known.text.as_str()).collect();
        if !names.contains(&key.text.as_str()) {
            let problem = Problem::new(format!("there is no variant `{}`", key.text), &key.place);
            return Some(problem.help(suggestion(&key.text, names)));
        }
        let is_patch = self.depth > 2 || matches!(value.value, Value::Map(_));
        (!is_patch).then(|| {
            let problem =
                Problem::new(format!("the variant `{}` can't be replaced or removed", key.text), &key.place);
            problem.help("choose what is run by `--variant`")
        })
    }

    /// What it changes in the variant called `name`, whose own patch is `patch`; `None`: nothing.
    pub(crate) fn within(&self, name: &str, patch: &Node) -> Option<&Node> {
        match self.node.get(VARIANTS) {
            Some(variants) => variants.get(name),
            None => (!is_removed(patch, &self.node, self.depth)).then_some(&self.node),
        }
    }
}

/// Whether `patch` removes something on the way to the value that `set` leads to, `keys` below here.
fn is_removed(patch: &Node, set: &Node, keys: usize) -> bool {
    let Value::Map(entries) = &set.value else { return false };
    let Some((key, below)) = entries.first().filter(|_| keys > 1) else { return false };
    patch.get(&key.text).is_some_and(|patched| match patched.value {
        Value::Null => true,
        _ => is_removed(patched, below, keys - 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_a_patch_that_knows_its_own_text() {
        let set: Set = "load.rate=800/s".parse().unwrap();
        let patch = set.patch().unwrap();
        let rate = patch.get("load").and_then(|load| load.get("rate")).unwrap();
        assert_eq!(rate.value, Value::Scalar("800/s".into()));
        assert_eq!(rate.place.text(), "800/s");
        assert_eq!(patch.place.text(), "load");
    }

    #[test]
    fn a_set_without_key_or_value_is_refused() {
        for text in ["load.rate", "=5", "load..rate=5", ""] {
            assert_eq!(text.parse::<Set>().unwrap_err(), SetError(text.to_owned()));
        }
    }
}
