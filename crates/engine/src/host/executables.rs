//! Where executables are looked for: rig may run as root, so no other user may choose what it executes.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use model::version::Version;

/// Where systems keep programs, which a user's PATH may lack.
const SYSTEM: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// Where `make setup` puts what the system doesn't have, in the checkout that rig was built in.
const TOOLS: &str = "tools/bin";
/// Cargo's directory for what it builds, in that checkout.
const TARGET: &str = "target";

/// An executable, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundExecutable {
    /// Its absolute path.
    pub(crate) path: PathBuf,
    pub(crate) by: FoundBy,
    /// Executables of that name that come first, and why they were not taken.
    pub(crate) skipped: Vec<Skipped>,
}

impl fmt::Display for FoundExecutable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path.display(), self.by)?;
        self.skipped.iter().try_for_each(|skipped| write!(f, "; {skipped}"))
    }
}

/// How an executable was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FoundBy {
    /// This variable, flag or file names it.
    Named(String),
    Path,
    System,
    Tools,
}

impl fmt::Display for FoundBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FoundBy::Named(by) => write!(f, "set by {by}"),
            FoundBy::Path => f.write_str("on PATH"),
            FoundBy::System => f.write_str("in a system directory"),
            FoundBy::Tools => f.write_str("in tools/bin of rig's own checkout"),
        }
    }
}

/// An executable that could be somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    path: PathBuf,
    why: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "skipped {}: {}", self.path.display(), self.why)
    }
}

/// Where this process looks for executables.
#[derive(Debug)]
pub(crate) struct SearchPath {
    path: OsString,
    /// The checkout that rig was built in, if it still is there.
    checkout: Option<PathBuf>,
    /// The user that rig runs as.
    user: u32,
}

impl SearchPath {
    /// By this process's environment and executable.
    pub(crate) fn here() -> SearchPath {
        SearchPath {
            path: std::env::var_os("PATH").unwrap_or_default(),
            checkout: std::env::current_exe().ok().and_then(|rig| checkout(&rig)),
            user: rustix::process::geteuid().as_raw(),
        }
    }

    /// The program `name`: the first on PATH, in a system directory, or in rig's own checkout. A directory or a file that
    /// others can write to is skipped.
    ///
    /// # Errors
    /// There is none; what was skipped.
    pub(crate) fn find(&self, name: &str) -> Result<FoundExecutable, Vec<Skipped>> {
        let mut skipped = Vec::new();
        for (directory, by) in self.directories() {
            match self.take(&directory, &by, name) {
                None => {}
                Some(Ok(path)) => return Ok(FoundExecutable { path, by, skipped }),
                Some(Err(doubtful)) => skipped.push(doubtful),
            }
        }
        Err(skipped)
    }

    /// Every executable that may be the program `name`, in some version: those of that name, and those whose names go on with
    /// a version, such as `nginx-1.31.3`.
    pub(crate) fn candidates(&self, name: &str) -> Vec<FoundExecutable> {
        let mut found: Vec<FoundExecutable> = Vec::new();
        for (directory, by) in self.directories() {
            let entries = std::fs::read_dir(&directory).into_iter().flatten().flatten();
            let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
            let mut names: Vec<String> = names.filter(|file| is_version_of(file, name)).collect();
            names.sort_unstable();
            let taken = names.iter().filter_map(|file| self.take(&directory, &by, file)?.ok());
            let taken = taken.map(|path| FoundExecutable { path, by: by.clone(), skipped: Vec::new() });
            found.extend(taken.collect::<Vec<_>>());
        }
        // Directories such as /bin and /usr/bin are often one.
        let mut known = BTreeSet::new();
        found.retain(|it| known.insert(it.path.canonicalize().unwrap_or_else(|_| it.path.clone())));
        found
    }

    /// Where it looks, in order.
    fn directories(&self) -> impl Iterator<Item = (PathBuf, FoundBy)> {
        let on_path = std::env::split_paths(&self.path).map(|directory| (directory, FoundBy::Path));
        let system = SYSTEM.iter().map(|directory| (PathBuf::from(directory), FoundBy::System));
        let tools = self.checkout.iter().map(|checkout| (checkout.join(TOOLS), FoundBy::Tools));
        on_path.chain(system).chain(tools)
    }

