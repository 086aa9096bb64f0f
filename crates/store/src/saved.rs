//! A run that was saved, read back.

use std::fs;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use model::generators::LoadPart;
use model::identity::CellId;
use model::plan::{self, SavedPlan};
use model::records::{CellRecords, Environment};
use model::request::Request;
use model::sample::Sample;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::bounded::{Bounded, open_regular, read_bounded};
use crate::cell::{CellDir, uncompressed};
use crate::error::StoreError;
use crate::ndjson::{ReadWarning, read_records};
use crate::run::{CELLS, ENVIRONMENT, INTERRUPTED, PLAN, sha256};

/// The longest plan or environment that is read: far longer than any that rig writes.
const MAX_JSON: u64 = 64 << 20;
/// How many times longer than its file a record may get by unpacking: rig's own do ten to thirty times.
const MOST_PACKED: u64 = 200;
/// What is read of a file at a time.
const BUFFER: usize = 128 << 10;

/// A saved run. Its plan and environment are read when it is opened, its cells when they are asked for.
#[derive(Clone, Debug)]
pub struct SavedRun {
    path: PathBuf,
    plan: SavedPlan,
    plan_is: PlanIs,
    environment: Environment,
}

/// Whether a saved plan is the one that was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanIs {
    /// It has the digest that the run recorded.
    AsRun,
    /// It has another.
    Changed,
    /// An earlier version recorded none.
    Unsealed,
}

/// One cell's records, and what had to be left out of them.
#[derive(Clone, Debug)]
pub struct LoadedCell {
    /// The records.
    pub records: CellRecords,
    /// What is missing from them.
    pub warnings: Vec<ReadWarning>,
}

/// The plan in the directory at `path`, and whether it is the one that ran in `environment`.
///
/// # Errors
/// If it can't be read, or another version of rig wrote it.
pub fn plan_of(path: &Path, environment: &Environment) -> Result<(SavedPlan, PlanIs), StoreError> {
    let path = path.join(PLAN);
    let plan: SavedPlan = read_versioned(&path)?;
    let bytes = read_bounded(&path, MAX_JSON).map_err(StoreError::read(&path))?;
    let plan_is = match &environment.plan_sha256 {
        None => PlanIs::Unsealed,
        Some(digest) if *digest == sha256(&bytes) => PlanIs::AsRun,
        Some(_) => PlanIs::Changed,
    };
    Ok((plan, plan_is))
}

impl SavedRun {
    /// Opens a run's directory, or a link to it such as `latest`.
    pub fn open(path: &Path) -> Result<SavedRun, StoreError> {
        // Resolved at once, so that `latest` cannot move to another run between two reads.
        let path = fs::canonicalize(path).map_err(StoreError::read(path))?;
        for missing in [PLAN, ENVIRONMENT] {
            if !path.join(missing).is_file() {
                return Err(StoreError::NotARun { path, missing });
            }
        }
        let environment: Environment = read_json(&path.join(ENVIRONMENT))?;
        let (plan, plan_is) = plan_of(&path, &environment)?;
        Ok(SavedRun { path, plan, plan_is, environment })
    }

    /// Where it is, links resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was to be done.
    pub fn plan(&self) -> &SavedPlan {
        &self.plan
    }

    /// Whether that is what was run.
    pub fn plan_is(&self) -> PlanIs {
        self.plan_is
    }

    /// Where it was measured.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Whether the user interrupted it, in or between cells.
    pub fn was_interrupted(&self) -> bool {
        self.path.join(INTERRUPTED).is_file()
    }

    /// The planned cells that have begun, in the order of tables.
    pub fn cells(&self) -> Vec<CellId> {
        let mut cells = self.plan.cells();
        cells.retain(|cell| self.dir(cell).history().is_file());
        cells
    }

    /// Everything that is known of one cell. A file that an interrupted cell never came to write is a
    /// warning; without a history there is no cell.
    pub fn records(&self, cell: &CellId) -> Result<LoadedCell, StoreError> {
        let dir = self.dir(cell);
        if !dir.history().is_file() {
            return Err(StoreError::NoSuchCell { path: self.path.clone(), cell: cell.to_string() });
        }
        let mut warnings = Vec::new();
        let records = CellRecords {
            cell: cell.clone(),
            history: load_plain(&dir.history(), &mut warnings)?,
            requests: self.requests(&dir, cell, &mut warnings)?,
            executions: load(&dir.ledger(), &mut warnings)?,
            access: load(&dir.access(), &mut warnings)?,
            samples: load_samples(&dir, &mut warnings)?,
        };
        Ok(LoadedCell { records, warnings })
    }

