//! Programs that are not rig's own, as data: what a runtime needs to know to find, describe and launch one.

mod error;
pub mod installed;
pub mod named;

use std::fmt;
use std::hash::{Hash, Hasher};

use model::identity::VERSION_SIGN;
use model::version::Version;

pub use error::ProgramError;

/// The file, in a component's directory, that its standard output goes to.
pub const STDOUT_FILE: &str = "stdout.log";
/// The file that its standard error goes to.
pub const STDERR_FILE: &str = "stderr.log";

/// A program that is not rig's own.
#[derive(Debug)]
pub struct Program {
    /// Its name in records, in tables and in `docker/images.yaml`. `RIG_<NAME>` names another executable.
    pub name: &'static str,
    /// Its executable, which is on the PATH of its image.
    pub executable: &'static str,
    /// The arguments that make it print its version.
    pub version_arguments: &'static [&'static str],
    /// The modules that it has to load, by their files, given what it prints as its version.
    pub modules: fn(&str) -> Vec<String>,
    /// Why a scenario needs it, if not every one does: completes "it is not installed, and".
    pub needed_because: Option<&'static str>,
    /// Whether it has processes of its own, which it ends on SIGTERM.
    pub has_workers: bool,
    /// The newest version whose behaviour rig knows; a newer one is treated like it. `None`: versions make no difference.
    pub newest_known: Option<Version>,
}

/// A program, in the version that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProgramVersion {
    /// The program.
    pub program: &'static Program,
    /// `None`: whatever is installed.
    pub version: Option<Version>,
}

impl From<&'static Program> for ProgramVersion {
    fn from(program: &'static Program) -> ProgramVersion {
        ProgramVersion { program, version: None }
    }
}

/// Its name in records and tables: `nginx`, `nginx@1.31`.
impl fmt::Display for ProgramVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            None => f.write_str(self.program.name),
            Some(version) => write!(f, "{}{VERSION_SIGN}{version}", self.program.name),
        }
    }
}

impl ProgramVersion {
    /// The variable that names its executable: `RIG_NGINX`, `RIG_NGINX_1_31`.
    pub fn variable(&self) -> String {
        let version =
            self.version.map_or(String::new(), |it| format!("_{}", it.to_string().replace('.', "_")));
        format!("RIG_{}{version}", self.program.name.to_uppercase())
    }
}

/// Names are unique.
impl PartialEq for Program {
    fn eq(&self, other: &Program) -> bool {
        self.name == other.name
    }
}

impl Eq for Program {}

impl Hash for Program {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// For programs that load no modules.
pub fn no_modules(_said: &str) -> Vec<String> {
    Vec::new()
}

/// Asks the listener as people do.
pub static CURL: Program = Program {
    name: "curl",
    executable: "curl",
    version_arguments: &["--version"],
    modules: no_modules,
    needed_because: Some("the timeline asks for it"),
    has_workers: false,
    newest_known: None,
};
