//! Executables that the user names: by `--program`, or in `rig.yaml` of the directory that rig was started in. Variables such
//! as `RIG_NGINX` do the same.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

use model::catalog::{BalancerKind, Release, UnknownBalancer};
use model::identity::{BalancerName, BalancerNameError};
use serde::Deserialize;

use super::ProgramVersion;

/// The settings of a directory.
pub const SETTINGS: &str = "rig.yaml";
const FLAG: &str = "--program";
/// The largest settings that are read.
const LARGEST: u64 = 64 << 10;

/// What the user named: like the environment, it is the process's.
static NAMED: OnceLock<BTreeMap<String, NamedExecutable>> = OnceLock::new();

/// An executable that the user named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedExecutable {
    pub(super) path: PathBuf,
    /// What names it.
    pub(super) by: String,
}

/// A balancer's executable, as `--program nginx@1.31=/opt/nginx/sbin/nginx` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramPath {
    name: BalancerName,
    path: PathBuf,
}

/// A text that names no executable of a balancer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramPathError {
    /// It has no `=`.
    #[error("expected NAME=PATH, such as nginx@1.31=/opt/nginx/sbin/nginx")]
    Form,
    /// What is before the `=` names no balancer.
    #[error(transparent)]
    Name(#[from] BalancerNameError),
    /// It is the name of none that rig has an adapter for.
    #[error(transparent)]
    Unknown(#[from] UnknownBalancer),
}

impl FromStr for ProgramPath {
    type Err = ProgramPathError;
    fn from_str(text: &str) -> Result<ProgramPath, ProgramPathError> {
        let (name, path) =
            text.split_once('=').filter(|(_, path)| !path.is_empty()).ok_or(ProgramPathError::Form)?;
        named(name, PathBuf::from(path))
    }
}

fn named(name: &str, path: PathBuf) -> Result<ProgramPath, ProgramPathError> {
    let name: BalancerName = name.parse()?;
    Release::try_from(name)?;
    Ok(ProgramPath { name, path })
}

/// What `rig.yaml` may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    programs: BTreeMap<String, PathBuf>,
}

/// `rig.yaml` can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct SettingsError {
    path: PathBuf,
    reason: String,
}

/// Takes over what `flags` name, and beside that what `rig.yaml` in `directory` does, if there is one. Later calls change
/// nothing.
///
/// # Errors
/// If `rig.yaml` can't be read, says something else, or could be somebody else's.
pub fn take_over(flags: &[ProgramPath], directory: &Path) -> Result<(), SettingsError> {
    let mut all = settings(&directory.join(SETTINGS))?;
    for ProgramPath { name, path } in flags {
        all.insert(name.to_string(), NamedExecutable { path: path.clone(), by: FLAG.to_owned() });
    }
    let _taken_over_before = NAMED.set(all);
    Ok(())
}

/// What `--program` named, as it is written there.
pub fn flags() -> Vec<String> {
    let named = NAMED.get().into_iter().flatten().filter(|(_, named)| named.by == FLAG);
    named.map(|(name, named)| format!("{name}={}", named.path.display())).collect()
}

/// The executable that the user named for `program`.
pub(super) fn executable_of(program: ProgramVersion) -> Option<NamedExecutable> {
    NAMED.get()?.get(&program.to_string()).cloned()
}

fn settings(file: &Path) -> Result<BTreeMap<String, NamedExecutable>, SettingsError> {
    let wrong =
        |reason: &dyn fmt::Display| SettingsError { path: file.to_owned(), reason: reason.to_string() };
    let meta = match file.metadata() {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(wrong(&error)),
    };
    // It names what rig executes.
    let user = rustix::process::geteuid().as_raw();
    if meta.mode() & 0o002 != 0 || ![0, user].contains(&meta.uid()) {
        return Err(wrong(
            &"it names programs to run, and somebody else could have written it: remove it, or make it yours",
        ));
    }
    if meta.len() > LARGEST {
        return Err(wrong(&format!("it is longer than {} KiB", LARGEST >> 10)));
    }
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    let Settings { programs } = match text.trim().is_empty() {
        true => Settings::default(),
        false => serde_saphyr::from_str(&text).map_err(|error| wrong(&error))?,
    };
    let mut all = BTreeMap::new();
    for (name, path) in programs {
        let known = BalancerKind::ALL.map(BalancerKind::name).join(", ");
        let found = named(&name, path).map_err(|_| {
            wrong(&format!(
                "programs: `{name}` is no balancer ({known}), with or without a version as in `nginx@1.31`"
            ))
        })?;
        let path = file.parent().unwrap_or(Path::new("")).join(found.path);
        all.insert(found.name.to_string(), NamedExecutable { path, by: file.display().to_string() });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn said(text: &str) -> Result<BTreeMap<String, NamedExecutable>, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(SETTINGS);
        fs::write(&file, text).unwrap();
        settings(&file).map_err(|error| error.to_string())
    }

    #[test]
    fn a_flag_names_a_balancer_and_a_path() {
        assert!("nginx=/opt/nginx".parse::<ProgramPath>().is_ok());
        assert!("haproxy@3.2=relative/haproxy".parse::<ProgramPath>().is_ok());
        for wrong in ["nginx", "nginx=", "ngnix=/opt/nginx", "nginx@new=/opt/nginx", "=/opt/nginx"] {
            assert!(wrong.parse::<ProgramPath>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn settings_name_programs_from_their_own_directory_on() {
        let found = said("programs: { nginx@1.31: bin/nginx, haproxy: /opt/haproxy }").unwrap();
        assert!(found["nginx@1.31"].path.ends_with("bin/nginx") && found["nginx@1.31"].path.is_absolute());
        assert_eq!(found["haproxy"].path, Path::new("/opt/haproxy"));
        assert!(said("").unwrap().is_empty());
        let dir = tempfile::tempdir().unwrap();
        assert!(settings(&dir.path().join(SETTINGS)).unwrap().is_empty());
    }

    #[test]
    fn settings_that_say_something_else_are_refused_with_the_reason() {
        assert!(said("programs: { ngnix: /opt/nginx }").unwrap_err().contains("`ngnix` is no balancer"));
        assert!(said("program: {}").unwrap_err().contains("program"));
        assert!(said("programs: [").is_err());
    }

    #[test]
    fn settings_that_everybody_can_write_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(SETTINGS);
        fs::write(&file, "programs: {}").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(settings(&file).unwrap_err().to_string().contains("somebody else"));
    }
}
