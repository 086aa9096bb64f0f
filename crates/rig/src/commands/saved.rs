//! Reads saved runs, for the commands that use several of them.

use std::path::{Path, PathBuf};

use anyhow::Context;
use report::RunSummary;
use report::run::LabelledRun;
use store::SavedRun;

use super::judged::judged;
use crate::cli::RESULTS;
use crate::exit::Failure;

/// A saved run, judged.
pub(super) struct ReadRun {
    label: String,
    saved: SavedRun,
    pub(super) summary: RunSummary,
}

impl ReadRun {
    /// Reads the run at `path`, which may be a link such as `latest`.
    pub(super) fn from(path: &Path) -> Result<ReadRun, Failure> {
        let saved = SavedRun::open(path)
            .with_context(|| format!("{} can't be read as a run", path.display()))
            .map_err(Failure::usage)?;
        let summary = judged(&saved, Vec::new()).map_err(Failure::environment)?.run;
        // `latest` will mean another run later.
        let id = saved.path().file_name().unwrap_or_default();
        let label = match path.file_name() {
            Some(_) => path.with_file_name(id),
            None => saved.path().to_owned(),
        };
        Ok(ReadRun { label: label.display().to_string(), saved, summary })
    }

    /// As the report crate takes it.
    pub(super) fn run(&self) -> LabelledRun<'_> {
        LabelledRun { label: &self.label, plan: self.saved.plan(), summary: &self.summary }
    }
}

/// Reads the named runs, or the newest run of each scenario.
pub(super) fn read(named: &[PathBuf]) -> Result<Vec<ReadRun>, Failure> {
    let newest = match named {
        [] => store::newest(Path::new(RESULTS)).map_err(Failure::environment)?,
        named => named.to_vec(),
    };
    newest.iter().map(|path| ReadRun::from(path)).collect()
}