    /// The executable `name` in `directory`, or why it is not taken; `None`: there is none.
    fn take(&self, directory: &Path, by: &FoundBy, name: &str) -> Option<Result<PathBuf, Skipped>> {
        let path = directory.join(name);
        if !is_executable(&path) {
            return None;
        }
        let doubt = match by {
            FoundBy::Path if !directory.is_absolute() => Some("its place on PATH is not absolute".to_owned()),
            FoundBy::Tools => self.doubt_about_tools(directory, &path),
            _ => open_to_everybody(&path),
        };
        Some(match doubt {
            None => Ok(path),
            Some(why) => Err(Skipped { path, why }),
        })
    }

    /// Why somebody who could not replace rig itself could have put this file into `tools/bin`.
    fn doubt_about_tools(&self, directory: &Path, file: &Path) -> Option<String> {
        let checkout = self.checkout.as_deref()?;
        let owner_of_rig = checkout.metadata().ok()?.uid();
        let trusted = [0, self.user, owner_of_rig];
        [directory.parent().unwrap_or(directory), directory, file].into_iter().find_map(|path| {
            let Ok(meta) = path.metadata() else { return Some(format!("{} can't be read", path.display())) };
            if !trusted.contains(&meta.uid()) {
                return Some(format!("{} belongs to user {}", path.display(), meta.uid()));
            }
            // Many systems give each user a group with the user's own number.
            let group = meta.mode() & 0o020 != 0 && ![0, meta.uid()].contains(&meta.gid());
            (group || meta.mode() & 0o002 != 0).then(|| format!("others can write to {}", path.display()))
        })
    }
}

/// Whether a file named `file` may be some version of `name`: `nginx`, `nginx-1.31.3`, `nginx1.31`.
fn is_version_of(file: &str, name: &str) -> bool {
    let rest = file.strip_prefix(name);
    rest.is_some_and(|rest| {
        let version = rest.trim_start_matches(['-', '@', '_']);
        rest.is_empty() || version.parse::<Version>().is_ok()
    })
}

/// The checkout in which cargo has built `executable`.
fn checkout(executable: &Path) -> Option<PathBuf> {
    let target =
        executable.ancestors().skip(1).find(|above| above.file_name().is_some_and(|it| it == TARGET));
    target.and_then(Path::parent).map(Path::to_owned)
}

/// Why any user could have put this file here. In a directory with the sticky bit, such as /tmp, no user can replace
/// another's file.
fn open_to_everybody(file: &Path) -> Option<String> {
    const EVERYBODY: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    let open = |path: &Path, but: u32| {
        let open = path.metadata().is_ok_and(|meta| meta.mode() & EVERYBODY != 0 && meta.mode() & but == 0);
        open.then(|| format!("everybody can write to {}", path.display()))
    };
    let resolved = file.canonicalize().ok()?;
    let links = [file.parent(), resolved.parent()];
    let directly = [Some(file), links[0], links[1]].into_iter().flatten().find_map(|path| open(path, 0));
    directly.or_else(|| {
        let above = file.ancestors().skip(2).chain(resolved.ancestors().skip(2));
        above.filter(|path| path.is_absolute()).find_map(|path| open(path, STICKY))
    })
}

