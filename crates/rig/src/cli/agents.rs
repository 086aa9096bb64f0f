//! `rig agent`: the processes that rig launches.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The processes that rig launches.
#[derive(Debug, Subcommand)]
pub(crate) enum Agent {
    /// Run the open-loop load generator; its job comes on standard input
    Load,
    /// Run a toy backend; its job comes on standard input
    Backend,
    /// Run the DNS server of a cell; its job comes on standard input
    Dns,
    /// Become a program that gets a signal when its parent dies
    Exec(Exec),
    /// Stop a process group when standard input ends, unless it says that this was done
    Keep(Keep),
    /// Hold a pod's address until SIGTERM
    Pause,
    /// Remove what is left of a run when standard input ends
    Reap(Reap),
}

/// `rig agent reap`.
#[derive(Debug, Args)]
pub(crate) struct Reap {
    /// The run, as its labels name it
    #[arg(long)]
    pub(crate) run: String,
    /// Also its reaper
    #[arg(long)]
    pub(crate) whole: bool,
}

/// `rig agent keep`.
#[derive(Debug, Args)]
pub(crate) struct Keep {
    /// The process group
    #[arg(long)]
    pub(crate) group: u32,
    /// A file that it leaves behind
    #[arg(long)]
    pub(crate) leaves: Vec<PathBuf>,
}

/// `rig agent exec`.
#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// The process id that the parent must still have
    #[arg(long)]
    pub(crate) parent: u32,
    /// The signal: TERM or KILL
    #[arg(long)]
    pub(crate) signal: agent::exec::DeathSignal,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub(crate) program: Vec<OsString>,
}
