//! A root file system as a tar archive whose bytes depend on the files' contents, names and modes alone.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

/// What a tar archive needs per entry beside the content: header, padding, and a long name's own entry.
const OVERHEAD: u64 = 4 * 512;

/// The files of an image, by their absolute path in it.
#[derive(Debug, Default)]
pub(super) struct Archive {
    /// In the order of paths, so that a directory stands before what it holds.
    entries: BTreeMap<PathBuf, (ArchiveEntry, u32)>,
}

/// What is at a path.
#[derive(Debug)]
enum ArchiveEntry {
    Directory,
    /// The content of a file of this system.
    Copy(PathBuf),
    Text(String),
}

impl Archive {
    /// A directory with the permissions `mode`.
    pub(super) fn directory(&mut self, path: &Path, mode: u32) {
        self.add(path, ArchiveEntry::Directory, mode);
    }

    /// An executable file with the content of `source`, symbolic links followed.
    pub(super) fn executable(&mut self, path: &Path, source: &Path) {
        self.add(path, ArchiveEntry::Copy(source.to_owned()), 0o755);
    }

    /// A file that everybody may read.
    pub(super) fn text(&mut self, path: &Path, text: impl Into<String>) {
        self.add(path, ArchiveEntry::Text(text.into()), 0o644);
    }

    fn add(&mut self, path: &Path, entry: ArchiveEntry, mode: u32) {
        let path = path.strip_prefix("/").unwrap_or(path);
        // An engine makes missing directories as it likes; some are closed to all but root.
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            self.entries.entry(parent.to_owned()).or_insert((ArchiveEntry::Directory, 0o755));
        }
        self.entries.insert(path.to_owned(), (entry, mode));
    }

    /// The archive. Reads the files now, and blocks meanwhile. Errors: a file that can't be read, with its name.
    pub(super) fn tar(&self) -> io::Result<Vec<u8>> {
        let mut tar = Builder::new(Vec::with_capacity(self.size_hint()));
        for (path, (entry, mode)) in &self.entries {
            match entry {
                ArchiveEntry::Directory => {
                    tar.append_data(&mut header(EntryType::Directory, *mode, 0), path, io::empty())?;
                }
                ArchiveEntry::Text(text) => {
                    let mut header = header(EntryType::Regular, *mode, text.len() as u64);
                    tar.append_data(&mut header, path, text.as_bytes())?;
                }
                ArchiveEntry::Copy(source) => {
                    let named = |error| io::Error::other(format!("{}: {error}", source.display()));
                    let file = File::open(source).map_err(named)?;
                    let size = file.metadata().map_err(named)?.len();
                    let mut header = header(EntryType::Regular, *mode, size);
                    tar.append_data(&mut header, path, file.take(size)).map_err(named)?;
                }
            }
        }
        tar.into_inner()
    }

    /// Room for everything at once: an archive of 100 MB that grows would be copied several times.
    fn size_hint(&self) -> usize {
        let size = |(entry, _): &(ArchiveEntry, u32)| match entry {
            ArchiveEntry::Copy(source) => source.metadata().map_or(0, |meta| meta.len()),
            ArchiveEntry::Directory | ArchiveEntry::Text(_) => 0,
        };
        let total: u64 = self.entries.values().map(|entry| size(entry) + OVERHEAD).sum();
        usize::try_from(total).unwrap_or(0)
    }
}

/// Owned by root, at the beginning of time.
fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same files, added in the order of `names`.
    fn archive(directory: &Path, names: [&str; 2]) -> Vec<u8> {
        let mut archive = Archive::default();
        for name in names {
            archive.executable(&Path::new("/deep/down").join(name), &directory.join(name));
        }
        archive.tar().unwrap()
    }

    #[test]
    fn the_bytes_depend_on_neither_order_nor_time() {
        let directory = tempfile::tempdir().unwrap();
        ["a", "b"].iter().for_each(|name| std::fs::write(directory.path().join(name), name).unwrap());
        let first = archive(directory.path(), ["a", "b"]);
        let a = File::options().append(true).open(directory.path().join("a")).unwrap();
        a.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(3600)).unwrap();
        assert_eq!(first, archive(directory.path(), ["b", "a"]));
        std::fs::write(directory.path().join("a"), "c").unwrap();
        assert_ne!(first, archive(directory.path(), ["a", "b"]));
    }

    #[test]
    fn directories_stand_before_what_they_hold_and_are_open() {
        let directory = tempfile::tempdir().unwrap();
        ["a", "b"].iter().for_each(|name| std::fs::write(directory.path().join(name), name).unwrap());
        let bytes = archive(directory.path(), ["b", "a"]);
        let mut tar = tar::Archive::new(bytes.as_slice());
        let entries: Vec<_> = tar
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap()))
            .collect();
        let expected =
            [("deep", 0o755), ("deep/down", 0o755), ("deep/down/a", 0o755), ("deep/down/b", 0o755)];
        assert_eq!(entries, expected.map(|(path, mode)| (path.to_owned(), mode)));
    }
}
