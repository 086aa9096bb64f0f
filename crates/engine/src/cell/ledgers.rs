//! Reads what backends wrote, and what balancers logged, once they are gone.

use std::collections::BTreeMap;
use std::path::Path;

use model::access_log::Logged;
use model::catalog::BalancerKind;
use model::identity::Incarnation;
use model::interned::Interned;
use model::ledger::{Execution, LedgerLine};
use model::plan::Variant;
use model::units::Nanos;

use super::error::CellError;
use super::lines::{LINE_END, Lines};
use crate::balancer::{LogsRequests, Site, adapter};

/// What one incarnation wrote.
#[derive(Debug, Default)]
pub(crate) struct LedgerRecords {
    pub(crate) executions: Vec<Execution>,
    /// From when to when it did not run, although it should have.
    pub(crate) stood: Vec<(Nanos, Nanos)>,
}

/// The ledger of one incarnation. A last line without its end was being written when the process died; it is left out.
pub(crate) fn read_ledger(incarnation: &Incarnation, path: &Path) -> Result<LedgerRecords, CellError> {
    let mut records = LedgerRecords::default();
    let Some(lines) = Lines::of(path)? else { return Ok(records) };
    let by = Interned::from(incarnation.clone());
    // Receipts that are not finished yet, each with its place.
    let mut open = BTreeMap::new();
    for (line, number) in lines.zip(1..) {
        let line = line?;
        let Some(line) = line.strip_suffix('\n') else { break };
        let line = serde_json::from_str(line).map_err(|error| {
            let words = format!("line {number}: {error}");
            CellError::file(path)(std::io::Error::new(std::io::ErrorKind::InvalidData, words))
        })?;
        match line {
            LedgerLine::Received { n, id, at } => {
                open.insert(n, records.executions.len());
                records.executions.push(Execution { id, by, received: at, finished: None, late: None });
            }
            LedgerLine::Finished { n, at, late } => {
                if let Some(place) = open.remove(&n) {
                    let execution = &mut records.executions[place];
                    (execution.finished, execution.late) = (Some(at), late);
                }
            }
            LedgerLine::Stood { from, to } => records.stood.push((from, to)),
        }
    }
    Ok(records)
}

/// An access log that is read line by line: it may be longer than the memory that there is. Its wall-clock times become monotonic
/// ones.
pub(super) struct AccessLogReader<'a> {
    lines: Option<Lines>,
    format: Option<&'static dyn LogsRequests>,
    site: &'a Site,
    variant: &'a Variant,
    /// Wall clock − monotonic.
    offset: i64,
    found: AccessRecords,
    failed: Option<CellError>,
}

/// What the balancer logged, beside its lines about requests.
#[derive(Debug, Default)]
pub(super) struct AccessRecords {
    /// Lines about requests.
    pub(super) lines: u64,
    /// Whether any of them says which request it is about.
    pub(super) has_ids: bool,
    /// Lines that the adapter could not read.
    pub(super) unreadable: u64,
    /// What the words in it mean.
    pub(super) meanings: BTreeMap<String, String>,
    /// What the balancer says in it about its backends, beside the requests.
    pub(super) notices: BTreeMap<String, u64>,
}

impl AccessRecords {
    /// Counts what the balancer's other log, which may not be there, says about its backends.
    pub(super) fn read_notices(
        &mut self,
        kind: BalancerKind,
        path: &Path,
        site: &Site,
    ) -> Result<(), CellError> {
        let Some(format) = adapter(kind).request_log() else { return Ok(()) };
        for line in Lines::of(path)?.into_iter().flatten() {
            if let Some(notice) = format.read_notice(line?.trim_end_matches(LINE_END), site) {
                *self.notices.entry(notice).or_default() += 1;
            }
        }
        Ok(())
    }
}

impl<'a> AccessLogReader<'a> {
    /// The log at `path`, which may not be there.
    pub(super) fn open(
        kind: BalancerKind,
        path: &Path,
        site: &'a Site,
        variant: &'a Variant,
        offset: i64,
    ) -> Result<AccessLogReader<'a>, CellError> {
        let (lines, format) = (Lines::of(path)?, adapter(kind).request_log());
        Ok(AccessLogReader {
            lines,
            format,
            site,
            variant,
            offset,
            found: AccessRecords::default(),
            failed: None,
        })
    }

    /// What was found in all of it, once its last line was taken.
    pub(super) fn found(self) -> Result<AccessRecords, CellError> {
        self.failed.map_or(Ok(self.found), Err)
    }

    /// What one line says about a request; `None`: nothing.
    fn read(&mut self, format: &dyn LogsRequests, text: &str) -> Option<Logged> {
        let line = match format.read(text, self.site) {
            Ok(Some(line)) => line,
            Ok(None) => {
                if let Some(notice) = format.read_notice(text, self.site) {
                    *self.found.notices.entry(notice).or_default() += 1;
                }
                return None;
            }
            Err(_) => {
                self.found.unreadable += 1;
                return None;
            }
        };
        for word in &line.signs {
            let sign = format.signs().iter().find(|sign| sign.word == word);
            if let Some(sign) = sign.filter(|_| !self.found.meanings.contains_key(word)) {
                self.found.meanings.insert(word.clone(), sign.meaning.to_owned());
            }
        }
        self.found.lines += 1;
        self.found.has_ids |= line.id.is_some();
        Some(Logged {
            id: line.id,
            at: Nanos(line.wall.saturating_sub(self.offset)),
            status: line.status,
            pool: line.pool.map(Interned::from),
            attempts: line.attempts.into(),
            flags: line.flags.into(),
            queued: line.queued,
            signs: line.signs.into(),
            reason: line.reason.map(|reason| format.means(reason, self.variant)),
        })
    }
}

impl Iterator for AccessLogReader<'_> {
    type Item = Logged;

    fn next(&mut self) -> Option<Logged> {
        let format = self.format?;
        loop {
            match self.lines.as_mut()?.next()? {
                Ok(text) => {
                    if let Some(line) = self.read(format, text.trim_end_matches(LINE_END)) {
                        return Some(line);
                    }
                }
                Err(error) => {
                    self.failed = Some(error);
                    return None;
                }
            }
        }
    }
}
