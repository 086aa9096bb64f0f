//! Newline-delimited JSON: one record a line, whole lines only.

use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;

/// The longest line that is read; records are a few hundred bytes.
const MAX_LINE: u64 = 1 << 20;

/// Something that a reader had to leave out, and that a report must mention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadWarning {
    /// The last line has no end: its writer died. It was dropped.
    TornLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// The file was never written.
    Absent {
        /// The file.
        path: PathBuf,
    },
}

impl fmt::Display for ReadWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadWarning::TornLine { path, line } => {
                write!(f, "{}:{line}: torn last line dropped", path.display())
            }
            ReadWarning::Absent { path } => write!(f, "{} is missing", path.display()),
        }
    }
}

/// Adds every record of `reader`, which is the content of `path`, to `records`. A last line without its newline that is
/// not a record was torn off by a crash; any other unreadable line is an error.
pub(crate) fn read_records<T: DeserializeOwned>(
    path: &Path,
    mut reader: impl BufRead,
    records: &mut Vec<T>,
) -> Result<Option<ReadWarning>, StoreError> {
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let read =
            reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes).map_err(StoreError::read(path))?;
        if read == 0 {
            break;
        }
        let whole = bytes.ends_with(b"\n");
        match serde_json::from_slice(&bytes) {
            Ok(record) => records.push(record),
            Err(_) if !whole && (read as u64) < MAX_LINE => {
                let path = path.to_path_buf();
                return Ok(Some(ReadWarning::TornLine { path, line }));
            }
            Err(error) => {
                let reason = match whole {
                    true => error.to_string(),
                    false => format!("the line is longer than {MAX_LINE} bytes, which no record is"),
                };
                return Err(StoreError::Unreadable { path: path.to_path_buf(), line, reason });
            }
        }
    }
    Ok(None)
}

/// Writes `records`, one a line.
pub(crate) fn write_records<T: Serialize>(
    out: &mut (impl Write + ?Sized),
    records: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    for record in records {
        serde_json::to_writer(&mut *out, &record)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Vec<u32>, Option<ReadWarning>), StoreError> {
        let mut records = Vec::new();
        let warning = read_records(Path::new("numbers.ndjson"), text.as_bytes(), &mut records)?;
        Ok((records, warning))
    }

    #[test]
    fn a_torn_last_line_is_dropped_and_reported() {
        let (records, warning) = read("1\n2\n{\"to").unwrap();
        assert_eq!(records, [1, 2]);
        assert_eq!(warning.unwrap().to_string(), "numbers.ndjson:3: torn last line dropped");
    }

    #[test]
    fn a_complete_last_line_without_a_newline_is_kept() {
        assert_eq!(read("1\n2").unwrap(), (vec![1, 2], None));
    }

    #[test]
    fn an_unreadable_earlier_line_is_an_error_with_its_place() {
        let error = read("1\nx\n3\n").unwrap_err().to_string();
        assert!(error.starts_with("numbers.ndjson:2: "), "{error}");
        let error = read("1\nx\n").unwrap_err().to_string();
        assert!(error.starts_with("numbers.ndjson:2: "), "{error}");
    }

    #[test]
    fn a_line_beyond_the_limit_is_an_error_and_not_read_to_its_end() {
        let endless = "[".repeat(MAX_LINE as usize + 10);
        assert!(matches!(read(&endless), Err(StoreError::Unreadable { line: 1, .. })));
    }

    #[test]
    fn written_records_read_back() {
        let mut bytes = Vec::new();
        write_records(&mut bytes, [3_u32, 4]).unwrap();
        assert_eq!(read(std::str::from_utf8(&bytes).unwrap()).unwrap(), (vec![3, 4], None));
    }
}
