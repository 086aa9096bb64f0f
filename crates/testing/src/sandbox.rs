//! Where a test runs rig: a directory of its own, and the machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use report::RunSummary;
use tempfile::TempDir;

use crate::docker;
use crate::history::History;
use crate::invocation::Invocation;
use crate::left;
use crate::machine::Machine;
use crate::skip;

/// The binary under test.
#[derive(Clone, Copy, Debug)]
pub struct Rig {
    pub(crate) executable: &'static str,
    scenarios: &'static str,
}

/// The scenarios that users have.
const BUNDLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");

impl Rig {
    /// The executable, which is `env!("CARGO_BIN_EXE_rig")`, and the directory with the tests' own scenarios.
    pub const fn new(executable: &'static str, scenarios: &'static str) -> Rig {
        Rig { executable, scenarios }
    }

    /// For a test that needs the whole machine.
    pub fn alone(self) -> Sandbox {
        Sandbox::with(self, Some(Arc::new(Machine::alone())))
    }

    /// For a test that judges counts, and may run beside others that do.
    pub fn beside_others(self) -> Sandbox {
        Sandbox::with(self, Some(Arc::new(Machine::shared())))
    }

    /// For a test that runs no load.
    pub fn idle(self) -> Sandbox {
        Sandbox::with(self, None)
    }

    /// The file of a scenario: `name` is one of the tests' own, or one that users have.
    pub fn scenario(self, name: &str) -> String {
        let places = [self.scenarios, BUNDLED].map(|place| format!("{place}/{name}.yaml"));
        let found: Vec<String> = places.into_iter().filter(|path| Path::new(path).is_file()).collect();
        match <[String; 1]>::try_from(found) {
            Ok([path]) => path,
            Err(found) => panic!("which scenario is {name}? {found:?}"),
        }
    }
}

/// A directory that is removed when the test ends, and what of the machine the test was given.
#[derive(Clone, Debug)]
pub struct Sandbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rig: Rig,
    directory: TempDir,
    /// Released after the directory is gone.
    machine: Option<Arc<Machine>>,
}

impl Sandbox {
    fn with(rig: Rig, machine: Option<Arc<Machine>>) -> Sandbox {
        let directory = tempfile::tempdir().expect("a directory can be made");
        Sandbox(Arc::new(Inner { rig, directory, machine }))
    }

    /// A new directory, for the next part of the same test.
    pub fn fresh(&self) -> Sandbox {
        Sandbox::with(self.0.rig, self.0.machine.clone())
    }

    /// This, if there is a Docker engine; else the test is to end: the reason has been printed.
    pub fn with_docker(self) -> Option<Sandbox> {
        docker::ask(async |_, _| ()).map(|()| self)
    }

    /// This, if it runs beside a Kubernetes of the tests; else the test is to end: the reason has been printed.
    pub fn with_kubernetes(self) -> Option<Sandbox> {
        let known = std::env::var_os("RIG_TEST_KUBERNETES");
        let missing = "no Kubernetes of the tests: `tools/kubernetes-for-tests.sh COMMAND` starts one";
        skip::unless_allowed(known.ok_or(missing), "RIG_REQUIRE_KUBERNETES").map(|_| self)
    }

    /// The binary under test.
    pub fn rig(&self) -> Rig {
        self.0.rig
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.0.directory.path()
    }

    /// Writes a file, and returns its path.
    pub fn write(&self, name: impl AsRef<Path>, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a file is in a directory")).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// `rig run` of a [scenario](Rig::scenario): on local processes and `--quiet`, unless something else is said.
    pub fn run(&self, scenario: &str) -> Invocation {
        Invocation::run(self.clone(), self.rig().scenario(scenario))
    }

    /// `rig run` of a file, as it is named.
    pub fn run_file(&self, file: impl AsRef<OsStr>) -> Invocation {
        Invocation::run(self.clone(), file)
    }

    /// `rig` with these arguments, and nothing else.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Invocation {
        Invocation::new(self.clone(), arguments)
    }

    /// A line for bash, in which `rig` is the binary under test.
    pub fn shell(&self, line: &str) -> Invocation {
        Invocation::shell(self.clone(), line)
    }

    /// Every file in the directory and below.
    pub fn files(&self) -> Vec<PathBuf> {
        files(self.path())
    }

    /// The text of the file whose path ends with `end`, unpacked.
    pub fn read(&self, end: &str) -> String {
        let found = self.files().into_iter().find(|path| path.to_string_lossy().ends_with(end));
        let path = found.unwrap_or_else(|| panic!("no {end} in {:?}", self.files()));
        text(&path)
    }

    /// The histories of all cells.
    pub fn histories(&self) -> Vec<History> {
        let paths = self.files().into_iter().filter(|path| path.ends_with("history.ndjson"));
        paths.filter_map(|path| std::fs::read_to_string(path).ok()).map(History::parse).collect()
    }

    /// The summary that the only run in this directory has saved.
    pub fn saved(&self) -> RunSummary {
        let is_of_run =
            |path: &PathBuf| path.ends_with("summary.json") && !path.iter().any(|part| part == "cells");
        let saved: Vec<PathBuf> = self.files().into_iter().filter(is_of_run).collect();
        let [path] = saved.as_slice() else { panic!("one run was to be saved: {saved:?}") };
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// Every process that works in the directory or below.
    pub fn processes(&self) -> Vec<String> {
        left::processes_below(self.path())
    }
}

/// The text of a file, unpacked if its name says that it is packed.
pub fn text(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let packed = path.extension().is_some_and(|extension| extension == "zst");
    let bytes = if packed { zstd::decode_all(bytes.as_slice()).unwrap() } else { bytes };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every file below `directory`; links are not followed.
pub fn files(directory: &Path) -> Vec<PathBuf> {
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
