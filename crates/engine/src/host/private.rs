//! Short directories that only their user can enter, for unix sockets: results may lie under paths that are longer
//! than a socket's may be.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::HostError;
use super::owner::{self, OwnerState};

/// How their names begin.
const PREFIX: &str = "rig-";
/// The longest path of a directory that they are made in. A socket's path has at most 107 bytes; HAProxy needs ten of
/// them for itself.
const LONGEST: usize = 60;

/// A directory of mode 0700, which is removed with this, or by `rig clean` if rig is killed.
#[derive(Debug)]
pub struct PrivateDirectory(TempDir);

impl PrivateDirectory {
    /// Makes one.
    ///
    /// # Errors
    /// It can't be made.
    pub fn make() -> Result<PrivateDirectory, HostError> {
        let mut failed = None;
        for place in places() {
            let only_its_users = Permissions::from_mode(0o700);
            let made = tempfile::Builder::new().prefix(PREFIX).permissions(only_its_users).tempdir_in(&place);
            match made.and_then(|made| owner::mark(made.path()).map(|()| made)) {
                Ok(made) => return Ok(PrivateDirectory(made)),
                Err(error) => failed = Some(HostError::file(place)(error)),
            }
        }
        Err(failed.unwrap_or_else(|| HostError::file("/tmp")(std::io::ErrorKind::NotFound.into())))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Those of this user that there are, each with what became of its owner.
pub fn all() -> Vec<(PathBuf, OwnerState)> {
    let user = rustix::process::geteuid().as_raw();
    let entries = places().into_iter().filter_map(|place| std::fs::read_dir(place).ok()).flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    // Not those behind links, nor what another user has made to look so.
    let own = named.filter(|entry| {
        entry.metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == user && meta.mode() & 0o077 == 0)
    });
    own.map(|entry| entry.path()).map(|path| (path.clone(), owner::state_of(&path))).collect()
}

/// Where they are made: the user's own directory for such things, else one for all users, in which none can replace
/// another's file.
fn places() -> Vec<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|own| {
        own.metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == user && meta.mode() & 0o077 == 0)
    });
    let mut places: Vec<PathBuf> = own.into_iter().chain([std::env::temp_dir(), "/tmp".into()]).collect();
    places.retain(|place| place.is_absolute() && place.as_os_str().len() <= LONGEST);
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_directory_is_its_users_alone_is_found_and_goes() {
        let made = PrivateDirectory::make().unwrap();
        let path = made.path().to_owned();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        assert!(path.as_os_str().len() <= LONGEST + 16);
        assert!(all().contains(&(path.clone(), OwnerState::Lives)));
        drop(made);
        assert!(!path.exists());
    }
}
