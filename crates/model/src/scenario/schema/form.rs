//! What may stand where in a scenario, as data: the schema and the reference are both written from it.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::units::{Bytes, Factor, Rate, Share, Span};

/// What may stand at a place.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    Text(Text),
    /// One of a few words.
    Words(Vec<&'static str>),
    Quantity {
        unit: Unit,
        least: String,
        most: String,
    },
    Whole(RangeInclusive<u64>),
    List {
        of: Box<Form>,
        least: usize,
        most: usize,
    },
    /// A map whose keys are chosen by the author.
    Named {
        names: Text,
        of: Box<Form>,
        most: usize,
    },
    /// A map whose keys are the language's.
    Fields(Section),
    /// A merge patch over what the scenario says beside its variants.
    Patch,
    Either(Vec<Form>),
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Prose,
    Claim,
    /// A name that the author gives.
    Name,
    /// The name of something that the scenario has.
    NameOf(&'static str),
    /// A path prefix of a route, or of probes.
    Path,
    /// What a request asks for: a path, with or without a query.
    Target,
    HeaderName,
    HeaderValue,
    CookieName,
    /// A status, or a class of them.
    Status,
    /// A plain number: the exponent of Zipf's law.
    Exponent,
}

/// What a quantity measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Span,
    Rate,
    Share,
    Bytes,
    Factor,
}

/// A type that says what it measures.
pub(crate) trait Measured: Display {
    const UNIT: Unit;
}

impl Measured for Span {
    const UNIT: Unit = Unit::Span;
}
impl Measured for Rate {
    const UNIT: Unit = Unit::Rate;
}
impl Measured for Share {
    const UNIT: Unit = Unit::Share;
}
impl Measured for Bytes {
    const UNIT: Unit = Unit::Bytes;
}
impl Measured for Factor {
    const UNIT: Unit = Unit::Factor;
}

/// A map with known keys.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// Its name in the schema and in the reference; no two sections share one.
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) keys: Vec<Key>,
    /// Of each group, exactly one key must be there.
    pub(crate) one_of: Vec<Vec<&'static str>>,
}

/// A key of a section.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) about: &'static str,
    pub(crate) unless_said: Unless,
}

/// What holds if a key isn't there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unless {
    /// It must be there.
    Required,
    /// It may be left out, and then there is none of it.
    Nothing,
    /// This value, as it would be written.
    Value(&'static str),
    /// What this says.
    Told(&'static str),
}

impl Section {
    pub(crate) fn new(title: &'static str, about: &'static str, keys: Vec<Key>) -> Section {
        Section { title, about, keys, one_of: Vec::new() }
    }

    pub(crate) fn one_of(mut self, keys: &[&'static str]) -> Section {
        self.one_of.push(keys.to_vec());
        self
    }
}

impl Key {
    pub(crate) fn required(mut self) -> Key {
        self.unless_said = Unless::Required;
        self
    }

    pub(crate) fn default(mut self, value: &'static str) -> Key {
        self.unless_said = Unless::Value(value);
        self
    }

    pub(crate) fn default_told(mut self, words: &'static str) -> Key {
        self.unless_said = Unless::Told(words);
        self
    }
}

pub(crate) fn key(name: &'static str, form: Form, about: &'static str) -> Key {
    Key { name, form, about, unless_said: Unless::Nothing }
}

pub(crate) fn quantity<T: Measured>(limits: &RangeInclusive<T>) -> Form {
    Form::Quantity { unit: T::UNIT, least: limits.start().to_string(), most: limits.end().to_string() }
}

pub(crate) fn any_share() -> Form {
    quantity(&(Share(0.0)..=Share(1.0)))
}

pub(crate) fn words(words: &[&'static str]) -> Form {
    Form::Words(words.to_vec())
}

pub(crate) fn list(of: Form, least: usize, most: usize) -> Form {
    Form::List { of: Box::new(of), least, most }
}

/// A map by names of rig's kind.
pub(crate) fn named(of: Form, most: usize) -> Form {
    Form::Named { names: Text::Name, of: Box::new(of), most }
}

/// A map by header names.
pub(crate) fn headers(of: Form, most: usize) -> Form {
    Form::Named { names: Text::HeaderName, of: Box::new(of), most }
}
