//! The values that arguments can have.

use clap::ValueEnum;
use engine::runtime::docker::images::Pull;

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

/// How results can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    /// For a terminal
    Table,
    /// For write-ups and job summaries
    Markdown,
    /// For a browser: a page with pictures that needs no network
    Html,
    /// For programs
    Json,
    /// For spreadsheets: one row per cell
    Csv,
    /// For test reporters: one case per claim
    Junit,
    /// For time-series databases: Pushgateway, node_exporter's textfile collector
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
