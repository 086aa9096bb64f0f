//! The values that arguments can have.

use std::num::NonZero;
use std::str::FromStr;

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use engine::runtime::docker::images::Pull;
use model::claim::{AnswerPicture, ClaimError};
use report::Format;

/// Where components can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuntimeName {
    /// Docker if an engine answers, otherwise local processes
    Auto,
    /// Local processes
    Process,
    /// Containers
    Docker,
}

/// How many cells run at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Jobs {
    /// As many as the machine has room for
    Auto,
    /// So many
    Of(NonZero<usize>),
}

/// More than these would measure each other.
const MOST_JOBS: usize = 16;

impl FromStr for Jobs {
    type Err = String;
    fn from_str(text: &str) -> Result<Jobs, String> {
        let jobs = || text.parse().ok().filter(|jobs: &NonZero<usize>| jobs.get() <= MOST_JOBS);
        match text {
            "auto" => Ok(Jobs::Auto),
            _ => jobs().map(Jobs::Of).ok_or_else(|| format!("`auto`, or a number from 1 to {MOST_JOBS}")),
        }
    }
}

/// Parses the name of one of `formats`.
fn format_name(formats: &[Format]) -> impl TypedValueParser<Value = Format> + use<> {
    let describe = |format: &Format| {
        let (name, what_for) = format.describe();
        PossibleValue::new(name).help(what_for)
    };
    PossibleValuesParser::new(formats.iter().map(describe)).map(|name| {
        let is_named = |format: &Format| format.describe().0 == name;
        Format::ALL.iter().copied().find(is_named).expect("only names of formats are possible")
    })
}

/// How results can be printed.
pub(super) fn result_format() -> impl TypedValueParser<Value = Format> {
    format_name(Format::ALL)
}

/// How a comparison can be printed.
pub(super) fn comparison_format() -> impl TypedValueParser<Value = Format> {
    format_name(&[Format::Table, Format::Markdown, Format::Json])
}

/// Which figure a picture shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FigureChoice {
    /// The scenario's own
    Own,
    /// This one
    Named(AnswerPicture),
}

impl FromStr for FigureChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<FigureChoice, String> {
        if text.is_empty() {
            return Ok(FigureChoice::Own);
        }
        text.parse().map(FigureChoice::Named).map_err(in_words)
    }
}

/// What is wrong with a figure, and what could be meant.
pub(super) fn in_words(error: ClaimError) -> String {
    match error.help {
        Some(help) => format!("{}; {help}", error.message),
        None => error.message,
    }
}

/// How a list can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For a terminal
    Table,
    /// For programs
    Json,
}

/// How saved runs can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HistoryFormat {
    /// For a terminal
    Table,
    /// For programs
    Json,
    /// For a time-series database: every figure of every run, with the time at which the run began
    Openmetrics,
}

/// How the language can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFormat {
    /// JSON Schema, for editors and validators
    Json,
    /// For people: every key with its values and its default
    Markdown,
}

/// When official images can be pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PullName {
    /// Never: use local images, or build them from this machine's executables
    Never,
    /// If the engine lacks them
    Missing,
    /// Even if the engine has them
    Always,
}

impl From<PullName> for Pull {
    fn from(name: PullName) -> Pull {
        match name {
            PullName::Never => Pull::Never,
            PullName::Missing => Pull::Missing,
            PullName::Always => Pull::Always,
        }
    }
}
