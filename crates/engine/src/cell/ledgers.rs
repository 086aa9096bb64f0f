//! Reads what backends wrote, and what balancers logged, once they are gone.

use std::collections::BTreeMap;
use std::path::Path;

use model::access_log::Logged;
use model::catalog::BalancerKind;
use model::identity::Incarnation;
use model::ledger::{Execution, LedgerLine};
use model::plan::Variant;
use model::units::Nanos;

use super::error::CellError;
use crate::balancer::{Site, adapter};

/// What one incarnation wrote.
#[derive(Debug, Default)]
pub(crate) struct LedgerRecords {
    pub(crate) executions: Vec<Execution>,
    /// From when to when it did not run, although it should have.
    pub(crate) stood: Vec<(Nanos, Nanos)>,
}

/// The ledger of one incarnation. A last line without its end was being written when the process died; it is left out.
pub(crate) fn read_ledger(incarnation: &Incarnation, path: &Path) -> Result<LedgerRecords, CellError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(LedgerRecords::default()),
        Err(error) => return Err(CellError::file(path)(error)),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut executions = BTreeMap::new();
    let mut stood = Vec::new();
    for (number, line) in whole.lines().enumerate() {
        let line = serde_json::from_str(line).map_err(|error| {
            let words = format!("line {}: {error}", number + 1);
            CellError::file(path)(std::io::Error::new(std::io::ErrorKind::InvalidData, words))
        })?;
        match line {
            LedgerLine::Received { n, id, at } => {
                let by = incarnation.clone();
                executions.insert(n, Execution { id, by, received: at, finished: None, late: None });
            }
            LedgerLine::Finished { n, at, late } => {
                if let Some(execution) = executions.get_mut(&n) {
                    (execution.finished, execution.late) = (Some(at), late);
                }
            }
            LedgerLine::Stood { from, to } => stood.push((from, to)),
        }
    }
    Ok(LedgerRecords { executions: executions.into_values().collect(), stood })
}

/// What the balancer logged, and how many lines the adapter could not read.
pub(super) struct AccessRecords {
    pub(super) lines: Vec<Logged>,
    pub(super) unreadable: u64,
    /// What the words in it mean.
    pub(super) meanings: BTreeMap<String, String>,
    /// What the balancer says in it about its backends, beside the requests.
    pub(super) notices: BTreeMap<String, u64>,
}

impl AccessRecords {
    /// Whether any line says which request it is about.
    pub(super) fn has_ids(&self) -> bool {
        self.lines.iter().any(|line| line.id.is_some())
    }

    /// Counts what the balancer's other log, which may not be there, says about its backends.
    pub(super) fn read_notices(&mut self, kind: BalancerKind, path: &Path, site: &Site) {
        let Some(format) = adapter(kind).request_log() else { return };
        let bytes = std::fs::read(path).unwrap_or_default();
        for line in String::from_utf8_lossy(&bytes).lines() {
            if let Some(notice) = format.read_notice(line, site) {
                *self.notices.entry(notice).or_default() += 1;
            }
        }
    }
}

/// Reads an access log; its wall-clock times become monotonic ones through `offset` (wall − monotonic).
pub(super) fn read_access_log(
    kind: BalancerKind,
    path: &Path,
    site: &Site,
    variant: &Variant,
    offset: i64,
) -> Result<AccessRecords, CellError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(CellError::file(path)(error)),
    };
    let mut log = AccessRecords {
        lines: Vec::new(),
        unreadable: 0,
        meanings: BTreeMap::new(),
        notices: BTreeMap::new(),
    };
    let Some(format) = adapter(kind).request_log() else { return Ok(log) };
    let meaning = |word: &String| {
        let sign = format.signs().iter().find(|sign| sign.word == word)?;
        Some((word.clone(), sign.meaning.to_owned()))
    };
    for text in String::from_utf8_lossy(&bytes).lines() {
        match format.read(text, site) {
            Ok(Some(line)) => {
                log.meanings.extend(line.signs.iter().filter_map(meaning));
                log.lines.push(Logged {
                    id: line.id,
                    at: Nanos(line.wall.saturating_sub(offset)),
                    status: line.status,
                    pool: line.pool,
                    attempts: line.attempts,
                    flags: line.flags,
                    queued: line.queued,
                    signs: line.signs,
                    reason: line.reason.map(|reason| format.means(reason, variant)),
                });
            }
            Ok(None) => {
                if let Some(notice) = format.read_notice(text, site) {
                    *log.notices.entry(notice).or_default() += 1;
                }
            }
            Err(_) => log.unreadable += 1,
        }
    }
    Ok(log)
}
