//! YAML into the located tree. serde-saphyr parses and locates; what the language does without is refused here.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::granit_parser::ErrorKind;
use serde_saphyr::localizer::ExternalMessageSource;
use serde_saphyr::{
    DefaultMessageFormatter, DuplicateKeyPolicy, Error, Location, MergeKeyPolicy, MessageFormatter,
    NonFiniteFloatPolicy, Options, Spanned, Tagged,
};

use super::limits;
use super::problem::{Found, Place, Problem, Source};
use super::tree::{Key, Node, Value};
use crate::visible::first_unseen;

/// Parses the YAML at `bytes` of `source`. Stops where serde-saphyr does, which is at a syntax error, an anchor or
/// a limit; gathers everything else.
pub(crate) fn parse(source: &Arc<Source>, bytes: Range<usize>) -> Result<Node, Vec<Problem>> {
    let text = &source.text[bytes.clone()];
    let locator = Locator { source, start: bytes.start, text, found: Found::default() };
    if text.len() > limits::FILE {
        let message = format!("{} bytes are too many; the limit is {}", text.len(), limits::FILE);
        return Err(vec![Problem::new(message, &locator.start())]);
    }
    let written: YamlNode = serde_saphyr::from_str_with_options(text, options())
        .map_err(|error| vec![locator.problem_of(&error)])?;
    let is_nothing = matches!(written.value.0, Raw::Null);
    let node = locator.node(written);
    if is_nothing && node.place.text().is_empty() {
        return Err(vec![Problem::new("nothing is written here", &locator.start())]);
    }
    let problems = locator.found.take(0);
    if problems.is_empty() { Ok(node) } else { Err(problems) }
}

/// Strict, and bounded in every dimension. What a word means is for the reader of its key to say, so nothing that
/// YAML infers about it, such as an infinite number, is refused here.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: limits::DEPTH,
            flow_nesting_limit: limits::DEPTH,
            max_nodes: limits::NODES,
            // Directives could make short tags very long ones.
            max_total_scalar_bytes: limits::FILE,
            max_anchors: 0,
            max_aliases: 0,
        },
        strict_booleans: true,
        // Passed through to be refused here, all of them at once; serde-saphyr would stop at the first.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

/// A key or value as serde-saphyr gives it: where it was written, its tag, and itself.
type YamlNode = Spanned<Tagged<Raw>>;

/// What was written, without what it would mean to YAML.
enum Raw {
    Null,
    /// A word that YAML takes for a boolean or a number. Its text is the source's.
    Literal,
    Text(String),
    List(Vec<YamlNode>),
    Map(Vec<(YamlNode, YamlNode)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map, a list or a scalar")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

/// Gives what was written its place in the source, and refuses what the language doesn't have. Recursion is
/// bounded by the depth that was parsed.
struct Locator<'s> {
    source: &'s Arc<Source>,
    start: usize,
    text: &'s str,
    found: Found,
}

impl Locator<'_> {
    fn node(&self, written: YamlNode) -> Node {
        let place = self.place(written.referenced);
        let Tagged(raw, tag) = written.value;
        if tag.is_some() {
            self.found.add(tags_refused(&place));
        }
        let value = match raw {
            Raw::Null => Value::Null,
            Raw::Literal => Value::Scalar(place.text().to_owned()),
            Raw::Text(text) => {
                if let Some(unseen) = first_unseen(&text) {
                    self.found.add(unseen_refused(unseen, &place));
                }
                Value::Scalar(text)
            }
            Raw::List(items) => {
                self.refuse_more(items.len(), &place);
                Value::List(items.into_iter().map(|item| self.node(item)).collect())
            }
            Raw::Map(entries) => {
                self.refuse_more(entries.len(), &place);
                Value::Map(self.map(entries))
            }
        };
        Node { place, value }
    }

