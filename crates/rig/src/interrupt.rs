//! Ctrl-C, SIGTERM and SIGHUP: each asks for an orderly end.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Failure;
use crate::progress::is_drawing;

/// A flag that becomes true when the user wants to stop. Must be called within a runtime.
pub(crate) fn requested() -> Result<watch::Receiver<bool>, Failure> {
    let (raise, flag) = watch::channel(false);
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut arrivals = signal(kind).map_err(Failure::environment)?;
        let raise = raise.clone();
        tokio::spawn(async move {
            while arrivals.recv().await.is_some() {
                if !raise.send_replace(true) && !is_drawing() {
                    eprintln!("\nstopping: ending what was launched …");
                }
            }
        });
    }
    Ok(flag)
}
