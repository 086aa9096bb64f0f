//! `RIG_LOG=debug`: what rig does, step by step, on standard error. For finding out why something fails; what
//! was measured is in the history.

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;

/// Shows events of the level that `RIG_LOG` names, and worse ones; nothing if it names none.
pub(crate) fn begin() {
    let level =
        std::env::var("RIG_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::OFF);
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
