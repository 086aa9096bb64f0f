//! Runs every command that README and tutorial show, in their order: `make docs-test`.
//!
//! A command is a line of a block of `sh`. It must exit with 0, or as its comment says (`# exit 1`). Each document has a
//! directory of its own with a copy of `scenarios/` whose loads are short, so that the very command that a reader types is
//! run, and takes seconds. `rig up` runs beside the commands that follow it, until the last one that talks to it.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod shorter;
mod steps;

use std::path::{Path, PathBuf};
use std::time::Instant;

use testing::{Invocation, Rig, RunSummary, Running, Sandbox, Signal};

use crate::steps::{Step, steps};

const RIG: Rig = Rig::new(env!("CARGO_BIN_EXE_rig"), "");
/// How commands begin that are not run here, and why.
const LEFT_OUT: [(&str, &str); 14] = [
    ("make ", "make is what runs this"),
    ("export PATH", "the PATH is set"),
    ("git clone", "this is the clone"),
    ("cd ", "this is the clone"),
    ("docker ", "no registry need be reachable"),
    ("cargo install", "it builds everything again; a test of `release` holds the path"),
    ("sudo apt ", "`make dist` makes the package, and a test of `release` looks into it"),
    ("tar ", "`make dist` makes the archive, and a test of `release` looks into it"),
    ("sha256sum ", "a test of `release` checks the checksums"),
    ("gh ", "GitHub need not be reachable"),
    (
        "rig watch https://shop.example.com",
        "there is no such service; end-to-end tests watch one of their own",
    ),
    ("rig adopt", "there is no configuration of one's own; end-to-end tests adopt several"),
    ("rig dossier", "it runs for minutes at full length; a test holds how long, and others what it writes"),
    ("rig run examples/", "end-to-end tests run the examples"),
];
/// What only an engine can do. For everything else processes are quicker, where a machine has both.
const NEEDS_AN_ENGINE: [&str; 5] = ["--runtime docker", "rig images", "rig clean", "rig doctor", "rig up"];

#[test]
#[ignore = "takes minutes: make docs-test"]
fn every_command_of_the_readme_exits_as_it_says() {
    perform("README.md");
}

#[test]
#[ignore = "takes minutes: make docs-test"]
fn every_command_of_the_tutorial_exits_as_it_says() {
    perform("docs/tutorial.md");
}

#[test]
fn the_committed_results_can_be_reported_again() {
    let reference = root().join("results/reference");
    let mut reported = 0;
    for entry in std::fs::read_dir(&reference).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let report = |path: &Path, format: &str| {
            RIG.idle().command(["report", "--format", format]).args([path]).ends()
        };
        let summary = entry.path().join("summary.json");
        for format in ["table", "markdown", "html", "svg", "csv", "junit", "openmetrics", "github"] {
            report(&summary, format).exits(0);
        }
        let markdown = std::fs::read_to_string(entry.path().join("report.md")).unwrap();
        let made = report(&summary, "markdown").out;
        let differs = made.lines().zip(markdown.lines()).find(|(now, kept)| now != kept);
        assert!(made == markdown, "{}: {differs:?}; renew it with rig report", entry.path().display());
        let kept: RunSummary = serde_json::from_slice(&std::fs::read(&summary).unwrap()).unwrap();
        let again = report(&summary, "json").summary();
        assert_eq!(serde_json::to_value(kept).unwrap(), serde_json::to_value(again).unwrap());
        // Their directories hold no records, and it is said what can be reported instead.
        report(&entry.path(), "table").exits(2).complains("summary.json` prints");
        reported += 1;
    }
    assert!(reported > 5, "{} holds few results", reference.display());
}

#[test]
fn the_readme_shows_the_first_table_of_the_committed_report() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let report = read("results/reference/drain/report.md");
    let rows = report.lines().skip_while(|line| !line.starts_with('|'));
    let table: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
    assert!(table.len() > 5 && read("README.md").contains(&table.join("\n")), "{table:#?}");
}

