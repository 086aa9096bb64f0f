//! The command that repeats a run: the same plan, in the same runtime.

use std::ffi::OsStr;

use clap::ValueEnum;
use engine::program::named;
use model::plan::SavedPlan;

use super::planning::Planned;
use crate::cli::{PullName, Run};

/// The words of the command that runs `plan` again, which came from `planned`, in the runtime of that name.
pub(crate) fn command(wanted: &Run, planned: &Planned, plan: &SavedPlan, runtime: &str) -> Vec<String> {
    if let Some(again) = &planned.again {
        return again.clone();
    }
    let mut words = vec!["rig".to_owned(), "run".to_owned(), text(planned.path.as_os_str())];
    // As one word, a value may begin with a dash.
    let mut flag = |name: &str, value: &str| words.push(format!("--{name}={value}"));
    for program in named::flags() {
        flag("program", &program);
    }
    let choice = &planned.choice;
    if let Some(kinds) = &choice.balancers {
        flag("balancer", &kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(","));
    }
    if let Some(variants) = &choice.variants {
        flag("variant", &variants.join(","));
    }
    for set in &planned.sets {
        flag("set", &format!("{}={}", set.path.join("."), set.value));
    }
    for claim in &choice.fail_on {
        flag("fail-on", claim);
    }
    flag("seed", &plan.seed.to_string());
    flag("repeat", &plan.repeats.to_string());
    flag("runtime", runtime);
    if wanted.pull != PullName::Missing
        && let Some(name) = wanted.pull.to_possible_value()
    {
        flag("pull", name.get_name());
    }
    if let Some(address) = wanted.listen {
        flag("listen", &address.to_string());
    }
    if let Some(directory) = &wanted.proxy_configs {
        flag("proxy-configs", &text(directory.as_os_str()));
    }
    for host in &wanted.allow_target {
        words.push(format!("--allow-target={host}"));
    }
    if plan.variants.iter().any(|variant| variant.target.is_some()) {
        words.push(format!("--max-rate={}", wanted.max_rate));
    }
    if !plan.skipped.is_empty() {
        words.push("--skip-missing".to_owned());
    }
    if wanted.strict {
        words.push("--strict".to_owned());
    }
    words
}

fn text(path: &OsStr) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::process::Command as Shell;

    use clap::Parser;
    use model::shell;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::commands::run::planned;

    fn parsed(words: &[String]) -> Run {
        let parsed = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
        let Command::Run(run) = parsed.command else { panic!("no run: {words:?}") };
        run
    }

    /// The words that a shell makes of a line.
    fn words(line: &str) -> Vec<String> {
        let script = format!("rig() {{ printf '%s\\0' rig \"$@\"; }}; {line}");
        let output = Shell::new("sh").args(["-c", &script]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn the_printed_command_makes_the_same_plan_again() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("it's a $scenario.yaml");
        std::fs::write(&file, include_str!("../../../../scenarios/drain.yaml")).unwrap();
        let file = file.display().to_string();
        for given in [
            vec!["drain"],
            vec![file.as_str(), "--balancer", "haproxy,envoy", "--seed", "77", "--repeat", "3"],
            vec![
                "drain",
                "--set",
                "topology.pools.web.latency={ uniform: [1ms, 2ms], tail: null }",
                "--set",
                "question=\"it's $HOME & `c`?\"",
                "--variant",
                "with-drain",
                "--fail-on",
                "with-drain.p99 > 1s",
                "--runtime",
                "process",
                "--pull",
                "never",
                "--listen",
                "127.0.0.1:8080",
                "--proxy-configs",
                "-own dir",
                "--strict",
            ],
        ] {
            let given: Vec<String> = ["rig", "run"].into_iter().chain(given).map(str::to_owned).collect();
            // As `--proxy-configs DIR` is parsed: a value that begins with a dash has to be part of its flag's word.
            let given: Vec<String> =
                given.join("\n").replace("configs\n-", "configs=-").split('\n').map(str::to_owned).collect();
            let run = parsed(&given);
            let plan = planned(&run).unwrap_or_else(|failure| panic!("{:#}", failure.error)).remove(0);
            let written = command(&run, &plan, &plan.plan, "process");
            let line = shell::line(&written);
            let again = parsed(&words(&line));
            let plan_again =
                planned(&again).unwrap_or_else(|failure| panic!("{line}: {:#}", failure.error)).remove(0);
            assert_eq!(plan_again.plan, plan.plan, "{line}");
            assert_eq!(
                (again.listen, &again.proxy_configs, again.pull, again.strict),
                (run.listen, &run.proxy_configs, run.pull, run.strict),
                "{line}"
            );
            assert_eq!(command(&again, &plan_again, &plan_again.plan, "process"), written);
        }
    }
}
