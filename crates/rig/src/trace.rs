//! `RIG_LOG=debug` prints what rig does, step by step, on standard error, to find out why something fails. What was
//! measured is in the history.

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;

/// Prints events of the level in `RIG_LOG` and above; nothing if it is not set.
pub(crate) fn begin() {
    let level =
        std::env::var("RIG_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::OFF);
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
