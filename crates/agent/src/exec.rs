//! Becoming a program that cannot outlive its parent, without unsafe code between fork and exec: the parent
//! starts `rig agent exec`, which sets its own parent-death signal and then becomes the wanted program.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::str::FromStr;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// What the program gets when its parent dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeathSignal {
    /// For programs that must clean up after themselves, such as a balancer with workers.
    Term,
    /// For programs that might be stopped, and would then not hear of SIGTERM.
    Kill,
}

/// A text that is neither `TERM` nor `KILL`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` isn't a signal that can be sent at the parent's death; use TERM or KILL")]
pub struct UnknownSignal(String);

impl FromStr for DeathSignal {
    type Err = UnknownSignal;
    fn from_str(text: &str) -> Result<DeathSignal, UnknownSignal> {
        match text {
            "TERM" => Ok(DeathSignal::Term),
            "KILL" => Ok(DeathSignal::Kill),
            other => Err(UnknownSignal(other.to_owned())),
        }
    }
}

/// Becomes the program `argv`, which gets `signal` when the thread that started this process ends. Returns
/// only if that fails, or if the parent isn't `parent_pid` any more: it died before the signal was set.
pub fn exec_dying_with_parent(signal: DeathSignal, parent_pid: u32, argv: &[OsString]) -> io::Error {
    let Some((program, arguments)) = argv.split_first() else {
        return io::Error::new(io::ErrorKind::InvalidInput, "no program to execute");
    };
    let signal = match signal {
        DeathSignal::Term => Signal::TERM,
        DeathSignal::Kill => Signal::KILL,
    };
    if let Err(errno) = set_parent_process_death_signal(Some(signal)) {
        return errno.into();
    }
    // Only after the signal is set: else a parent that dies in between would go unnoticed.
    let parent = getppid().map(|pid| pid.as_raw_nonzero().get());
    if parent.and_then(|pid| u32::try_from(pid).ok()) != Some(parent_pid) {
        return io::Error::other(format!("the parent {parent_pid} is gone"));
    }
    Command::new(program).args(arguments).exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_whose_parent_is_gone_executes_nothing() {
        let no_parent = std::process::id();
        let error = exec_dying_with_parent(DeathSignal::Kill, no_parent, &["true".into()]);
        assert_eq!(error.to_string(), format!("the parent {no_parent} is gone"));
    }

    #[test]
    fn an_empty_command_is_refused() {
        let error = exec_dying_with_parent(DeathSignal::Kill, 1, &[]);
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn signals_are_known_by_name() {
        assert_eq!("TERM".parse(), Ok(DeathSignal::Term));
        assert_eq!("KILL".parse(), Ok(DeathSignal::Kill));
        assert!("HUP".parse::<DeathSignal>().is_err());
    }
}
