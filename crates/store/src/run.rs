//! A run that is being written.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use model::identity::CellId;
use model::plan::SavedPlan;
use model::records::Environment;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::atomic::{link_atomic, write_atomic};
use crate::cell::CellDir;
use crate::error::StoreError;

/// The link to a scenario's newest run.
pub(crate) const LATEST: &str = "latest";
/// The directory of a run's cells.
pub(crate) const CELLS: &str = "cells";
/// The plan's file.
pub(crate) const PLAN: &str = "plan.json";
/// The environment's file.
pub(crate) const ENVIRONMENT: &str = "environment.json";
/// Stands in the directory of a run that the user interrupted; it is empty.
pub(crate) const INTERRUPTED: &str = "interrupted";

/// Runs of one scenario that may begin within the same second.
const RUNS_PER_SECOND: u32 = 100;

/// The directory of a run that is being written.
#[derive(Clone, Debug)]
pub struct RunWriter {
    path: PathBuf,
}

impl RunWriter {
    /// Makes `results/<scenario>/<run-id>/` with what is known before the first cell, and points `latest` to
    /// it. The run's id is the time at which it began, as `environment` says.
    pub fn create(
        results: &Path,
        plan: &SavedPlan,
        scenario_text: &str,
        environment: &Environment,
    ) -> Result<RunWriter, StoreError> {
        let home = results.join(single_component("a scenario's name", &plan.scenario)?);
        fs::create_dir_all(&home).map_err(StoreError::write(&home))?;
        let id = create_unique(&home, &run_id(&environment.started)?)?;
        let run = RunWriter { path: home.join(&id) };
        let cells = run.path.join(CELLS);
        fs::create_dir(&cells).map_err(StoreError::write(&cells))?;
        run.write_text("scenario.yaml", scenario_text)?;
        let plan = json(&run.path.join(PLAN), plan)?;
        write_atomic(&run.path.join(PLAN), &plan)?;
        // So that a later change of the plan or its claims is detected.
        let environment = Environment { plan_sha256: Some(sha256(&plan)), ..environment.clone() };
        run.write_json(ENVIRONMENT, &environment)?;
        link_atomic(&home.join(LATEST), &id)?;
        Ok(run)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory of `cell`.
    pub fn cell(&self, cell: &CellId) -> Result<CellDir, StoreError> {
        let name = cell.to_string();
        let path = self.path.join(CELLS).join(single_component("a cell's name", &name)?);
        CellDir::create(path)
    }

    /// Notes that the user interrupted the run: between two cells no history says so.
    pub fn write_interrupted(&self) -> Result<(), StoreError> {
        self.write_text(INTERRUPTED, "")
    }

    /// Writes a rendered report, e.g. `report.md`.
    pub fn write_report(&self, name: &str, text: &str) -> Result<(), StoreError> {
        self.write_text(single_component("a report's name", name)?, text)
    }

    fn write_text(&self, name: &str, text: &str) -> Result<(), StoreError> {
        write_atomic(&self.path.join(name), text.as_bytes())
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), StoreError> {
        write_json(&self.path.join(name), value)
    }
}

/// Replaces `path` by `value`, indented.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
    write_atomic(path, &json(path, value)?)
}

/// What is written to `path` for `value`: indented, and ended by a newline.
fn json(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| StoreError::write(path)(error.into()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The digest of some bytes, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `2026-11-22T13:51:48Z` becomes `20261122T135148Z`, which sorts by time and is a file name everywhere.
fn run_id(started: &str) -> Result<String, StoreError> {
    let wrong =
        || StoreError::Name { wanted: "the time of a run (RFC 3339, UTC)", found: started.to_owned() };
    let seconds = started.strip_suffix('Z').ok_or_else(wrong)?;
    let seconds = seconds.split_once('.').map_or(seconds, |(whole, _)| whole);
    let id: String = seconds.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let (date, time) = id.split_once('T').ok_or_else(wrong)?;
    let digits = |text: &str, n: usize| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(date, 8) || !digits(time, 6) {
        return Err(wrong());
    }
    Ok(format!("{id}Z"))
}

/// Makes `home/id`, or `home/id-2` and so on where runs began within the same second.
fn create_unique(home: &Path, id: &str) -> Result<String, StoreError> {
    for n in 1..=RUNS_PER_SECOND {
        let name = if n == 1 { id.to_owned() } else { format!("{id}-{n}") };
        let path = home.join(&name);
        match fs::create_dir(&path) {
            Ok(()) => return Ok(name),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(StoreError::Write { path, source }),
        }
    }
    Err(StoreError::TooManyRuns { path: home.join(id) })
}

/// `name`, if it stays inside the directory that it is joined to.
pub(crate) fn single_component<'a>(wanted: &'static str, name: &'a str) -> Result<&'a str, StoreError> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        let found = name.to_owned();
        return Err(StoreError::Name { wanted, found });
    }
    Ok(name)
}
