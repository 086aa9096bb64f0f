//! What this incarnation received and finished, written so that its death loses no line.

use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use agent::clock;
use model::identity::RequestId;
use model::ledger::LedgerLine;
use model::units::Nanos;
use tokio::sync::Notify;

/// The ledger file and what can be counted from it.
pub(crate) struct Ledger {
    file: File,
    receipts: Cell<u64>,
    open: Cell<u64>,
    failure: RefCell<Option<io::Error>>,
    failed: Notify,
}

impl Ledger {
    /// Opens the file for appending.
    pub(crate) fn open(path: &Path) -> io::Result<Rc<Ledger>> {
        Ok(Rc::new(Ledger {
            file: OpenOptions::new().append(true).create(true).open(path)?,
            receipts: Cell::new(0),
            open: Cell::new(0),
            failure: RefCell::new(None),
            failed: Notify::new(),
        }))
    }

    /// Requests received so far.
    pub(crate) fn received_so_far(&self) -> u64 {
        self.receipts.get()
    }

    /// Requests received, not finished and not given up.
    pub(crate) fn in_flight(&self) -> u64 {
        self.open.get()
    }

    /// Writes that `id` was received.
    pub(crate) fn receive(self: &Rc<Ledger>, id: RequestId) -> Receipt {
        let n = self.receipts.get();
        self.write(&LedgerLine::Received { n, id, at: clock::now() });
        self.receipts.set(n + 1);
        self.open.set(self.open.get() + 1);
        Receipt { ledger: self.clone(), n, late: None }
    }

    /// Writes that this process did not run from `from` to `to`.
    pub(crate) fn stood(&self, from: Nanos, to: Nanos) {
        self.write(&LedgerLine::Stood { from, to });
    }

    /// Resolves when a line could not be written: a backend without a ledger must stop.
    pub(crate) async fn failure(&self) -> io::Error {
        loop {
            let failed = self.failed.notified();
            if let Some(error) = self.failure.borrow_mut().take() {
                return error;
            }
            failed.await;
        }
    }

    /// Writes a line with a single `write(2)`: appended as a whole, and safe in the kernel if this process is killed.
    fn write(&self, line: &LedgerLine) {
        let written = serde_json::to_vec(line).map_err(io::Error::from).and_then(|mut text| {
            text.push(b'\n');
            let written = (&self.file).write(&text)?;
            (written == text.len()).then_some(()).ok_or_else(|| io::Error::other("a line was cut short"))
        });
        if let Err(error) = written {
            self.failure.replace(Some(error));
            self.failed.notify_one();
        }
    }
}

/// A received request. Dropping it without [`Receipt::finish`] gives the request up: the client went away.
pub(crate) struct Receipt {
    ledger: Rc<Ledger>,
    n: u64,
    late: Option<i64>,
}

impl Receipt {
    /// Notes that its time of service, which was to end at `due`, has ended.
    pub(crate) fn served(&mut self, due: Nanos) {
        self.late = Some(clock::now().0 - due.0);
    }

    /// Writes that the request is finished. To be called before the response's last byte is handed over.
    pub(crate) fn finish(self) {
        self.ledger.write(&LedgerLine::Finished { n: self.n, at: clock::now(), late: self.late });
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.ledger.open.set(self.ledger.open.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_in_the_file_before_the_call_returns() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.ndjson");
        let lines = || -> Vec<LedgerLine> {
            let text = std::fs::read_to_string(&path).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let ledger = Ledger::open(&path).unwrap();
        let first = ledger.receive(RequestId(40));
        let second = ledger.receive(RequestId(40));
        assert!(matches!(
            lines()[..],
            [
                LedgerLine::Received { n: 0, id: RequestId(40), .. },
                LedgerLine::Received { n: 1, id: RequestId(40), .. },
            ]
        ));
        second.finish();
        assert!(matches!(lines()[2], LedgerLine::Finished { n: 1, .. }));
        drop(first);
        assert_eq!(lines().len(), 3, "a request that was given up has no second line");
        assert_eq!((ledger.in_flight(), ledger.received_so_far()), (0, 2));
    }

    #[tokio::test]
    async fn a_line_that_cannot_be_written_is_a_failure() {
        let ledger = Ledger::open(Path::new("/dev/full")).unwrap();
        drop(ledger.receive(RequestId(0)));
        let error = ledger.failure().await;
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
