//! The located tree: YAML in which every key and value knows where it was written, and merge patches over it.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::limits;
use super::problem::{Place, Problem, Source};

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// Scalars stay texts: what they mean is for the reader of the key to say, so `drain: off` is no boolean.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`. In a patch it removes the key.
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key with its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) place: Place,
}

impl Node {
    /// The value under `key`, if this is a map that has it.
    #[cfg(test)]
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(k, _)| k.text == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// This document with `patch` merged over it, as RFC 7386 says: maps merge key by key, null removes a key,
    /// anything else replaces. Every surviving value keeps the place where it was written.
    pub(crate) fn patched(&self, patch: &Node) -> Node {
        let Value::Map(changes) = &patch.value else {
            return patch.clone();
        };
        let (place, mut entries) = match &self.value {
            Value::Map(entries) => (self.place.clone(), entries.clone()),
            _ => (patch.place.clone(), Vec::new()),
        };
        for (key, change) in changes {
            let old = entries.iter().position(|(k, _)| k.text == key.text);
            match (old, &change.value) {
                (Some(at), Value::Null) => drop(entries.remove(at)),
                (None, Value::Null) => {}
                (Some(at), Value::Map(_)) if matches!(entries[at].1.value, Value::Map(_)) => {
                    entries[at].1 = entries[at].1.patched(change);
                }
                (Some(at), _) => entries[at] = (key.clone(), change.without_nulls()),
                (None, _) => entries.push((key.clone(), change.without_nulls())),
            }
        }
        Node {
            place,
            value: Value::Map(entries),
        }
    }

    /// What a patch adds where nothing stood before: itself, less the keys that it would have removed.
    fn without_nulls(&self) -> Node {
        let nothing = Node {
            place: self.place.clone(),
            value: Value::Null,
        };
        nothing.patched(self)
    }
}

/// Parses the YAML at `bytes` of `source`. Stops at a syntax error; gathers duplicate keys.
pub(crate) fn parse(source: &Arc<Source>, bytes: Range<usize>) -> Result<Node, Vec<Problem>> {
    let text = &source.text[bytes.clone()];
    if text.len() > limits::FILE {
        let message = format!("{} bytes are too many; the limit is {}", text.len(), limits::FILE);
        return Err(vec![Problem::new(
            message,
            &Place::new(source, bytes.start..bytes.start),
        )]);
    }
    let options = granit_parser::options! {
        flow_nesting_limit: limits::DEPTH,
        block_nesting_limit: limits::DEPTH,
        emit_unresolved_aliases: true,
        disallow_directives: true,
        emit_comments: false,
    };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder {
        source,
        start: bytes.start,
        length: text.len(),
        parser,
        problems: Vec::new(),
    };
    match builder.document() {
        Ok(node) if builder.problems.is_empty() => Ok(node),
        Ok(_) => Err(builder.problems),
        Err(problem) => {
            builder.problems.push(*problem);
            Err(builder.problems)
        }
    }
}

/// Builds the tree from the parser's events. Recursion is bounded by the parser's nesting limits.
struct Builder<'s> {
    source: &'s Arc<Source>,
    start: usize,
    length: usize,
    parser: Parser<'s, StrInput<'s>>,
    problems: Vec<Problem>,
}

/// Boxed because a problem is much larger than the values it travels beside.
type Fatal = Box<Problem>;

impl<'s> Builder<'s> {
    fn document(&mut self) -> Result<Node, Fatal> {
        let root = loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(..), _) => {}
                (Event::StreamEnd, _) => break None,
                (event, place) => break Some(self.node(event, place)?),
            }
        };
        let Some(root) = root else {
            return Err(Box::new(Problem::new(
                "nothing is written here",
                &self.place_at(0),
            )));
        };
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::DocumentStart(..), place) => {
                    return Err(Box::new(
                        Problem::new("a second document begins here", &place)
                            .help("one file is one scenario"),
                    ));
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'s>, place: Place) -> Result<Node, Fatal> {
        refuse_decoration(&event, &place)?;
        let value = match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if matches!(&*text, "" | "~" | "null") => Value::Null,
            Event::Scalar(text, ..) => Value::Scalar(text.into_owned()),
            Event::SequenceStart(..) => Value::List(self.list(&place)?),
            Event::MappingStart(..) => Value::Map(self.map(&place)?),
            other => {
                return Err(Box::new(Problem::new(
                    format!("unexpected here: {other:?}"),
                    &place,
                )));
            }
        };
        Ok(Node { place, value })
    }

    fn list(&mut self, place: &Place) -> Result<Vec<Node>, Fatal> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, at) => items.push(self.node(event, at)?),
            }
            refuse_more_than(limits::ENTRIES, items.len(), place)?;
        }
    }

    fn map(&mut self, place: &Place) -> Result<Vec<(Key, Node)>, Fatal> {
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(entries);
            }
            refuse_decoration(&event, &at)?;
            let Event::Scalar(text, ..) = event else {
                return Err(Box::new(Problem::new("a key must be a plain text", &at)));
            };
            if text.len() > limits::TEXT {
                let message = format!("a key has at most {} bytes", limits::TEXT);
                return Err(Box::new(Problem::new(message, &at)));
            }
            let key = Key {
                text: text.into_owned(),
                place: at,
            };
            let (event, at) = self.next()?;
            let value = self.node(event, at)?;
            if seen.insert(key.text.clone()) {
                entries.push((key, value));
            } else {
                let message = format!("`{}` is written twice in this map", key.text);
                self.problems.push(Problem::new(message, &key.place));
            }
            refuse_more_than(limits::ENTRIES, entries.len() + self.problems.len(), place)?;
        }
    }

    fn next(&mut self) -> Result<(Event<'s>, Place), Fatal> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, self.place(span))),
            Some(Err(error)) => Err(Box::new(self.syntax_error(&error))),
            None => Ok((Event::StreamEnd, self.place_at(self.length))),
        }
    }

    fn syntax_error(&self, error: &ScanError) -> Problem {
        let place = self.place_at(error.marker().byte_offset().unwrap_or(0));
        if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
            return Problem::new(format!("more than {} levels are too deep", limits::DEPTH), &place);
        }
        let problem = Problem::new(format!("this is not valid YAML: {}", error.info()), &place);
        problem.help("indent with spaces, and put texts with `[`, `]`, `{`, `}`, `#` or `: ` in quotes")
    }

    fn place(&self, span: Span) -> Place {
        let bytes = span.byte_range().unwrap_or(0..0);
        Place::new(self.source, self.start + bytes.start..self.start + bytes.end)
    }

    fn place_at(&self, byte: usize) -> Place {
        let at = self.start + byte.min(self.length);
        Place::new(self.source, at..at)
    }
}

