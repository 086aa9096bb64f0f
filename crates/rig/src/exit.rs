//! All exit codes. A test compares the README's table with this file.

use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use engine::balancer::{RenderError, TemplatesError};
use engine::capacity::TooSmall;
use engine::cell::CellError;
use engine::help::{Help, laid_out};
use engine::host::HostError;
use engine::program::ProgramError;
use engine::room::NoRoom;
use engine::runtime::RuntimeError;
use engine::runtime::docker::DockerError;
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
    /// What to do about it, if the error does not say so itself.
    help: Option<String>,
}

impl Failure {
    /// Wrong usage, or an invalid scenario.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Failure {
        Failure { exit: Exit::Usage, error: error.into(), help: None }
    }

    /// The user interrupted it before there was a result.
    pub(crate) fn interrupted() -> Failure {
        Failure {
            exit: Exit::Interrupted,
            error: anyhow::anyhow!("interrupted before the first cell"),
            help: None,
        }
    }

    /// The environment cannot run it.
    pub(crate) fn environment(error: impl Into<anyhow::Error>) -> Failure {
        Failure { exit: Exit::Environment, error: error.into(), help: None }
    }

    /// This, with what to do about it.
    pub(crate) fn help(self, help: impl Into<String>) -> Failure {
        Failure { help: Some(help.into()), ..self }
    }

    /// What the user is told, with what to do about it.
    pub(crate) fn text(&self) -> String {
        let help = self.help.clone().or_else(|| help_in(&self.error));
        laid_out(&with_causes(&self.error), help.map(|help| visible(&help).into_owned()).as_deref())
    }
}

impl Failure {
    /// As it is printed. Problems that are laid out already begin with "error".
    pub(crate) fn message(&self) -> String {
        let text = self.text();
        if self.error.is::<LaidOut>() { text } else { format!("error: {text}") }
    }
}

/// Prints the error, if there is one, and returns the exit code.
pub(crate) fn code_of(result: Result<ExitCode, Failure>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(failure) => {
            // It is already safe to print; colours of problems may be in it.
            let _ = writeln!(std::io::stderr().lock(), "{}", failure.message().trim_end());
            failure.exit.into()
        }
    }
}

/// An error that is laid out for standard error. Its escape sequences are rig's own colours.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct LaidOut(pub(crate) String);

/// The error and its causes, each once, because many errors quote theirs. Escapes in foreign text are made visible.
fn with_causes(error: &anyhow::Error) -> String {
    if let Some(LaidOut(text)) = error.downcast_ref() {
        return text.clone();
    }
    let text = error.chain().skip(1).fold(error.to_string(), |text, cause| match cause.to_string() {
        said if text.contains(&said) => text,
        new => format!("{text}: {new}"),
    });
    visible(&text).into_owned()
}

/// What the error, or a cause of it, says one can do.
fn help_in(error: &anyhow::Error) -> Option<String> {
    type Cause<'a> = &'a (dyn std::error::Error + 'static);
    fn of<E: Help + 'static>(cause: Cause<'_>) -> Option<String> {
        cause.downcast_ref::<E>()?.help()
    }
    let helpful: [fn(Cause<'_>) -> Option<String>; 9] = [
        of::<CellError>,
        of::<RuntimeError>,
        of::<DockerError>,
        of::<ProgramError>,
        of::<HostError>,
        of::<RenderError>,
        of::<TemplatesError>,
        of::<TooSmall>,
        of::<NoRoom>,
    ];
    error.chain().find_map(|cause| helpful.iter().find_map(|help| help(cause)))
}

/// Whether standard error is a terminal whose user has not declined colours.
pub(crate) fn wants_colour() -> bool {
    let declined = std::env::var_os("NO_COLOR").is_some() || std::env::args_os().any(|a| a == "--no-color");
    std::io::stderr().is_terminal() && !declined
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
    fn the_help_of_an_engines_error_is_told_once_and_last() {
        let busy = || HostError::AddressBusy { address: "127.0.0.1:80".into(), help: "free it".into() };
        let told = Failure::environment(CellError::from(RuntimeError::from(busy()))).text();
        assert_eq!(told, "127.0.0.1:80 is taken by another program\n  help: free it");
        let wrapped = anyhow::Error::new(RuntimeError::from(busy())).context("the cell could not be run");
        let told = Failure::environment(wrapped).text();
        let expected = "the cell could not be run: 127.0.0.1:80 is taken by another program\n  help: free it";
        assert_eq!(told, expected);
        let own = Failure::usage(anyhow::anyhow!("no run")).help("rig run drain").text();
        assert_eq!(own, "no run\n  help: rig run drain");
    }

    #[test]
    fn words_of_others_in_an_error_are_made_visible_and_colours_of_problems_stay() {
        let told = with_causes(&anyhow::anyhow!("nginx said \u{1b}[2J\u{202e}"));
        assert_eq!(told, r"nginx said \u{1b}[2J\u{202e}");
        let coloured = anyhow::Error::new(LaidOut("\u{1b}[31merror\u{1b}[0m".into()));
        let failure = Failure::usage(coloured);
        assert_eq!(failure.message(), "\u{1b}[31merror\u{1b}[0m", "colours don't make it a second error");
        assert_eq!(
            Failure::usage(anyhow::anyhow!("errors.yaml is missing")).message(),
            "error: errors.yaml is missing"
        );
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
