//! What the balancer's access log says so far: which backend it has given how many requests. With backends that are not
//! rig's own, nothing else says it while the load runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use model::catalog::BalancerKind;

use super::error::CellError;
use crate::balancer::{Site, adapter};

/// An access log that is read as it grows.
pub(super) struct Served<'a> {
    kind: BalancerKind,
    site: &'a Site,
    so_far: RefCell<SoFar>,
}

/// Lines by the backend that they name last; those of backends that did not answer are left out.
#[derive(Clone, Debug, Default)]
pub(super) struct LoggedCounts {
    /// Lines with a request's id: the load.
    pub(super) of_load: BTreeMap<String, u64>,
    /// The others: rig itself, and people.
    pub(super) others: BTreeMap<String, u64>,
}

#[derive(Default)]
struct SoFar {
    read: u64,
    /// The beginning of a line whose end has not been written.
    begun: Vec<u8>,
    counts: LoggedCounts,
}

impl<'a> Served<'a> {
    /// The log of the balancer at `site`.
    pub(super) fn by(kind: BalancerKind, site: &'a Site) -> Served<'a> {
        Served { kind, site, so_far: RefCell::default() }
    }

    /// Reads on, and says what is known now.
    pub(super) fn counts(&self) -> Result<LoggedCounts, CellError> {
        let mut so_far = self.so_far.borrow_mut();
        let Some(format) = adapter(self.kind).request_log() else { return Ok(so_far.counts.clone()) };
        let path = self.site.directory.join(adapter(self.kind).logs().access);
        let mut bytes = std::mem::take(&mut so_far.begun);
        let known = bytes.len();
        let read_on = |bytes: &mut Vec<u8>, from: u64| {
            let mut file = std::fs::File::open(&path)?;
            file.seek(SeekFrom::Start(from))?;
            file.read_to_end(bytes)
        };
        match read_on(&mut bytes, so_far.read) {
            Ok(_) => {}
            // It has nothing to say yet.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(CellError::file(path)(error)),
        }
        so_far.read += (bytes.len() - known) as u64;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        so_far.begun = bytes.split_off(whole);
        for text in String::from_utf8_lossy(&bytes).lines() {
            let Ok(Some(line)) = format.read(text, self.site) else { continue };
            let answered = (100..500).contains(&line.status);
            let backend = line.attempts.last().and_then(|attempt| attempt.backend.clone());
            let Some(backend) = backend.filter(|_| answered) else { continue };
            let counts = &mut so_far.counts;
            let counts = if line.id.is_some() { &mut counts.of_load } else { &mut counts.others };
            *counts.entry(backend).or_default() += 1;
        }
        Ok(so_far.counts.clone())
    }
}