/// Whether `path` is a file that can be executed.
pub(crate) fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const NAME: &str = "no-such-program-on-any-system";

    fn places(path: &str, checkout: Option<&Path>) -> SearchPath {
        SearchPath {
            path: path.into(),
            checkout: checkout.map(Path::to_owned),
            user: rustix::process::geteuid().as_raw(),
        }
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A directory with a program, all of it the user's own.
    fn program(directory: &Path) -> PathBuf {
        fs::create_dir_all(directory).unwrap();
        let file = directory.join(NAME);
        fs::write(&file, "").unwrap();
        mode(&file, 0o755);
        directory.ancestors().take(3).for_each(|directory| mode(directory, 0o755));
        file
    }

    #[test]
    fn a_program_may_stand_beside_its_other_versions() {
        for (file, may_be) in [
            ("nginx", true),
            ("nginx-1.31.3", true),
            ("nginx1.31", true),
            ("nginx@1.31", true),
            ("nginx-debug", false),
            ("nginx.conf", false),
            ("haproxy", false),
        ] {
            assert_eq!(is_version_of(file, "nginx"), may_be, "{file}");
        }
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        let plain = program(&root.join(TOOLS));
        let other = plain.with_file_name(format!("{NAME}-1.31.3"));
        fs::write(&other, "").unwrap();
        mode(&other, 0o755);
        let search = places(plain.parent().unwrap().to_str().unwrap(), Some(&root));
        let found: Vec<PathBuf> = search.candidates(NAME).into_iter().map(|it| it.path).collect();
        assert_eq!(found, [plain, other]);
    }

    fn why(found: Result<FoundExecutable, Vec<Skipped>>) -> String {
        found.unwrap_err().iter().map(Skipped::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn only_the_checkout_that_rig_was_built_in_has_tools() {
        let at = |path: &str| checkout(Path::new(path));
        assert_eq!(at("/home/a/rig/target/debug/rig"), Some("/home/a/rig".into()));
        assert_eq!(at("/home/a/rig/target/x86_64-unknown-linux-gnu/release/rig"), Some("/home/a/rig".into()));
        assert_eq!(at("/tmp/elsewhere/deeper/rig"), None);
        assert_eq!(at("/usr/bin/rig"), None);
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        let file = program(&root.join(TOOLS));
        let found = places("", Some(&root)).find(NAME).unwrap();
        assert_eq!((found.path, found.by), (file, FoundBy::Tools));
        assert!(places("", None).find(NAME).unwrap_err().is_empty());
    }

    #[test]
    fn a_system_directory_comes_before_tools() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        let planted = program(&root.join(TOOLS)).with_file_name("sh");
        fs::write(&planted, "").unwrap();
        mode(&planted, 0o755);
        assert_eq!(places("", Some(&root)).find("sh").unwrap().by, FoundBy::System);
    }

    #[test]
    fn tools_that_others_could_have_put_there_are_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        let file = program(&root.join(TOOLS));
        for open in [root.join("tools"), root.join(TOOLS), file.clone()] {
            mode(&open, 0o777);
            let why = why(places("", Some(&root)).find(NAME));
            assert!(why.contains(&format!("others can write to {}", open.display())), "{why}");
            mode(&open, 0o755);
        }
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(12345), None).unwrap();
            let why = why(places("", Some(&root)).find(NAME));
            assert!(why.ends_with("belongs to user 12345"), "{why}");
        }
    }

    #[test]
    fn a_place_on_path_counts_if_it_is_absolute_and_not_open_to_everybody() {
        let dir = tempfile::tempdir().unwrap();
        let file = program(&dir.path().join("a/b"));
        let directory = file.parent().unwrap();
        let search = || places(directory.to_str().unwrap(), None).find(NAME);
        assert_eq!(search().unwrap().by, FoundBy::Path);
        for open in [directory, file.as_path(), directory.parent().unwrap()] {
            mode(open, 0o777);
            let why = why(search());
            assert!(why.contains(&format!("everybody can write to {}", open.display())), "{why}");
            mode(open, 0o755);
        }
        // As in /tmp: what is there is its owner's.
        mode(directory.parent().unwrap(), 0o1777);
        assert!(search().is_ok());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(directory, &link).unwrap();
        mode(directory, 0o1777);
        assert!(places(link.to_str().unwrap(), None).find(NAME).is_err());
        let here = std::env::current_dir().unwrap();
        let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
        mode(directory, 0o755);
        let relative = up.join(directory.strip_prefix("/").unwrap());
        let why = why(places(relative.to_str().unwrap(), None).find(NAME));
        assert!(why.contains("is not absolute"), "{why}");
    }
}
