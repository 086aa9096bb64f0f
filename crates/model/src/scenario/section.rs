//! A map whose keys are the language's. Each key is declared once, with everything that there is to say of it; readers,
//! schema, reference page and `--explain` walk the same declarations.

use std::rc::Rc;

use super::form::{Form, Is};
use super::reader::Item;
use super::shape::{Described, Outline, Shape, Unless};
use super::written::Written;

/// The keys of a map that says an `N`.
pub(crate) struct Section<'s, N> {
    title: &'static str,
    about: &'static str,
    /// What holds where no key says anything: the defaults, and something harmless for what must be said.
    start: N,
    keys: Vec<KeyReader<'s, N>>,
    one_of: Vec<Vec<&'static str>>,
    on_a_line: bool,
    /// The keys that a plan is explained with first.
    explained_first: Vec<&'static str>,
}

struct KeyReader<'s, N> {
    name: &'static str,
    about: &'static str,
    /// What holds without it; `None`: what the section starts from.
    unless_said: Option<Unless>,
    /// Whether its form follows from what other keys say: it is then read after them.
    follows: bool,
    /// Whether it is read and explained elsewhere.
    elsewhere: bool,
    /// What may stand there, and makes of a noun the one that it says.
    form: PlaceForm<'s, N>,
    /// What a plan is explained with, given how the value is written.
    explain: Explain<'s, N>,
}

type PlaceForm<'s, N> = Box<dyn Fn(&N) -> Form<'s, N> + 's>;
type Explain<'s, N> = Box<dyn Fn(&N, Written) -> Written + 's>;

/// The noun with what a form of a part of it reads.
fn put<'s, N: Clone + 's, T: 's>(
    noun: &N,
    form: Form<'s, T>,
    get: impl Fn(&N) -> Option<T> + 's,
    put: impl Fn(&mut N, T) + 's,
) -> Form<'s, N> {
    let noun = noun.clone();
    let changed = move |_: Item<'_>, value| {
        let mut noun = noun.clone();
        put(&mut noun, value);
        Some(noun)
    };
    form.then(changed, get)
}

/// A section, and its next key, of which it has not been said yet what it is.
#[must_use]
pub(crate) struct Undescribed<'s, N>(Section<'s, N>, KeyReader<'s, N>);

impl<'s, N> Undescribed<'s, N> {
    /// Says what the key is.
    pub(crate) fn about(self, about: &'static str) -> Section<'s, N> {
        let Undescribed(mut section, key) = self;
        section.keys.push(KeyReader { about, ..key });
        section
    }
}

/// What was read of a map.
pub(crate) struct Read<'d, N> {
    pub(crate) item: Item<'d>,
    pub(crate) value: N,
    given: Vec<(&'static str, Item<'d>, bool)>,
}

impl<'d, N> Read<'d, N> {
    /// What stands under `key`.
    pub(crate) fn given(&self, key: &str) -> Option<Item<'d>> {
        self.given.iter().find(|(name, ..)| *name == key).map(|(_, item, _)| *item)
    }

    /// Whether `key` is there and could be read.
    pub(crate) fn knows(&self, key: &str) -> bool {
        self.given.iter().any(|(name, _, known)| *name == key && *known)
    }

    /// Those of `keys` that are there, in the order of their declarations.
    pub(crate) fn given_of(&self, keys: &[&str]) -> Vec<Item<'d>> {
        self.given.iter().filter(|(name, ..)| keys.contains(name)).map(|(_, item, _)| *item).collect()
    }
}

