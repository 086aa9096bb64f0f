//! Writes files atomically: a reader sees the old file or the new one, never half of each.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// The neighbour of `path` that is written first. One writer per results directory is assumed: the process
/// id keeps two runs of one scenario apart, which share `latest`.
pub(crate) fn staging_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

/// Replaces `path` by what `fill` writes, or leaves it as it was.
pub(crate) fn write_atomic_with(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), StoreError> {
    let staged = staging_path(path);
    let written = (|| {
        let mut file = BufWriter::new(File::create(&staged)?);
        fill(&mut file)?;
        // Flushed and synced before the rename, or a power cut could leave a new name on old content.
        file.flush()?;
        file.get_ref().sync_data()?;
        fs::rename(&staged, path)
    })();
    written.map_err(|source| {
        // The failure that matters is the one that is returned; the staged file may not even exist.
        let _ = fs::remove_file(&staged);
        StoreError::Write { path: path.to_path_buf(), source }
    })
}

/// Replaces `path` by `bytes`: a reader sees the old content or the new one, never a part.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_atomic_with(path, |file| file.write_all(bytes))
}

/// Replaces the symbolic link `path` by one to `target`.
pub(crate) fn link_atomic(path: &Path, target: &str) -> Result<(), StoreError> {
    let staged = staging_path(path);
    // A link left by a process that died between the two calls, and had our id.
    let _ = fs::remove_file(&staged);
    std::os::unix::fs::symlink(target, &staged)
        .and_then(|()| fs::rename(&staged, path))
        .map_err(StoreError::write(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_content_and_no_litter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("summary.json");
        write_atomic(&path, b"old").unwrap();
        let error = write_atomic_with(&path, |file| {
            file.write_all(b"half of the new")?;
            Err(std::io::ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert!(error.to_string().contains("summary.json"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_replaced_without_ever_being_absent() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("latest");
        link_atomic(&link, "one").unwrap();
        link_atomic(&link, "two").unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("two"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