#[test]
fn what_the_readme_quotes_is_in_the_committed_report() {
    let read = |path: &str| {
        let text = std::fs::read_to_string(root().join(path)).unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ").replace("&gt;", ">")
    };
    let (readme, report) = (read("README.md"), read("results/reference/drain/report.md"));
    for (before, after) in [
        ("where the lost requests went (\"", "\")"),
        ("window was found (\"", "\")"),
        ("slower than any other (`", "`)"),
        ("**A zero says how much it proves**: ", " that the undrained"),
        ("draining saved ", "; three replacements"),
    ] {
        let quote = readme.split_once(before).and_then(|(_, rest)| rest.split_once(after)).unwrap().0;
        assert!(report.contains(quote), "README.md says `{quote}`, and the report does not");
    }
}

#[test]
fn the_samples_are_what_rig_makes_of_the_committed_results_and_each_is_one_page() {
    let made = tempfile::tempdir().unwrap();
    let script = std::process::Command::new(root().join("tools/samples.sh"))
        .args([env!("CARGO_BIN_EXE_rig").as_ref(), made.path()])
        .status()
        .unwrap();
    assert!(script.success());
    for name in
        ["writeup", "runbook-nginx", "runbook-haproxy", "runbook-envoy"].map(|name| format!("{name}.md"))
    {
        let read = |directory: &Path| std::fs::read_to_string(directory.join(&name)).unwrap();
        let text = read(made.path());
        assert!(text.lines().count() <= 70, "{name}: {} lines", text.lines().count());
        assert!(text == read(&root().join("docs/samples")), "{name} is not current: make samples");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn perform(document: &str) {
    let shell = Shell { sandbox: RIG.alone(), document: document.to_owned() };
    let directory = shell.sandbox.path();
    for name in ["scenarios", "docs", "proxy-configs", "docker", "tools"] {
        copy(&root().join(name), &directory.join(name));
    }
    shorter::make(&directory.join("scenarios"));
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let mut standing = None;
    let mut performed = 0;
    for step in steps(&text) {
        let command = &step.command;
        if let Some((_, why)) = LEFT_OUT.iter().find(|(begins, _)| command.starts_with(begins)) {
            shell.say(&format!("left out, {why}: {command}"));
            continue;
        }
        performed += 1;
        let talks_to_it = command.contains("--deploy");
        if !talks_to_it && let Some(running) = standing.take() {
            shell.end(running);
        }
        if command.starts_with("rig up") && !talks_to_it {
            standing = Some(shell.leave_running(command));
        } else {
            shell.run(&step);
        }
    }
    if let Some(running) = standing {
        shell.end(running);
    }
    assert!(performed > 0, "{document} shows no command: this looks for the wrong thing");
}

/// Copies `from` with all that it holds, but no downloads.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        match path.is_dir() {
            true if name == "bin" || name == "venv" => {}
            true => copy(&path, &to.join(name)),
            false => drop(std::fs::copy(&path, to.join(name)).unwrap()),
        }
    }
}

/// Where a document's commands run.
struct Shell {
    sandbox: Sandbox,
    document: String,
}

impl Shell {
    fn say(&self, text: &str) {
        println!("{}: {text}", self.document);
    }

    fn command(&self, line: &str) -> Invocation {
        let command = self.sandbox.shell(line).env("NO_COLOR", "1");
        if NEEDS_AN_ENGINE.iter().any(|words| line.contains(words)) {
            command
        } else {
            command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        }
    }

    fn run(&self, step: &Step) {
        let begun = Instant::now();
        let mut running = self.command(&step.command).begin();
        let status = running.ends();
        assert_eq!(status.code(), Some(step.exits), "{status:?}: {}", running.said());
        self.say(&format!("exit {}, {:.1} s: {}", step.exits, begun.elapsed().as_secs_f64(), step.command));
    }

    fn leave_running(&self, line: &str) -> Running {
        // Without a shell between, so that a signal to it is a signal to rig.
        let mut standing = self.command(&format!("exec {line}")).begin();
        standing.until_it_says("curl");
        standing
    }

    /// Ends it as Ctrl-C does.
    fn end(&self, mut standing: Running) {
        standing.signal(Signal::INT);
        let code = standing.ends().code();
        assert!(matches!(code, Some(0 | 130)), "{code:?}: {}", standing.said());
        self.say(&format!("exit {}: rig up", code.unwrap_or_default()));
    }
}
