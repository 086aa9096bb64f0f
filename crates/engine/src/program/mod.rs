//! Programs that are not rig's own, as data: what a runtime needs to know to find, describe and launch one.

mod error;
pub mod installed;

use std::hash::{Hash, Hasher};

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
}

impl Program {
    /// The variable that names its executable.
    pub fn variable(&self) -> String {
        format!("RIG_{}", self.name.to_uppercase())
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
};
