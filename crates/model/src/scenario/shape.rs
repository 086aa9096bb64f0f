//! What may stand where in a scenario, as data: the schema and the reference are both written from it. Declarations
//! ([`Section`](super::section::Section)) make it.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::units::{Bytes, Factor, Rate, Share, Span};

/// What may stand at a place.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Text(Text),
    /// One of a few words.
    Words(Vec<&'static str>),
    Quantity {
        unit: ShapeUnit,
        least: String,
        most: String,
    },
    Whole(RangeInclusive<u64>),
    List {
        of: Box<Shape>,
        least: usize,
        most: usize,
    },
    /// A map whose keys are chosen by the author.
    Named {
        names: Text,
        of: Box<Shape>,
        most: usize,
    },
    /// A map whose keys are the language's.
    Fields(Outline),
    /// A merge patch with these keys.
    Patch(Outline),
    Either(Vec<Shape>),
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Prose,
    Claim,
    /// What the picture of an answer shows.
    Figure,
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
    /// A host name, without a port.
    HostName,
    /// A status, or a class of them.
    Status,
    /// A plain number: the exponent of Zipf's law.
    Exponent,
    /// Where a target is.
    Url,
    Host,
    /// A path of a file, from the scenario's directory on.
    File,
    /// A word of a command.
    Word,
    /// The name of an environment variable.
    Variable,
    /// A kind of balancer in one version.
    Release,
}

/// What a quantity measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShapeUnit {
    Span,
    Rate,
    Share,
    Bytes,
    Factor,
}

/// A type that says what it measures.
pub(crate) trait Measured: Display {
    const UNIT: ShapeUnit;
}

impl Measured for Span {
    const UNIT: ShapeUnit = ShapeUnit::Span;
}
impl Measured for Rate {
    const UNIT: ShapeUnit = ShapeUnit::Rate;
}
impl Measured for Share {
    const UNIT: ShapeUnit = ShapeUnit::Share;
}
impl Measured for Bytes {
    const UNIT: ShapeUnit = ShapeUnit::Bytes;
}
impl Measured for Factor {
    const UNIT: ShapeUnit = ShapeUnit::Factor;
}

/// A map with known keys.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    /// Its name in the schema and in the reference; no two sections share one.
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) keys: Vec<Described>,
    /// Of each group, exactly one key must be there.
    pub(crate) one_of: Vec<Vec<&'static str>>,
}

/// A key of a section.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) about: &'static str,
    pub(crate) unless_said: Unless,
}

/// What holds if a key isn't there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unless {
    /// It must be there.
    Required,
    /// It may be left out, and then there is none of it.
    Nothing,
    /// This value, as it would be written.
    Value(String),
    /// What this says.
    Told(&'static str),
}
