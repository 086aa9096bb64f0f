//! Reads files that others may have placed there: regular files only, up to a limit. A FIFO would block for ever, and an
//! endless file would use up all memory.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a regular file.
///
/// # Errors
/// It can't be opened, or is something else, which the error names.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Without it, opening a FIFO without a writer would wait for one. To a regular file it means nothing.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.file_type() {
        kind if kind.is_file() => Ok(file),
        kind => {
            Err(io::Error::new(ErrorKind::InvalidInput, format!("it is {}, not a regular file", named(kind))))
        }
    }
}

fn named(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        _ => "something else",
    }
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// It can't be read, is something else, or is longer.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Bounded::new(open_regular(path)?, limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the last bytes of a regular file, at most so many.
///
/// # Errors
/// It can't be read, or is something else.
pub fn read_end(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut file = open_regular(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A reader that fails beyond a number of bytes.
pub(crate) struct Bounded<R> {
    inner: R,
    limit: u64,
    left: u64,
}

impl<R> Bounded<R> {
    pub(crate) fn new(inner: R, limit: u64) -> Bounded<R> {
        Bounded { inner, limit, left: limit }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => Err(io::Error::new(
                ErrorKind::InvalidData,
                format!("it holds more than the {} bytes that are read of it", self.limit),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(path: &Path) -> String {
        read_bounded(path, 10).unwrap_err().to_string()
    }

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "0123456789").unwrap();
        assert_eq!(read_bounded(&path, 10).unwrap(), b"0123456789");
        std::fs::write(&path, "0123456789a").unwrap();
        assert_eq!((read_end(&path, 3).unwrap(), read_end(&path, 20).unwrap().len()), (b"89a".to_vec(), 11));
        assert_eq!(why(&path), "it holds more than the 10 bytes that are read of it");
        assert_eq!(read_bounded(&dir.path().join("none"), 10).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn what_is_no_regular_file_is_named_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        assert_eq!(why(&fifo), "it is a pipe, not a regular file");
        assert_eq!(why(Path::new("/dev/zero")), "it is a device, not a regular file");
        assert_eq!(why(dir.path()), "it is a directory, not a regular file");
    }
}
