//! Signals that rig sends.

use model::service::StopSignal;
use rustix::process::Signal as Number;

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM.
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGHUP.
    Hup,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
    /// SIGKILL.
    Kill,
}

impl From<StopSignal> for Signal {
    fn from(signal: StopSignal) -> Signal {
        match signal {
            StopSignal::Term => Signal::Term,
            StopSignal::Int => Signal::Int,
            StopSignal::Quit => Signal::Quit,
        }
    }
}

impl Signal {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Term => "SIGTERM",
            Signal::Int => "SIGINT",
            Signal::Quit => "SIGQUIT",
            Signal::Hup => "SIGHUP",
            Signal::Usr1 => "SIGUSR1",
            Signal::Usr2 => "SIGUSR2",
            Signal::Kill => "SIGKILL",
        }
    }

    pub(super) fn number(self) -> Number {
        match self {
            Signal::Term => Number::TERM,
            Signal::Int => Number::INT,
            Signal::Quit => Number::QUIT,
            Signal::Hup => Number::HUP,
            Signal::Usr1 => Number::USR1,
            Signal::Usr2 => Number::USR2,
            Signal::Kill => Number::KILL,
        }
    }
}
