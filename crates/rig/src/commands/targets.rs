//! What a run may do to a target that rig did not launch, and whether its commands are there.

use std::path::{Path, PathBuf};

use model::plan::Plan;
use model::target::{Target, TargetCommand};
use model::units::Rate;

use crate::exit::Failure;

/// Refuses targets that the user did not name, loads that are too high, and commands that can't be found.
pub(super) fn check(plan: &Plan, allowed: &[String], max_rate: Rate) -> Result<(), Failure> {
    for variant in &plan.variants {
        let Some(target) = &variant.target else { continue };
        let host = &target.url.host;
        if !target.url.is_loopback() && !allowed.iter().any(|name| name.eq_ignore_ascii_case(host)) {
            let message = format!("{} sends load to {host}, which is not this machine", plan.scenario);
            return Err(Failure::usage(anyhow::anyhow!(
                "{message}; if you may, add `--allow-target {host}`"
            )));
        }
        let rate = variant.traffic.rate;
        if rate > max_rate {
            let message =
                format!("{} sends {rate} to {host}, and at most {max_rate} are allowed", plan.scenario);
            return Err(Failure::usage(anyhow::anyhow!("{message}; if you may, add `--max-rate {rate}`")));
        }
        for (name, command) in target.commands.all() {
            if program(target, command).is_none() {
                let program = &command.run[0];
                let message =
                    format!("the command `{name}` of {}: there is no executable `{program}`", variant.name);
                return Err(Failure::usage(anyhow::anyhow!("{message} {}", place(target, program))));
            }
        }
    }
    Ok(())
}

fn place(target: &Target, program: &str) -> String {
    match program.contains('/') {
        true => format!("in {}", target.directory.display()),
        false => "on PATH".to_owned(),
    }
}

/// The file that a command runs.
fn program(target: &Target, command: &TargetCommand) -> Option<PathBuf> {
    let program = Path::new(command.run.first()?);
    if program.components().count() > 1 || program.is_absolute() {
        let file = target.directory.join(program);
        return is_executable(&file).then_some(file);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Every command that a run of `plan` would run, a line each.
pub(super) fn commands(plan: &Plan) -> String {
    let mut lines = String::new();
    for variant in &plan.variants {
        let Some(target) = &variant.target else { continue };
        lines.push_str(&format!(
            "  {}: {} requests/s to {}\n",
            variant.name, variant.traffic.rate.0, target.url
        ));
        for (name, command) in target.commands.all() {
            lines.push_str(&format!("    {name}: {} (within {})\n", command.shown(), command.within));
        }
    }
    lines
}