    fn map(&self, entries: Vec<(YamlNode, YamlNode)>) -> Vec<(Key, Node)> {
        let mut located = Vec::new();
        let mut seen = HashSet::new();
        for (key, value) in entries {
            let (key, value) = (self.key(key), self.node(value));
            let Some(key) = key else { continue };
            if seen.insert(key.text.clone()) {
                located.push((key, value));
            } else {
                let message = format!("`{}` is written twice in this map", key.text);
                self.found.add(Problem::new(message, &key.place));
            }
        }
        located
    }

    fn key(&self, written: YamlNode) -> Option<Key> {
        let Node { place, value } = self.node(written);
        let text = match value {
            Value::Scalar(text) => text,
            Value::Null if !place.text().is_empty() => place.text().to_owned(),
            Value::Null | Value::List(_) | Value::Map(_) => {
                self.found.add(Problem::new("a key must be a plain text", &place));
                return None;
            }
        };
        if text.len() > limits::KEY {
            let message = format!("a key has at most {} bytes", limits::KEY);
            self.found.add(Problem::new(message, &place));
            return None;
        }
        Some(Key { text, place })
    }

    fn refuse_more(&self, entries: usize, place: &Place) {
        if entries > limits::ENTRIES {
            self.found.add(too_many(limits::ENTRIES, "entries", place));
        }
    }

    /// What serde-saphyr stopped at, in the language's own words where it has some.
    fn problem_of(&self, error: &Error) -> Problem {
        let place = error.location().map_or_else(|| self.start(), |location| self.place(location));
        match error {
            Error::ExternalMessage { source, .. } if is_too_deep(source) => too_deep(&place),
            Error::Budget { breach, .. } => match breach {
                BudgetBreach::Depth { .. } => too_deep(&place),
                BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. } => aliases_refused(&place),
                BudgetBreach::ScalarBytes { .. } => too_many(limits::FILE, "bytes of text", &place),
                _ => too_many(limits::NODES, "keys and values", &place),
            },
            Error::UnknownAnchor { .. } => aliases_refused(&place),
            Error::MultipleDocuments { .. } => {
                Problem::new("a second document begins here", &place).help("one file is one scenario")
            }
            // Of a scalar that nothing is wanted of, only a tag can be wrong.
            Error::UnsupportedTag { .. }
            | Error::InvalidScalar { .. }
            | Error::InvalidBooleanStrict { .. }
            | Error::InvalidBinaryBase64 { .. }
            | Error::BinaryNotUtf8 { .. }
            | Error::TaggedScalarCannotDeserializeIntoString { .. } => tags_refused(&place),
            other => {
                let why = DefaultMessageFormatter.format_message(other);
                Problem::new(format!("this is not valid YAML: {why}"), &place)
                    .help("indent with spaces, and put texts with `[`, `]`, `{`, `}`, `#` or `: ` in quotes")
            }
        }
    }

    /// serde-saphyr tells the bytes of what it read, and the characters before what it could not read.
    fn place(&self, location: Location) -> Place {
        let span = location.span();
        let bytes = match (span.byte_offset(), span.byte_len()) {
            (Some(start), Some(length)) => start as usize..(start + length) as usize,
            _ => {
                let unread = self.text.char_indices().nth(span.offset() as usize);
                let at = unread.map_or(self.text.len(), |(at, _)| at);
                at..at
            }
        };
        Place::new(self.source, self.start + bytes.start..self.start + bytes.end)
    }

    fn start(&self) -> Place {
        Place::new(self.source, self.start..self.start)
    }
}

fn is_too_deep(source: &ExternalMessageSource) -> bool {
    matches!(source, ExternalMessageSource::Parser(error) if matches!(error.kind(), ErrorKind::RecursionLimitExceeded))
}

fn too_deep(place: &Place) -> Problem {
    Problem::new(format!("more than {} levels are too deep", limits::DEPTH), place)
}

fn too_many(limit: usize, what: &str, place: &Place) -> Problem {
    Problem::new(format!("more than {limit} {what} are too many"), place)
}

/// Variants say what repeats.
fn aliases_refused(place: &Place) -> Problem {
    Problem::new("scenarios have no anchors or aliases", place)
        .help("write the value out, or let variants say what differs")
}

