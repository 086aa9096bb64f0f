//! The lines of a log, one after another: it may be longer than the memory that there is.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use super::error::CellError;

/// What ends a line.
pub(super) const LINE_END: [char; 2] = ['\r', '\n'];

/// The lines of a file, each with its end; bytes that are no text are replaced.
pub(super) struct Lines {
    path: PathBuf,
    file: BufReader<File>,
}

impl Lines {
    /// Those of the file at `path`; `None`: there is no such file.
    pub(super) fn of(path: &Path) -> Result<Option<Lines>, CellError> {
        match File::open(path) {
            Ok(file) => Ok(Some(Lines { path: path.to_owned(), file: BufReader::new(file) })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CellError::file(path)(error)),
        }
    }
}

impl Iterator for Lines {
    type Item = Result<String, CellError>;

    fn next(&mut self) -> Option<Result<String, CellError>> {
        let mut bytes = Vec::new();
        match self.file.read_until(b'\n', &mut bytes) {
            Ok(0) => None,
            Ok(_) => Some(Ok(String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))),
            Err(error) => Some(Err(CellError::file(&self.path)(error))),
        }
    }
}