impl<'s, N: Clone + 's> Section<'s, N> {
    pub(crate) fn new(title: &'static str, about: &'static str, start: N) -> Section<'s, N> {
        let (keys, one_of) = (Vec::new(), Vec::new());
        Section { title, about, start, keys, one_of, on_a_line: false, explained_first: Vec::new() }
    }

    /// Keys that other sections include.
    pub(crate) fn loose(start: N) -> Section<'s, N> {
        Section::new("", "", start)
    }

    /// The keys' names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }

    fn declare(
        self,
        name: &'static str,
        follows: bool,
        form: impl Fn(&N) -> Form<'s, N> + 's,
    ) -> Undescribed<'s, N> {
        let (form, explain) = (Box::new(form), Box::new(|_: &N, written| written));
        Undescribed(
            self,
            KeyReader { name, about: "", unless_said: None, follows, elsewhere: false, form, explain },
        )
    }

    /// Declares a key whose value stands `at` a place of the noun. The default is what the section starts from.
    pub(crate) fn key<T: Clone + 's>(
        self,
        name: &'static str,
        form: Form<'s, T>,
        at: impl Fn(&mut N) -> &mut T + Copy + 's,
    ) -> Undescribed<'s, N> {
        let get = move |noun: &N| Some(at(&mut noun.clone()).clone());
        self.part(name, form, get, move |noun, value| *at(noun) = value)
    }

    /// Declares a key that may be left out: there is then none of it.
    pub(crate) fn maybe<T: Clone + 's>(
        self,
        name: &'static str,
        form: Form<'s, T>,
        at: impl Fn(&mut N) -> &mut Option<T> + Copy + 's,
    ) -> Undescribed<'s, N> {
        let mut declared = self.key(name, form.some(), at);
        declared.1.unless_said = Some(Unless::Nothing);
        declared
    }

    /// Declares a key whose value is a part of the noun that is had and put by functions.
    pub(crate) fn part<T: 's>(
        self,
        name: &'static str,
        form: Form<'s, T>,
        get: impl Fn(&N) -> Option<T> + Copy + 's,
        set: impl Fn(&mut N, T) + Copy + 's,
    ) -> Undescribed<'s, N> {
        self.declare(name, false, move |noun| put(noun, form.clone(), get, set))
    }

    /// Declares a key whose form follows from what other keys say: from those above, and from all that don't follow.
    pub(crate) fn following<T: Clone + 's>(
        self,
        name: &'static str,
        form: impl Fn(&N) -> Form<'s, T> + 's,
        at: impl Fn(&mut N) -> &mut T + Copy + 's,
    ) -> Undescribed<'s, N> {
        let get = move |noun: &N| Some(at(&mut noun.clone()).clone());
        self.declare(name, true, move |noun| put(noun, form(noun), get, move |noun, value| *at(noun) = value))
    }

    /// Takes in the keys of another section, whose noun stands `at` a place of this one's.
    pub(crate) fn include<M: Clone + 's>(
        mut self,
        other: Section<'s, M>,
        at: impl Fn(&mut N) -> &mut M + Copy + 's,
    ) -> Section<'s, N> {
        let part = move |noun: &N| at(&mut noun.clone()).clone();
        let set = move |noun: &mut N, value| *at(noun) = value;
        for KeyReader { name, about, unless_said, follows, elsewhere, form, explain } in other.keys {
            let form = move |noun: &N| put(noun, form(&part(noun)), move |noun| Some(part(noun)), set);
            let explain = move |noun: &N, written| explain(&part(noun), written);
            let (form, explain) = (Box::new(form), Box::new(explain));
            self.keys.push(KeyReader { name, about, unless_said, follows, elsewhere, form, explain });
        }
        self
    }

    /// Of `keys`, exactly one must be there: whoever reads the section says so.
    pub(crate) fn one_of(mut self, keys: &[&'static str]) -> Section<'s, N> {
        self.one_of.push(keys.to_vec());
        self
    }

    fn change(mut self, change: impl FnOnce(&mut KeyReader<'s, N>)) -> Section<'s, N> {
        if let Some(key) = self.keys.last_mut() {
            change(key);
        }
        self
    }

    fn unless_said(self, unless: Unless) -> Section<'s, N> {
        self.change(|key| key.unless_said = Some(unless))
    }

    /// The key declared last must be there.
    pub(crate) fn required(self) -> Section<'s, N> {
        self.unless_said(Unless::Required)
    }

    /// The key declared last may be left out, and its start value means that there is none of it.
    pub(crate) fn optional(self) -> Section<'s, N> {
        self.unless_said(Unless::Nothing)
    }

    /// What the key declared last is unless it is said, in words.
    pub(crate) fn unless(self, words: &'static str) -> Section<'s, N> {
        self.unless_said(Unless::Told(words))
    }

    /// The default of the key declared last, as people write it.
    pub(crate) fn default_is(self, text: &str) -> Section<'s, N> {
        self.unless_said(Unless::Value(text.to_owned()))
    }

    /// The key declared last is explained only where `shown` says so.
    pub(crate) fn explained_if(self, shown: impl Fn(&N) -> bool + 's) -> Section<'s, N> {
        self.explained(move |noun, written| if shown(noun) { written } else { Written::Nothing })
    }

    /// How the key declared last is explained, given how it would be written.
    pub(crate) fn explained(self, explain: impl Fn(&N, Written) -> Written + 's) -> Section<'s, N> {
        self.change(|key| key.explain = Box::new(explain))
    }

    /// No key declared so far is explained: what they say is a part of something else.
    pub(crate) fn unexplained(mut self) -> Section<'s, N> {
        self.keys.iter_mut().for_each(|key| key.explain = Box::new(|_, _| Written::Nothing));
        self
    }

    /// The keys declared so far are read and explained elsewhere.
    pub(crate) fn elsewhere(mut self) -> Section<'s, N> {
        self.keys.iter_mut().for_each(|key| key.elsewhere = true);
        self
    }

    /// What each key declared so far is unless it is said, in words.
    pub(crate) fn each_unless(mut self, words: &'static str) -> Section<'s, N> {
        self.keys.iter_mut().for_each(|key| key.unless_said = Some(Unless::Told(words)));
        self
    }

    /// The keys that a plan is explained with before the others.
    pub(crate) fn explained_first(self, keys: &[&'static str]) -> Section<'s, N> {
        debug_assert!(keys.iter().all(|name| self.keys.iter().any(|key| key.name == *name)), "{keys:?}");
        Section { explained_first: keys.to_vec(), ..self }
    }

    /// Explained on one line.
    pub(crate) fn on_a_line(self) -> Section<'s, N> {
        Section { on_a_line: true, ..self }
    }

    /// Reads the map that stands there; `None`: it is none.
    pub(crate) fn read<'d>(&self, item: Item<'d>) -> Option<Read<'d, N>> {
        let read = self.read_among_others(item)?;
        item.refuse_others(&self.names().collect::<Vec<_>>());
        Some(read)
    }

    /// What the map that stands there says, or what the section starts from.
    pub(crate) fn read_or_start(&self, item: Item<'_>) -> N {
        self.read(item).map_or_else(|| self.start.clone(), |read| read.value)
    }

    /// Reads what the map says of it, and leaves other keys to others.
    pub(crate) fn read_among_others<'d>(&self, item: Item<'d>) -> Option<Read<'d, N>> {
        item.map()?;
        let found = self.keys.iter().filter(|key| !key.elsewhere).filter_map(|key| {
            let required = key.unless_said == Some(Unless::Required);
            Some((key, if required { item.demand(key.name)? } else { item.below(key.name)? }))
        });
        let (following, first): (Vec<_>, Vec<_>) = found.partition(|(key, _)| key.follows);
        let mut read = Read { item, value: self.start.clone(), given: Vec::new() };
        for (key, item) in first.into_iter().chain(following) {
            let value = (key.form)(&read.value).read(item);
            read.given.push((key.name, item, value.is_some()));
            read.value = value.unwrap_or(read.value);
        }
        Some(read)
    }

    /// Writes the map that says `noun`.
    pub(crate) fn write(&self, noun: &N) -> Written {
        let mut keys: Vec<_> = self.keys.iter().filter(|key| !key.elsewhere).collect();
        let first = |key: &&KeyReader<'s, N>| self.explained_first.iter().position(|name| *name == key.name);
        keys.sort_by_key(|key| first(key).unwrap_or(usize::MAX));
        let written = |key: &KeyReader<'s, N>| (key.explain)(noun, (key.form)(noun).write(noun));
        let entries = keys.into_iter().map(|key| (key.name, written(key)));
        if self.on_a_line { Written::map_on_a_line(entries) } else { Written::map(entries) }
    }

    /// What schema and reference say of it.
    pub(crate) fn outline(&self) -> Outline {
        let described = |key: &KeyReader<'s, N>| Described {
            name: key.name,
            shape: (key.form)(&self.start).shape(),
            about: key.about,
            unless_said: match &key.unless_said {
                Some(unless) => unless.clone(),
                None => Unless::Value((key.form)(&self.start).write(&self.start).bare()),
            },
        };
        let keys = self.keys.iter().map(described).collect();
        Outline { title: self.title, about: self.about, keys, one_of: self.one_of.clone() }
    }

    /// As a form. `finish` makes of what was read what the map says, and checks what depends on two keys; `back` is
    /// the way back.
    pub(crate) fn form<T: 's>(
        self,
        finish: impl Fn(Read<'_, N>) -> Option<T> + 's,
        back: impl Fn(&T) -> Option<N> + 's,
    ) -> Form<'s, T> {
        let section = Rc::new(self);
        let (described, reading) = (Rc::clone(&section), Rc::clone(&section));
        Form::new(
            Is::Map,
            move || Shape::Fields(described.outline()),
            move |item| finish(reading.read(item)?),
            move |value| back(value).map_or(Written::Nothing, |noun| section.write(&noun)),
        )
    }

    /// As a form of the noun itself.
    pub(crate) fn whole(self) -> Form<'s, N> {
        self.form(|read| Some(read.value), |noun| Some(noun.clone()))
    }
}
