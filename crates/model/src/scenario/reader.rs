//! Typed reading of the located tree. A value that can't be read is recorded as a problem, and its reader gets a
//! harmless value to go on with, so that one pass finds everything.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::limits;
use super::problem::{Found, Place, Problem};
use super::suggest::{listed, nearest, suggestion};
use super::tree::{Key, Node, Value};
use crate::units::QuantityError;

/// What messages call the outermost map, which has no key.
const DOCUMENT: &str = "the scenario";

/// A value under its name: a key of a map, or the list that it is an item of.
#[derive(Clone, Copy)]
pub(crate) struct Item<'d> {
    pub(crate) name: &'d str,
    key: &'d Place,
    pub(crate) node: &'d Node,
    pub(crate) found: &'d Found,
}

impl<'d> Item<'d> {
    /// The whole document.
    pub(crate) fn document(node: &'d Node, found: &'d Found) -> Item<'d> {
        Item { name: DOCUMENT, key: &node.place, node, found }
    }

    /// Where to point: at a scalar itself, else at the key, as a map may be many lines long.
    pub(crate) fn place(&self) -> &'d Place {
        match self.node.value {
            Value::Scalar(_) => &self.node.place,
            _ => self.key,
        }
    }

    /// Where the name is written.
    pub(crate) fn key(&self) -> &'d Place {
        self.key
    }

    pub(crate) fn wrong(&self, message: impl Into<String>) -> Problem {
        Problem::new(message, self.place())
    }

    /// Records a problem; `None` is what the reader then has.
    pub(crate) fn refuse<T>(&self, problem: Problem) -> Option<T> {
        self.found.add(problem);
        None
    }

    fn unlike<T>(&self, wanted: &str) -> Option<T> {
        let found = match &self.node.value {
            Value::Null => "nothing".to_owned(),
            Value::Scalar(text) => format!("`{text}`"),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        };
        self.refuse(self.wrong(format!("`{}`: expected {wanted}, found {found}", self.name)))
    }

    fn unlike_a_map<T>(&self) -> Option<T> {
        match self.node.value {
            Value::Null => {
                let problem = self.wrong(format!("`{}`: expected a map, found nothing", self.name));
                self.refuse(problem.help("write `{}` for a map without entries"))
            }
            _ => self.unlike("a map"),
        }
    }

    /// The scalar, if it is one; records nothing.
    pub(crate) fn scalar(&self) -> Option<&'d str> {
        match &self.node.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// Whether a number stands here, with a unit or without; records nothing.
    pub(crate) fn is_number(&self) -> bool {
        self.scalar().is_some_and(|text| text.starts_with(|c: char| c.is_ascii_digit()))
    }

    /// Whether a map stands here; records nothing.
    pub(crate) fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// The first item of the list that stands here; records nothing.
    pub(crate) fn first(&self) -> Option<Item<'d>> {
        match &self.node.value {
            Value::List(nodes) => nodes.first().map(|node| Item { key: &self.node.place, node, ..*self }),
            _ => None,
        }
    }

    /// The keys of the map that stands here; records nothing.
    pub(crate) fn keys(&self) -> Vec<String> {
        match &self.node.value {
            Value::Map(entries) => entries.iter().map(|(key, _)| key.text.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// The value under `key` of the map that stands here; records nothing.
    pub(crate) fn below(&self, key: &str) -> Option<Item<'d>> {
        let Value::Map(entries) = &self.node.value else { return None };
        let (key, node) = entries.iter().find(|(known, _)| known.text == key)?;
        Some(Item { name: &key.text, key: &key.place, node, found: self.found })
    }

    /// Whether a map without entries stands here; records nothing.
    pub(crate) fn is_empty_map(&self) -> bool {
        matches!(&self.node.value, Value::Map(entries) if entries.is_empty())
    }

    /// Whether a list stands here; records nothing.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// A text of bounded length.
    pub(crate) fn text(&self, wanted: &str) -> Option<&'d str> {
        self.written(wanted)
    }

    /// What stands there, as it is written.
    fn written(&self, wanted: &str) -> Option<&'d str> {
        match self.scalar() {
            Some(text) if text.len() <= limits::TEXT => Some(text),
            Some(_) => {
                self.refuse(self.wrong(format!("`{}` is longer than {} bytes", self.name, limits::TEXT)))
            }
            None => self.unlike(wanted),
        }
    }

    /// A name: `[a-z0-9-]+`.
    pub(crate) fn own_name(&self) -> Option<String> {
        let text = self.text("a name")?;
        check_name(text, self.place(), self.found);
        Some(text.to_owned())
    }

    /// A quantity with its unit.
    pub(crate) fn quantity<T>(&self, limits: &RangeInclusive<T>) -> Option<T>
    where
        T: FromStr<Err = QuantityError> + PartialOrd + Display,
    {
        let text = self.written("a quantity with its unit")?;
        match text.parse() {
            Ok(quantity) => self.limited(quantity, limits),
            Err(error) => self.refuse(self.wrong(format!("`{}`: {error}", self.name))),
        }
    }

    /// A whole number.
    pub(crate) fn whole(&self, limits: &RangeInclusive<u64>) -> Option<u64> {
        match self.written("a whole number")?.parse() {
            Ok(number) => self.limited(number, limits),
            Err(_) => self.unlike("a whole number"),
        }
    }

    fn limited<T: PartialOrd + Display>(&self, value: T, limits: &RangeInclusive<T>) -> Option<T> {
        if limits.contains(&value) {
            return Some(value);
        }
        let (least, most) = (limits.start(), limits.end());
        self.refuse(self.wrong(format!("`{}` must be from {least} to {most}, found {value}", self.name)))
    }

    /// One of a few words.
    pub(crate) fn word<T: Clone>(&self, words: &[(&'static str, T)]) -> Option<T> {
        self.word_wanted(words, &format!("one of {}", listed(words.iter().map(|(word, _)| *word))))
    }

    /// One of a few words, where something else could stand as well.
    pub(crate) fn word_or<T: Clone>(&self, words: &[(&'static str, T)], otherwise: &str) -> Option<T> {
        self.word_wanted(words, &format!("{} or {otherwise}", listed(words.iter().map(|(word, _)| *word))))
    }

    fn word_wanted<T: Clone>(&self, words: &[(&'static str, T)], wanted: &str) -> Option<T> {
        let text = self.written(wanted)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(value.clone());
        }
        let problem = self.wrong(format!("`{}`: expected {wanted}, found `{text}`", self.name));
        self.refuse(match nearest(text, words.iter().map(|(word, _)| *word)) {
            Some(word) => problem.help(format!("did you mean `{word}`?")),
            None => problem,
        })
    }

    /// The name of something that exists. An unknown one is recorded, and returned to go on with. Where nothing
    /// exists at all, that is the problem, and it has been recorded.
    pub(crate) fn known_name(&self, what: &str, names: &[String]) -> Option<String> {
        let text = self.text(&format!("the name of a {what}"))?;
        if !names.is_empty() && !names.iter().any(|name| name == text) {
            let problem = self.wrong(format!("there is no {what} `{text}`"));
            self.found.add(problem.help(suggestion(text, names.iter().map(String::as_str))));
        }
        Some(text.to_owned())
    }

    /// The items of a list; each goes by the list's name.
    pub(crate) fn list(&self, most: usize) -> Option<Vec<Item<'d>>> {
        let Value::List(nodes) = &self.node.value else {
            return self.unlike("a list");
        };
        self.refuse_more(nodes.len(), most);
        let item = |node| Item { key: &self.node.place, node, ..*self };
        Some(nodes.iter().take(most).map(item).collect())
    }

    /// The items of a map by name. Names are checked where they name things of rig.
    pub(crate) fn named(&self, most: usize) -> Option<Vec<Item<'d>>> {
        let items = self.entries(most)?;
        for item in &items {
            check_name(item.name, item.key, self.found);
        }
        Some(items)
    }

    /// The items of a map whose keys are free texts.
    pub(crate) fn entries(&self, most: usize) -> Option<Vec<Item<'d>>> {
        let Value::Map(entries) = &self.node.value else {
            return self.unlike_a_map();
        };
        self.refuse_more(entries.len(), most);
        let item =
            |(key, node): &'d (Key, Node)| Item { name: &key.text, key: &key.place, node, found: self.found };
        Some(entries.iter().take(most).map(item).collect())
    }

    fn refuse_more(&self, entries: usize, most: usize) {
        if entries > most {
            let message = format!("`{}` has {entries} entries; at most {most} are allowed", self.name);
            self.found.add(self.wrong(message));
        }
    }

    /// The fields of a map with known keys.
    pub(crate) fn fields(&self) -> Option<Fields<'d>> {
        match &self.node.value {
            Value::Map(entries) => Some(Fields { item: *self, entries, known: Vec::new() }),
            _ => self.unlike_a_map(),
        }
    }
}

