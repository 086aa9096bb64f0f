//! Runs every command that README and tutorial show, in their order: `make docs-test`.
//!
//! A command is a line of a block of `sh`. It must exit with 0, or as its comment says (`# exit 1`). Each document has a
//! directory of its own with a copy of `scenarios/` whose loads are short, so that the very command that a reader types is
//! run, and takes seconds. `rig up` runs beside the commands that follow it, until the last one that talks to it.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod shorter;
mod steps;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::steps::{Step, steps};

/// The longest command runs ten cells of a few seconds each.
const PATIENCE: Duration = Duration::from_secs(240);
/// How commands begin that are not run here, and why.
const LEFT_OUT: [(&str, &str); 5] = [
    ("make ", "make is what runs this"),
    ("export PATH", "the PATH is set"),
    ("git clone", "this is the clone"),
    ("cd ", "this is the clone"),
    ("docker ", "no registry need be reachable"),
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
            let mut command = Command::new(env!("CARGO_BIN_EXE_rig"));
            command.args(["report", "--format", format]).arg(path).output().unwrap()
        };
        let summary = entry.path().join("summary.json");
        for format in ["table", "markdown", "html", "csv", "junit", "openmetrics"] {
            let said = report(&summary, format);
            assert_eq!(said.status.code(), Some(0), "{format} of {}: {said:?}", summary.display());
        }
        let again = report(&summary, "json").stdout;
        let [kept, again] = [std::fs::read(&summary).unwrap(), again]
            .map(|bytes| serde_json::from_slice::<report::RunSummary>(&bytes).unwrap())
            .map(|summary| serde_json::to_value(summary).unwrap());
        assert_eq!(kept, again);
        // Their directories hold no records, and it is said what can be reported instead.
        let said = report(&entry.path(), "table");
        assert_eq!(said.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&said.stderr).contains("summary.json` prints"), "{said:?}");
        reported += 1;
    }
    assert!(reported > 5, "{} holds few results", reference.display());
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn perform(document: &str) {
    let directory = tempfile::tempdir().unwrap();
    for name in ["scenarios", "docs", "proxy-configs", "docker", "tools"] {
        copy(&root().join(name), &directory.path().join(name));
    }
    shorter::make(&directory.path().join("scenarios"));
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let shell = Shell { directory: directory.path().to_owned(), document: document.to_owned() };
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
    directory: PathBuf,
    document: String,
}

/// A `rig up` beside the commands that follow it.
struct Standing {
    child: Child,
    command: String,
    log: PathBuf,
}

impl Drop for Standing {
    fn drop(&mut self) {
        // Only where a test failed meanwhile: nothing may outlive it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Standing {
    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Shell {
    fn say(&self, text: &str) {
        println!("{}: {text}", self.document);
    }

    fn command(&self, line: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_rig")).parent().unwrap().to_owned();
        let directories = [binary, root().join("tools/bin")];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(directories.into_iter().chain(std::env::split_paths(&path)));
        let mut command = Command::new("bash");
        command.args(["-eu", "-o", "pipefail", "-c", line]).current_dir(&self.directory);
        command.env("PATH", path.unwrap()).env("NO_COLOR", "1").stdin(Stdio::null());
        if !NEEDS_AN_ENGINE.iter().any(|words| line.contains(words)) {
            command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
        }
        command
    }

    fn run(&self, step: &Step) {
        let begun = Instant::now();
        let log = self.directory.join("said.log");
        let file = File::create(&log).unwrap();
        let mut command = self.command(&step.command);
        let mut child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let status = wait(&mut child, begun);
        let said = || String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
        let code = status.unwrap_or_else(|| panic!("`{}` hangs\n{}", step.command, said()));
        assert_eq!(code, Some(step.exits), "`{}` of {}\n{}", step.command, self.document, said());
        self.say(&format!("exit {}, {:.1} s: {}", step.exits, begun.elapsed().as_secs_f64(), step.command));
    }

    fn leave_running(&self, line: &str) -> Standing {
        let log = self.directory.join("up.log");
        let file = File::create(&log).unwrap();
        // Without a shell between, so that a signal to it is a signal to rig.
        let mut command = self.command(&format!("exec {line}"));
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let mut standing = Standing { child, command: line.to_owned(), log };
        let begun = Instant::now();
        while !standing.said().contains("curl") {
            let ended = standing.child.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "`{line}`\n{}", standing.said());
            std::thread::park_timeout(Duration::from_millis(50));
        }
        standing
    }

    /// Ends it as Ctrl-C does.
    fn end(&self, mut standing: Standing) {
        let pid = Pid::from_child(&standing.child);
        kill_process(pid, Signal::INT).unwrap();
        let code = wait(&mut standing.child, Instant::now()).flatten();
        assert!(matches!(code, Some(0 | 130)), "`{}`: {code:?}\n{}", standing.command, standing.said());
        self.say(&format!("exit {}: {}", code.unwrap_or_default(), standing.command));
    }
}

/// The exit code of `child`; `None`: it did not end in time, and was killed.
fn wait(child: &mut Child, begun: Instant) -> Option<Option<i32>> {
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code());
        }
        if begun.elapsed() > PATIENCE {
            drop(child.kill());
            drop(child.wait());
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}
