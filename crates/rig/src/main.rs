//! `rig` proves, with numbers, what a load balancer does to live traffic.

mod bundled;
mod cli;
mod commands;
mod environment;
mod exit;
mod interrupt;
mod progress;
mod trace;

fn main() -> std::process::ExitCode {
    interrupt::survive_file_limits();
    exit::code_of(commands::perform(clap::Parser::parse()))
}
