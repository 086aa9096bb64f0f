//! Runs the binary and looks at what it leaves.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bollard::Docker;
use serde_json::Value;

use crate::shared::{docker, made};

/// Nothing in these tests takes longer; what does has hung.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) use crate::shared::{beside_others, machine};

/// What `ask` makes of the Docker engine; `None`: there is none, and a test that needs it is to end.
pub(crate) fn of_docker<T>(ask: impl AsyncFnOnce(&Docker) -> T) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(async {
        let (_, docker) = docker().await?;
        Some(ask(&docker).await)
    })
}

/// Whether there is an engine.
pub(crate) fn has_docker() -> bool {
    of_docker(async |_| ()).is_some()
}

/// Containers and networks that were made for the process `pid`; none where there is no engine.
pub(crate) fn made_by(pid: u32) -> Vec<String> {
    let made = of_docker(async |docker| made(docker).await).unwrap_or_default();
    let mut names: Vec<String> = made.into_iter().filter(|it| it.is_of(pid)).map(|it| it.name).collect();
    names.sort();
    names
}

/// The `rig` command; results go to `out`.
pub(crate) fn rig(out: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rig"));
    command.current_dir(out).args(arguments).stdin(Stdio::null());
    for kind in ["NGINX", "HAPROXY", "ENVOY", "REDIS"] {
        command.env_remove(format!("RIG_{kind}"));
    }
    command
}

/// A scenario of these tests.
pub(crate) fn scenario(name: &str) -> String {
    format!("{}/tests/end_to_end/scenarios/{name}.yaml", env!("CARGO_MANIFEST_DIR"))
}

/// A scenario that users have.
pub(crate) fn bundled(name: &str) -> String {
    format!("{}/../../scenarios/{name}.yaml", env!("CARGO_MANIFEST_DIR"))
}

/// What a finished `rig` said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn said(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command.output().expect("rig can be executed");
    let text = |bytes| String::from_utf8(bytes).expect("rig writes UTF-8");
    Said { code: status.code().expect("rig ends by itself"), out: text(stdout), err: text(stderr) }
}

/// A cell of a run's JSON.
pub(crate) fn cell<'a>(run: &'a Value, balancer: &str, variant: &str) -> &'a Value {
    run["cells"]
        .as_array()
        .expect("a run has cells")
        .iter()
        .find(|cell| cell["balancer"] == balancer && cell["variant"] == variant)
        .unwrap_or_else(|| panic!("no cell {balancer} {variant}"))
}

/// A `rig run` in the background, with its results below `out`.
pub(crate) struct Running {
    pub(crate) child: Child,
    out: PathBuf,
}

impl Running {
    pub(crate) fn start(out: &Path, arguments: &[&str]) -> Running {
        Running::of(out, &mut rig(out, arguments))
    }

    /// The command, its results below `out`.
    pub(crate) fn of(out: &Path, command: &mut Command) -> Running {
        let said = std::fs::File::create(out.join("said")).unwrap();
        let child = command.stdout(said.try_clone().unwrap()).stderr(said).spawn();
        Running { child: child.expect("rig can be executed"), out: out.to_owned() }
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.out.join("said")).unwrap()).into_owned()
    }

    /// Waits until the first cell's history has `event`, and returns the history.
    pub(crate) fn until(&mut self, event: &str) -> Vec<Value> {
        let wanted = format!("\"event\":\"{event}\"");
        eventually(&format!("the event {event}"), || {
            assert_eq!(self.child.try_wait().unwrap(), None, "rig ended before the event {event}");
            let text = histories(&self.out).into_iter().find(|text| text.contains(&wanted))?;
            Some(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
        })
    }
}

/// The histories of all cells below `out`.
pub(crate) fn histories(out: &Path) -> Vec<String> {
    files(out)
        .into_iter()
        .filter(|path| path.ends_with("history.ndjson"))
        .filter_map(|p| std::fs::read_to_string(p).ok())
        .collect()
}

/// Every file below `directory`.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

/// Every process that a history says was launched.
pub(crate) fn launched(history: &[Value]) -> Vec<u32> {
    history
        .iter()
        .filter(|event| event["event"] == "launched")
        .map(|event| u32::try_from(event["pid"].as_u64().unwrap()).unwrap())
        .collect()
}

/// Processes of the process groups `groups` (a balancer's workers are in its group) that still run.
pub(crate) fn alive(groups: &[u32]) -> Vec<String> {
    let stat = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    std::fs::read_dir("/proc")
        .expect("/proc can be read")
        .flatten()
        .filter_map(|entry| stat(entry.file_name().to_str()?))
        .filter(|stat| {
            // pid (comm) state ppid pgrp …; comm may hold anything, even parentheses.
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            let group = fields.get(2).and_then(|group| group.parse().ok()).unwrap_or(0);
            fields.first() != Some(&"Z") && groups.contains(&group)
        })
        .collect()
}

/// Waits until `look` finds something, and returns it.
pub(crate) fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// Waits so long until `look` finds something, and returns it.
pub(crate) fn within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < patience, "waited {} s for {what}", patience.as_secs());
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
