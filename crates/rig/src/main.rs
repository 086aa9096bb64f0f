//! `rig` proves, with numbers, what a load balancer does to live traffic.

mod bundled;
mod cli;
mod commands;
mod environment;
mod exit;
mod interrupt;
mod progress;
mod trace;

use clap::Parser;

fn main() -> std::process::ExitCode {
    exit::code_of(commands::perform(cli::Cli::parse()))
}
