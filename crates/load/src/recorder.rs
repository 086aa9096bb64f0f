//! Writes the records, one JSON line per request, in the order in which they end.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use model::job::Progress;
use model::outcome::OutcomeKind;
use model::request::Request;

/// Bytes that are gathered before they are written.
const BUFFER: usize = 64 * 1024;

/// The records file and what was counted on the way. It keeps no records: its size doesn't grow with time.
pub(crate) struct RequestRecorder {
    file: File,
    buffer: Vec<u8>,
    progress: Progress,
    failure: Option<io::Error>,
}

impl RequestRecorder {
    /// Opens the file for appending.
    pub(crate) fn open(path: &Path) -> io::Result<RequestRecorder> {
        Ok(RequestRecorder {
            file: OpenOptions::new().append(true).create(true).open(path)?,
            buffer: Vec::with_capacity(BUFFER + 1024),
            progress: Progress::default(),
            failure: None,
        })
    }

    /// What was counted so far.
    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// Counts a request that is due.
    pub(crate) fn count_due(&mut self) {
        self.progress.due += 1;
    }

    /// Takes the record of a finished request. A failure to write shows at the next [`RequestRecorder::flush`].
    pub(crate) fn record(&mut self, request: &Request) {
        let kind = request.outcome.kind();
        self.progress.ended += 1;
        self.progress.ok += u64::from(kind == OutcomeKind::Ok);
        self.progress.dropped += u64::from(kind.is_dropped());
        self.progress.http_5xx += u64::from(kind == OutcomeKind::Http5xx);
        let written = serde_json::to_writer(&mut self.buffer, request).map_err(io::Error::from);
        self.buffer.push(b'\n');
        if let Err(error) = written.and_then(|()| self.write_if(BUFFER)) {
            self.failure.get_or_insert(error);
        }
    }

    /// Writes everything that was gathered.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self.failure.take() {
            Some(error) => Err(error),
            None => self.write_if(1),
        }
    }

    fn write_if(&mut self, gathered: usize) -> io::Result<()> {
        if self.buffer.len() >= gathered {
            let written = self.file.write_all(&self.buffer);
            self.buffer.clear();
            return written;
        }
        Ok(())
    }
}
