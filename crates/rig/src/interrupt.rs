//! Ctrl-C, SIGTERM and SIGHUP: the first asks for an orderly end, the second ends rig at once.

use std::io::{Write, stdin};

use engine::runtime::process::kill_children;
use rustix::process::Signal;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::exit::{Exit, Failure, tell};
use crate::progress::is_drawing;

/// What asks for an end.
const ENDINGS: [SignalKind; 3] = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];

const SHOW_THE_CURSOR: &str = "\x1b[?25h\r\n";

/// A flag that becomes true when the user wants to stop. A thread of its own listens, so that rig can be ended even if all
/// else hangs. What was ignored when rig began (`nohup`) stays ignored.
pub(crate) fn requested() -> Result<watch::Receiver<bool>, Failure> {
    let (raise, flag) = watch::channel(false);
    let ignored = ignored();
    let listener =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::environment)?;
    let (arrived, mut arrivals) = mpsc::channel(1);
    {
        let _within = listener.enter();
        for kind in ENDINGS.into_iter().filter(|kind| !is_in(ignored, *kind)) {
            let mut signals = signal(kind).map_err(Failure::environment)?;
            let arrived = arrived.clone();
            listener.spawn(async move {
                while signals.recv().await.is_some() && arrived.send(()).await.is_ok() {}
            });
        }
    }
    drop(arrived);
    let terminal = tcgetattr(stdin()).ok();
    let listen = async move {
        while arrivals.recv().await.is_some() {
            if raise.send_replace(true) {
                end_at_once(terminal.as_ref());
            }
            if !is_drawing() {
                tell("\nstopping what was launched; press Ctrl-C again to stop at once …");
            }
        }
        // Whoever waits for the flag must not take the end of this for a wish.
        raise.closed().await;
    };
    let thread = std::thread::Builder::new().name("signals".into());
    thread.spawn(move || listener.block_on(listen)).map_err(Failure::environment)?;
    Ok(flag)
}

/// Nothing is waited for: local processes are killed, and the reaper, which outlives rig, removes its containers. Balancers
/// aren't left to the signal at their parent's death here: one that stands still would not follow it.
fn end_at_once(terminal: Option<&Termios>) -> ! {
    // What changed the terminal has no time to restore it.
    if let Some(before) = terminal {
        let _ = tcsetattr(stdin(), OptionalActions::Now, before);
    }
    if is_drawing() {
        let _ = write!(std::io::stderr(), "{SHOW_THE_CURSOR}");
    }
    kill_children();
    tell(
        "\nstopped at once: local processes were killed, and the reaper removes containers and networks. \
         Run `rig clean` to remove their files",
    );
    std::process::exit(Exit::Interrupted.code().into())
}

/// Lets a write beyond the limit of a file's size (`ulimit -f`) fail with an error instead of ending the process without a
/// word.
pub(crate) fn survive_file_limits() {
    // Without it rig works as well, up to that limit.
    let _ = tokio::runtime::Builder::new_current_thread().enable_all().build().and_then(|listener| {
        let _within = listener.enter();
        // Nobody listens: that there is a handler is enough, and it stays when this is dropped.
        signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
    });
}

/// The signals that this process ignores, a bit for each (proc(5), `SigIgn`); none if the system doesn't tell.
fn ignored() -> u64 {
    std::fs::read_to_string("/proc/self/status").ok().and_then(|status| ignored_in(&status)).unwrap_or(0)
}

fn ignored_in(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

fn is_in(mask: u64, kind: SignalKind) -> bool {
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_signal_is_known_by_its_bit() {
        let mask = ignored_in("Name:\trig\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n").unwrap();
        let is_in = |kind| super::is_in(mask, kind);
        assert_eq!(ENDINGS.map(is_in), [false, false, true]);
        assert_eq!(ignored_in("Name:\trig\n"), None);
    }
}
