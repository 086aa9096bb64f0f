//! Ctrl-C, SIGTERM and SIGHUP: the first stops rig in order, the second at once.

use std::io::{Write, stdin};

use engine::host::kill_children;
use rustix::process::Signal;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::exit::{Exit, Failure, tell};
use crate::progress::is_drawing;

/// The signals that stop rig.
const ENDINGS: [SignalKind; 3] = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];

const SHOW_THE_CURSOR: &str = "\x1b[?25h\r\n";

/// A flag that becomes true when the user wants to stop. A separate thread listens, so that rig can be stopped even if
/// everything else hangs. Signals that were ignored when rig started (`nohup`) stay ignored.
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
        // Keep the sender alive: its end must not look like a signal.
        raise.closed().await;
    };
    let thread = std::thread::Builder::new().name("signals".into());
    thread.spawn(move || listener.block_on(listen)).map_err(Failure::environment)?;
    Ok(flag)
}

/// Waits for nothing: kills local processes, and leaves containers to the reaper, which outlives rig. Balancers are killed here
/// as well, because a stopped process would not react to the signal at its parent's death.
fn end_at_once(terminal: Option<&Termios>) -> ! {
    // The code that changed the terminal has no time to restore it.
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

/// Makes a write beyond the limit of file sizes (`ulimit -f`) fail with an error, instead of killing the process silently.
pub(crate) fn survive_file_limits() {
    // If this fails, rig still works, up to that limit.
    let _ = tokio::runtime::Builder::new_current_thread().enable_all().build().and_then(|listener| {
        let _within = listener.enter();
        // Installing a handler is enough. It stays when the listener is dropped.
        signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
    });
}

/// The signals that this process ignores, one bit each (proc(5), `SigIgn`); none if the system doesn't say.
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
