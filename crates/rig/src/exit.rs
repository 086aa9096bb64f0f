//! All exit codes. A test compares the README's table with this file.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use model::visible::visible;
use report::Verdict;

/// Why the process ends. If several scenarios run, the greatest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Every expectation held.
    Held,
    /// The measurement can't be trusted.
    Invalid,
    /// An expectation failed, or retries masked the losses of a control.
    Failed,
    /// The environment cannot run it: a balancer is missing or refuses its configuration, an address is taken,
    /// results can't be written.
    Environment,
    /// Wrong usage, or an invalid scenario.
    Usage,
    /// The user stopped it.
    Interrupted,
}

impl Exit {
    /// Its number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Held => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Environment => 3,
            Exit::Invalid => 4,
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Exit {
        match verdict {
            Verdict::Passed => Exit::Held,
            Verdict::Failed => Exit::Failed,
            Verdict::Invalid => Exit::Invalid,
            Verdict::Interrupted => Exit::Interrupted,
        }
    }
}

/// An error with the exit code that it means.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the process ends.
    pub(crate) exit: Exit,
    /// The message; it may have several lines.
    pub(crate) error: anyhow::Error,
}

impl Failure {
    /// Wrong usage, or an invalid scenario.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Failure {
        Failure { exit: Exit::Usage, error: error.into() }
    }

    /// The user interrupted it before there was a result.
    pub(crate) fn interrupted() -> Failure {
        Failure { exit: Exit::Interrupted, error: anyhow::anyhow!("interrupted before the first cell") }
    }

    /// The environment cannot run it.
    pub(crate) fn environment(error: impl Into<anyhow::Error>) -> Failure {
        Failure { exit: Exit::Environment, error: error.into() }
    }
}

/// Prints the error, if there is one, and returns the exit code.
pub(crate) fn code_of(result: Result<ExitCode, Failure>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(failure) => {
            let text = with_causes(&failure.error);
            // The problems of a scenario already begin with "error".
            let prefix = if text.starts_with("error") { "" } else { "error: " };
            // The text is already safe to print; colours of problems may be in it.
            let _ = writeln!(std::io::stderr().lock(), "{prefix}{}", text.trim_end());
            failure.exit.into()
        }
    }
}

/// An error that is laid out for standard error. Its escape sequences are rig's own colours.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct LaidOut(pub(crate) String);

/// The error and its causes, each once, because many errors quote theirs. Escapes in foreign text are made visible.
pub(crate) fn with_causes(error: &anyhow::Error) -> String {
    if let Some(LaidOut(text)) = error.downcast_ref() {
        return text.clone();
    }
    let text = error.chain().skip(1).fold(error.to_string(), |text, cause| match cause.to_string() {
        said if text.contains(&said) => text,
        new => format!("{text}: {new}"),
    });
    visible(&text).into_owned()
}

/// Prints to standard error, with escapes in foreign text made visible. A closed standard error is no error.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", visible(text));
}

/// Prints text without colours, with escapes in foreign text made visible.
pub(crate) fn print_plain(text: &str) -> Result<(), Failure> {
    print(&visible(text))
}

/// Prints to standard output. A closed standard output (`rig … | head`) is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::environment(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let full = std::io::Error::from(ErrorKind::StorageFull);
        let told =
            with_causes(&anyhow::Error::new(full).context("a.json can't be written: no storage space"));
        assert_eq!(told, "a.json can't be written: no storage space");
        let told = with_causes(&anyhow::anyhow!("no such file").context("a.json can't be read"));
        assert_eq!(told, "a.json can't be read: no such file");
    }

    #[test]
    fn words_of_others_in_an_error_are_made_visible_and_colours_of_problems_stay() {
        let told = with_causes(&anyhow::anyhow!("nginx said \u{1b}[2J\u{202e}"));
        assert_eq!(told, r"nginx said \u{1b}[2J\u{202e}");
        let coloured = anyhow::Error::new(LaidOut("\u{1b}[31merror\u{1b}[0m".into()));
        assert_eq!(with_causes(&coloured), "\u{1b}[31merror\u{1b}[0m");
    }

    #[test]
    fn the_readme_documents_every_exit_code() {
        let readme = include_str!("../../../README.md");
        for exit in
            [Exit::Held, Exit::Failed, Exit::Usage, Exit::Environment, Exit::Invalid, Exit::Interrupted]
        {
            let row = format!("| {} |", exit.code());
            assert!(readme.contains(&row), "the README lacks a row `{row}` for {exit:?}");
        }
    }
}
