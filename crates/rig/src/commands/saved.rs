//! Reads saved runs, for the commands that use several of them.

use std::path::{Path, PathBuf};

use anyhow::Context;
use model::plan::SavedPlan;
use report::RunSummary;
use report::run::LabelledRun;
use store::{PlanIs, SavedRun};

use super::judged::judged;
use crate::cli::RESULTS;
use crate::exit::Failure;

/// A run, judged from its records; or what was found then, where only plan and summary were kept.
pub(super) struct ReadRun {
    label: String,
    plan: SavedPlan,
    pub(super) summary: RunSummary,
}

impl ReadRun {
    /// Reads the run at `path`, which may be a link such as `latest`.
    pub(super) fn from(path: &Path) -> Result<ReadRun, Failure> {
        if let Some(kept) = ReadRun::kept(path)? {
            return Ok(kept);
        }
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
        Ok(ReadRun { label: label.display().to_string(), plan: saved.plan().clone(), summary })
    }

    /// A run without records; `None`: it has some.
    fn kept(path: &Path) -> Result<Option<ReadRun>, Failure> {
        let [plan, summary, environment] =
            ["plan.json", "summary.json", "environment.json"].map(|name| path.join(name));
        if !plan.is_file() || !summary.is_file() || environment.is_file() {
            return Ok(None);
        }
        ReadRun::as_it_ended(path).map(Some).map_err(Failure::usage)
    }

    /// The run at `path` as it was judged when it ended, by its summary.
    pub(super) fn as_it_ended(path: &Path) -> anyhow::Result<ReadRun> {
        let read = || -> anyhow::Result<ReadRun> {
            let summary: RunSummary = store::read_versioned(&path.join("summary.json"))?;
            let (plan, plan_is) = store::plan_of(path, &summary.environment)?;
            anyhow::ensure!(plan_is == PlanIs::AsRun, "its plan.json is not the plan that was run");
            let label = path.display().to_string().trim_end_matches('/').to_owned();
            Ok(ReadRun { label, plan, summary })
        };
        read().with_context(|| format!("{} can't be read as a run", path.display()))
    }

    /// As the report crate takes it.
    pub(super) fn run(&self) -> LabelledRun<'_> {
        LabelledRun { label: &self.label, plan: &self.plan, summary: &self.summary }
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