    /// The client's records, in the order in which they ended: as one generator writes them, and as those of several would be.
    fn requests(
        &self,
        dir: &CellDir,
        cell: &CellId,
        warnings: &mut Vec<ReadWarning>,
    ) -> Result<Vec<Request>, StoreError> {
        let generators = self.plan.variant(&cell.variant).map_or(1, |variant| variant.traffic.generators);
        let mut requests: Vec<Request> = Vec::new();
        for part in LoadPart::all(generators) {
            load_into(&dir.compressed_requests_of(part), &mut requests, warnings)?;
        }
        if LoadPart::all(generators).len() > 1 {
            requests.sort_unstable_by_key(|request| (request.end, request.id));
        }
        requests.shrink_to_fit();
        Ok(requests)
    }

    /// The paths of one cell.
    pub fn dir(&self, cell: &CellId) -> CellDir {
        CellDir::at(self.path.join(CELLS).join(cell.to_string()))
    }
}

/// Reads a plan, or the summary of a run whose records were not kept. Its schema is looked at first: in another one everything
/// else may have another shape.
pub fn read_versioned<T: DeserializeOwned>(path: &Path) -> Result<T, StoreError> {
    #[derive(Deserialize)]
    struct Versioned {
        schema: u32,
    }
    let bytes = read_bounded(path, MAX_JSON).map_err(StoreError::read(path))?;
    let Versioned { schema } = parsed(path, &bytes)?;
    match schema {
        plan::SCHEMA => parsed(path, &bytes),
        found => Err(StoreError::Schema { path: path.to_path_buf(), found, wanted: plan::SCHEMA }),
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, StoreError> {
    parsed(path, &read_bounded(path, MAX_JSON).map_err(StoreError::read(path))?)
}

fn parsed<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::Unreadable {
        path: path.to_path_buf(),
        line: error.line() as u64,
        reason: error.to_string(),
    })
}

fn load<T: DeserializeOwned>(path: &Path, warnings: &mut Vec<ReadWarning>) -> Result<Vec<T>, StoreError> {
    let mut records = Vec::new();
    load_into(path, &mut records, warnings)?;
    // A cell has millions of them, and a vector that grows has room for as many again.
    records.shrink_to_fit();
    Ok(records)
}

/// The compressed records where they stand: a plain file beside them is one that a crash kept from removal. Else the plain
/// ones: the cell runs, or an earlier version saved it.
fn load_into<T: DeserializeOwned>(
    path: &Path,
    records: &mut Vec<T>,
    warnings: &mut Vec<ReadWarning>,
) -> Result<(), StoreError> {
    match open_regular(path) {
        Ok(file) => {
            let packed = file.metadata().map_err(StoreError::read(path))?.len();
            let decoder = zstd::Decoder::new(file).map_err(StoreError::read(path))?;
            let limit = packed.saturating_mul(MOST_PACKED).max(MAX_JSON);
            collect(path, Bounded::new(decoder, limit), records, warnings)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            load_plain_into(&uncompressed(path), records, warnings)
        }
        Err(error) => Err(StoreError::read(path)(error)),
    }
}

/// A cell that was saved before there were samples has none, and nothing is wrong with it.
fn load_samples(dir: &CellDir, warnings: &mut Vec<ReadWarning>) -> Result<Vec<Sample>, StoreError> {
    match dir.samples() {
        path if path.exists() => load_plain(&path, warnings),
        _ => Ok(Vec::new()),
    }
}

fn load_plain<T: DeserializeOwned>(
    path: &Path,
    warnings: &mut Vec<ReadWarning>,
) -> Result<Vec<T>, StoreError> {
    let mut records = Vec::new();
    load_plain_into(path, &mut records, warnings)?;
    records.shrink_to_fit();
    Ok(records)
}

fn load_plain_into<T: DeserializeOwned>(
    path: &Path,
    records: &mut Vec<T>,
    warnings: &mut Vec<ReadWarning>,
) -> Result<(), StoreError> {
    match open_regular(path) {
        Ok(file) => collect(path, file, records, warnings),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let path = path.to_path_buf();
            warnings.push(ReadWarning::Absent { path });
            Ok(())
        }
        Err(error) => Err(StoreError::read(path)(error)),
    }
}

fn collect<T: DeserializeOwned>(
    path: &Path,
    content: impl Read,
    records: &mut Vec<T>,
    warnings: &mut Vec<ReadWarning>,
) -> Result<(), StoreError> {
    warnings.extend(read_records(path, BufReader::with_capacity(BUFFER, content), records)?);
    Ok(())
}