/// The item that is written last: where two contradict each other, it is the variant's or `--set`'s.
pub(crate) fn written_last<'d>(items: impl IntoIterator<Item = Item<'d>>) -> Option<Item<'d>> {
    items.into_iter().max_by_key(|item| item.key.order())
}

fn check_name(name: &str, place: &Place, found: &Found) {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > limits::NAME || !name.chars().all(fits) {
        let problem = Problem::new(format!("`{name}` cannot be a name"), place);
        let help = format!("a name has lower-case letters, digits and hyphens, up to {}", limits::NAME);
        found.add(problem.help(help));
    }
}

/// The fields of a map. A key becomes known by being asked for; [`finish`](Fields::finish) refuses the others.
#[must_use]
pub(crate) struct Fields<'d> {
    pub(crate) item: Item<'d>,
    entries: &'d [(Key, Node)],
    known: Vec<&'static str>,
}

impl<'d> Fields<'d> {
    /// The value under `key`, if it is there.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<Item<'d>> {
        self.known.push(key);
        self.item.below(key)
    }

    /// The value under `key`; a problem if it is missing.
    pub(crate) fn demand(&mut self, key: &'static str) -> Option<Item<'d>> {
        let item = self.get(key);
        if item.is_none() {
            self.item
                .found
                .add(Problem::new(format!("`{key}` is missing in {}", self.described()), self.item.key));
        }
        item
    }

    fn described(&self) -> String {
        match self.item.name {
            DOCUMENT => DOCUMENT.to_owned(),
            name => format!("`{name}`"),
        }
    }

    /// Refuses every key that nobody asked for.
    pub(crate) fn finish(self) {
        for (key, _) in self.entries.iter().filter(|(key, _)| !self.known.contains(&key.text.as_str())) {
            let problem =
                Problem::new(format!("unknown key `{}` in {}", key.text, self.described()), &key.place);
            self.item.found.add(problem.help(suggestion(&key.text, self.known.iter().copied())));
        }
    }
}