/// Anchors, aliases and tags: variants say what repeats, and a text says no type. Without aliases, a tree is
/// never larger than its file.
fn refuse_decoration(event: &Event<'_>, place: &Place) -> Result<(), Fatal> {
    let alias = event.is_alias() || matches!(event, Event::UnresolvedAlias(_));
    let (message, help) = if alias || event.anchor_id().is_some() {
        (
            "scenarios have no anchors or aliases",
            "write the value out, or let variants say what differs",
        )
    } else if event.tag().is_some() {
        ("scenarios have no tags", "the key decides what its value means")
    } else {
        return Ok(());
    };
    Err(Box::new(Problem::new(message, place).help(help)))
}

fn refuse_more_than(limit: usize, entries: usize, place: &Place) -> Result<(), Fatal> {
    if entries <= limit {
        return Ok(());
    }
    Err(Box::new(Problem::new(
        format!("more than {limit} entries are too many"),
        place,
    )))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree(text: &str) -> Node {
        let source = Arc::new(Source {
            name: "test".into(),
            text: text.into(),
        });
        parse(&source, 0..text.len()).unwrap()
    }

    /// The tree without its places.
    fn plain(node: &Node) -> String {
        match &node.value {
            Value::Null => "null".into(),
            Value::Scalar(text) => format!("{text:?}"),
            Value::List(items) => format!("{:?}", items.iter().map(plain).collect::<Vec<_>>()),
            Value::Map(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(k, v)| format!("{:?}: {}", k.text, plain(v)))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    fn documents() -> impl Strategy<Value = String> {
        let leaf = prop_oneof!["[a-c]{1,3}", Just("null".to_owned()), Just("[x, y]".to_owned())];
        let maps = leaf.prop_recursive(3, 24, 4, |inner| {
            prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| {
                let entries: Vec<_> = map.into_iter().map(|(k, v)| format!("{k}: {v}")).collect();
                format!("{{ {} }}", entries.join(", "))
            })
        });
        maps.prop_map(|inner| format!("{{ a: {inner}, b: 1 }}"))
    }

    #[test]
    fn a_patch_merges_maps_replaces_the_rest_and_removes_by_null() {
        // The examples of RFC 7386, appendix A, as far as the language has their values.
        for (original, patch, result) in [
            ("{a: b}", "{a: c}", r#"{"a": "c"}"#),
            ("{a: b}", "{b: c}", r#"{"a": "b", "b": "c"}"#),
            ("{a: b}", "{a: null}", "{}"),
            ("{a: b, b: c}", "{a: null}", r#"{"b": "c"}"#),
            ("{a: [b]}", "{a: c}", r#"{"a": "c"}"#),
            ("{a: c}", "{a: [b]}", r#"{"a": ["\"b\""]}"#),
            ("{a: {b: c}}", "{a: {b: d, c: null}}", r#"{"a": {"b": "d"}}"#),
            ("{e: null}", "{a: 1}", r#"{"e": null, "a": "1"}"#),
            ("[1, 2]", "{a: b, c: null}", r#"{"a": "b"}"#),
            ("{}", "{a: {bb: {ccc: null}}}", r#"{"a": {"bb": {}}}"#),
        ] {
            assert_eq!(
                plain(&tree(original).patched(&tree(patch))),
                result,
                "{original} ⊕ {patch}"
            );
        }
    }

    #[test]
    fn a_patched_value_knows_where_it_was_written() {
        let base = tree("{load: {rate: 1, for: 2}}");
        let merged = base.patched(&tree("\n\n{load: {rate: 3}}"));
        let load = merged.get("load").unwrap();
        assert_eq!(load.get("rate").unwrap().place.line(), 3);
        assert_eq!(load.get("for").unwrap().place.line(), 1);
    }

    proptest! {
        #[test]
        fn an_empty_patch_changes_nothing(document in documents()) {
            let document = tree(&document);
            prop_assert_eq!(document.patched(&tree("{}")), document);
        }

        #[test]
        fn patching_twice_is_patching_once(document in documents(), patch in documents()) {
            let patch = tree(&patch);
            let once = tree(&document).patched(&patch);
            prop_assert_eq!(once.patched(&patch), once);
        }
    }
}
