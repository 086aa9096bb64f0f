//! The directory of one cell, while the cell runs and right after.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use model::access_log::Logged;
use model::generators::LoadPart;
use model::history::Event;
use model::identity::Incarnation;
use model::ledger::Execution;
use model::sample::Sample;
use serde::Serialize;

use crate::atomic::{write_atomic, write_atomic_with};
use crate::error::StoreError;
use crate::ndjson::write_records;
use crate::run::write_json;

/// Zstandard's own default: level 3 makes 70 to 90 bytes of the 700 that client, backend and balancer write about a request.
const COMPRESSION_LEVEL: i32 = 3;
/// What is compressed at a time, since records are small.
const BLOCK: usize = 128 << 10;

/// The directory of one cell.
#[derive(Clone, Debug)]
pub struct CellDir {
    path: PathBuf,
}

impl CellDir {
    /// Makes the directory and that of the rendered configuration.
    pub(crate) fn create(path: PathBuf) -> Result<CellDir, StoreError> {
        let cell = CellDir::at(path);
        let config = cell.config_dir();
        fs::create_dir_all(&config).map_err(StoreError::write(&config))?;
        Ok(cell)
    }

    /// The directory at `path`, which may not exist.
    pub(crate) fn at(path: PathBuf) -> CellDir {
        CellDir { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// What was rendered for the balancer.
    pub fn config_dir(&self) -> PathBuf {
        self.path.join("config")
    }
    /// Where its components work; gone when the cell has ended.
    pub fn scratch(&self) -> PathBuf {
        self.path.join("run")
    }
    /// What happened, one event a line.
    pub fn history(&self) -> PathBuf {
        self.path.join("history.ndjson")
    }
    /// The client's records while the cell runs; where there are several generators, those of the first.
    pub fn requests(&self) -> PathBuf {
        self.requests_of(LoadPart::WHOLE)
    }
    /// The records of one generator while the cell runs.
    pub fn requests_of(&self, part: LoadPart) -> PathBuf {
        uncompressed(&self.compressed_requests_of(part))
    }
    /// The client's records after [`CellDir::compress_requests`]; where there are several generators, those of the first.
    pub fn compressed_requests(&self) -> PathBuf {
        self.compressed_requests_of(LoadPart::WHOLE)
    }
    /// The records of one generator after [`CellDir::compress_requests`].
    pub fn compressed_requests_of(&self, part: LoadPart) -> PathBuf {
        self.path.join(match part.index {
            0 => "requests.ndjson.zst".to_owned(),
            n => format!("requests.{}.ndjson.zst", n + 1),
        })
    }
    /// What backends received and finished, compressed.
    pub fn ledger(&self) -> PathBuf {
        self.path.join("ledger.ndjson.zst")
    }
    /// Whether what backends received and finished was written.
    pub fn has_ledger(&self) -> bool {
        self.ledger().exists() || uncompressed(&self.ledger()).exists()
    }
    /// The balancer's access log, normalised and compressed.
    pub fn access(&self) -> PathBuf {
        self.path.join("access.ndjson.zst")
    }
    /// What backends and balancer had in hand while the load ran.
    pub fn samples(&self) -> PathBuf {
        self.path.join("samples.ndjson")
    }
    /// The balancer's access log as it wrote it, compressed.
    pub fn access_log(&self) -> PathBuf {
        self.path.join("access.log.zst")
    }
    /// What one life of a user's service said.
    pub fn service_log(&self, incarnation: &Incarnation) -> PathBuf {
        self.path.join("services").join(format!("{}.log", incarnation.to_string().replace('/', ".")))
    }
    /// What the balancer said beside its access log.
    pub fn balancer_log(&self) -> PathBuf {
        self.path.join("balancer.log")
    }
    /// The cell's summary.
    pub fn summary(&self) -> PathBuf {
        self.path.join("summary.json")
    }
    /// The latency of its requests, for HdrHistogram tools.
    pub fn latency_log(&self) -> PathBuf {
        self.path.join("latency.hlog")
    }

    /// Opens the history for its only writer.
    pub fn history_writer(&self) -> Result<HistoryWriter, StoreError> {
        let path = self.history();
        let file =
            OpenOptions::new().create(true).append(true).open(&path).map_err(StoreError::write(&path))?;
        Ok(HistoryWriter { path, file })
    }

    /// Opens the samples for their only writer.
    pub fn sample_writer(&self) -> Result<SampleWriter, StoreError> {
        let path = self.samples();
        let file =
            OpenOptions::new().create(true).append(true).open(&path).map_err(StoreError::write(&path))?;
        Ok(SampleWriter { path, file })
    }

    /// Writes what backends received and finished.
    pub fn write_ledger<'a>(
        &self,
        executions: impl IntoIterator<Item = &'a Execution>,
    ) -> Result<(), StoreError> {
        write_compressed(&self.ledger(), |out| write_records(out, executions))
    }

    /// Writes the balancer's access log, normalised, line by line as `lines` yields them.
    pub fn write_access(&self, lines: impl IntoIterator<Item = Logged>) -> Result<(), StoreError> {
        write_compressed(&self.access(), |out| write_records(out, lines))
    }

    /// Keeps the balancer's access log, which lies at `raw`, as it wrote it.
    pub fn keep_access_log(&self, raw: &Path) -> Result<(), StoreError> {
        compress(raw, &self.access_log())
    }

    /// Compresses the records of so many generators; a plain file goes only when the compressed one stands. Of a generator that
    /// never began there is none.
    pub fn compress_requests(&self, generators: u32) -> Result<(), StoreError> {
        for part in LoadPart::all(generators) {
            let plain = self.requests_of(part);
            match compress(&plain, &self.compressed_requests_of(part)) {
                Err(StoreError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => continue,
                compressed => compressed?,
            }
            fs::remove_file(&plain).map_err(StoreError::write(&plain))?;
        }
        Ok(())
    }

    /// Writes the cell's summary.
    pub fn write_summary(&self, summary: &impl Serialize) -> Result<(), StoreError> {
        write_json(&self.summary(), summary)
    }

    /// Writes the latency of its requests, as an HdrHistogram interval log.
    pub fn write_latency_log(&self, log: &str) -> Result<(), StoreError> {
        write_atomic(&self.latency_log(), log.as_bytes())
    }
}

/// Where the same records are in runs of earlier versions, and while a cell runs: not compressed.
pub(crate) fn uncompressed(path: &Path) -> PathBuf {
    path.with_extension("")
}

/// Replaces `to` by the compressed content of `from`.
fn compress(from: &Path, to: &Path) -> Result<(), StoreError> {
    let mut plain = File::open(from).map_err(StoreError::read(from))?;
    write_compressed(to, |out| io::copy(&mut plain, out).map(drop))
}

/// Replaces `path` by what `fill` writes, compressed.
fn write_compressed(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), StoreError> {
    write_atomic_with(path, |file| {
        let encoder = zstd::Encoder::new(file, COMPRESSION_LEVEL)?;
        let mut out = BufWriter::with_capacity(BLOCK, encoder);
        fill(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.finish().map(drop)
    })
}

/// Appends to a cell's history; each event is in the file when `append` returns.
#[derive(Debug)]
pub struct HistoryWriter {
    path: PathBuf,
    file: File,
}

impl HistoryWriter {
    /// Writes one event.
    pub fn append(&mut self, event: &Event) -> Result<(), StoreError> {
        let mut line =
            serde_json::to_vec(event).map_err(|error| StoreError::write(&self.path)(error.into()))?;
        line.push(b'\n');
        // One write per line, so that a crash can tear the last line only.
        self.file.write_all(&line).map_err(StoreError::write(&self.path))
    }
}

/// Appends to a cell's samples; those of one look are in the file when `append` returns.
#[derive(Debug)]
pub struct SampleWriter {
    path: PathBuf,
    file: File,
}

impl SampleWriter {
    /// Writes the samples of one look.
    pub fn append(&mut self, samples: &[Sample]) -> Result<(), StoreError> {
        let mut lines = Vec::new();
        write_records(&mut lines, samples).map_err(StoreError::write(&self.path))?;
        // One write per look, so that a crash can tear the last line only.
        self.file.write_all(&lines).map_err(StoreError::write(&self.path))
    }
}
