//! What can be done about an error. It is no part of the error's own text: each place that shows one decides where help
//! goes, and none has to look for it among words.

use std::error::Error;

/// An error that may know what to do about it.
pub trait Help: Error {
    /// What to do; `None`: the error says all that is known.
    fn help(&self) -> Option<String>;
}

/// The error with its help on a line of its own.
pub fn with_help(error: &impl Help) -> String {
    laid_out(&error.to_string(), error.help().as_deref())
}

/// A message with its help on a line of its own.
pub fn laid_out(message: &str, help: Option<&str>) -> String {
    match help {
        None => message.to_owned(),
        Some(help) => format!("{message}\n  help: {help}"),
    }
}