/// In a report it could pass for something else, or drive the terminal.
fn unseen_refused(unseen: char, place: &Place) -> Problem {
    let message = format!("this text has a character that can't be seen: {}", unseen.escape_unicode());
    Problem::new(message, place)
        .help("take it out; of control characters, a text may have line ends and tabs")
}

/// A text says no type.
fn tags_refused(place: &Place) -> Problem {
    Problem::new("scenarios have no tags", place).help("the key decides what its value means")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Node, Vec<Problem>> {
        let name = "test".into();
        let text = text.into();
        let source = Arc::new(Source { name, text });
        parse(&source, 0..source.text.len())
    }

    /// What is under `k`.
    fn value(text: &str) -> Value {
        parsed(text).unwrap().get("k").unwrap().value.clone()
    }

    /// Where and what the problems of a text are.
    fn problems(text: &str) -> Vec<(usize, usize, String)> {
        let located = |problem: Problem| (problem.place.line(), problem.place.column(), problem.message);
        parsed(text).unwrap_err().into_iter().map(located).collect()
    }

    #[test]
    fn a_scalar_is_the_text_that_was_written_whatever_yaml_takes_it_for() {
        for word in
            "off yes true TRUE 250 007 1_000 0x1f -3 +1 1e3 .5 .nan -.inf 1e999 99999999999999999999999"
                .split(' ')
        {
            for text in
                [format!("k: {word}"), format!("{{ k: {word} , é: é }} # {word}"), format!("k: '{word}'")]
            {
                assert_eq!(value(&text), Value::Scalar(word.into()), "{text}");
            }
        }
    }

    #[test]
    fn a_key_is_a_text_that_was_written() {
        for word in ["true", "1", "null", "~", "<<"] {
            assert!(parsed(&format!("{word}: x")).unwrap().get(word).is_some(), "{word}");
        }
        for text in [": x", "? [a]\n: x", "{ a: b }: x"] {
            assert_eq!(problems(text)[0].2, "a key must be a plain text", "{text}");
        }
    }

    #[test]
    fn nothing_null_and_its_spellings_are_null() {
        for text in ["k:", "k: ~", "k: null", "k: Null", "k: NULL"] {
            assert_eq!(value(text), Value::Null, "{text}");
        }
        assert_eq!(value("k: ''"), Value::Scalar(String::new()));
    }

    #[test]
    fn every_duplicate_key_and_every_tag_is_told() {
        let found = problems("a: 1\na: !x 2\nb: { c: 1, c: 2, c: !!str 3 }\n");
        let places: Vec<_> = found.iter().map(|(line, column, _)| (*line, *column)).collect();
        assert_eq!(places, [(2, 7), (2, 1), (3, 12), (3, 27), (3, 18)]);
    }

    #[test]
    fn a_tag_is_refused_even_if_its_value_is_nothing_of_that_kind() {
        for text in ["k: !!int x", "k: !!bool x", "k: !!binary '%'", "k: !!map x", "k: !!set { a }"] {
            assert_eq!(problems(text)[0].2, "scenarios have no tags", "{text}");
        }
    }

    #[test]
    fn a_syntax_error_after_other_alphabets_is_located() {
        let (line, column, message) = problems("é: 'ü'\nü: { é: [ö").remove(0);
        assert_eq!((line, column), (2, 9));
        assert!(message.starts_with("this is not valid YAML: unclosed bracket"), "{message}");
    }

    #[test]
    fn what_is_too_much_is_refused() {
        for (text, limit) in [
            ("- ".repeat(limits::DEPTH + 1), "more than 16 levels are too deep"),
            ("[".repeat(1000), "more than 16 levels are too deep"),
            ("- a\n".repeat(limits::NODES), "more than 16384 keys and values are too many"),
            ("- a\n".repeat(limits::ENTRIES + 1), "more than 256 entries are too many"),
            (
                format!("%TAG ! tag:{}\n---\n{}", "x".repeat(900), "- !a b\n".repeat(300)),
                "more than 262144 bytes of text are too many",
            ),
        ] {
            assert_eq!(problems(&text)[0].2, limit);
        }
    }
}
