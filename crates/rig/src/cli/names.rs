//! What arguments choose from.

use clap::ValueEnum;
use engine::runtime::docker::images::Pull;

/// Where components can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuntimeName {
    /// What this machine can do
    Auto,
    /// Local processes
    Process,
    /// Containers
    Docker,
}

/// How results can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    /// For a terminal
    Table,
    /// For write-ups and job summaries
    Markdown,
    /// For a browser: one page with pictures, which needs no network
    Html,
    /// For programs
    Json,
    /// For spreadsheets: a row per cell
    Csv,
    /// For what shows tests: a case per claim
    Junit,
    /// For what stores figures over time: Pushgateway, the textfile collector
    Openmetrics,
}

/// How a comparison can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ComparisonFormat {
    /// For a terminal
    Table,
    /// For write-ups and job summaries
    Markdown,
    /// For programs: the figures of every repeat
    Json,
}

/// How a list can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For a terminal
    Table,
    /// For programs
    Json,
}

/// How the language can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFormat {
    /// JSON Schema, for editors and validators
    Json,
    /// For people: every key, its values, its default
    Markdown,
}

/// When official images can be pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PullName {
    /// Never: what the engine has, or packed from this machine's executables
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
