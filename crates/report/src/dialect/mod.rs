//! The last stage: the same, laid out for a terminal, as Markdown or HTML, or as a format that programs read.

mod cases;
pub(crate) mod csv;
pub(crate) mod github;
mod html;
pub mod json;
pub(crate) mod junit;
pub(crate) mod latency_log;
pub(crate) mod markdown;
pub(crate) mod openmetrics;
pub mod pictures;
pub(crate) mod recording;
pub mod render;
pub(crate) mod svg;
pub(crate) mod terminal;
