//! Finds the executables of programs on this machine, and asks for their versions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use model::records::BalancerBuild;

use super::{Program, ProgramError};
use crate::checkup::Check;
use crate::host::executables::{FoundBy, FoundExecutable, SearchPath, is_executable};

/// How long a program may take to print its version.
const VERSION_WITHIN: Duration = Duration::from_secs(10);

/// The executable of `program`: the one that its variable names, else where [`SearchPath`] finds it.
///
/// # Errors
/// There is none.
pub fn find(program: &'static Program) -> Result<PathBuf, ProgramError> {
    found(program).map(|found| found.path)
}

fn found(program: &'static Program) -> Result<FoundExecutable, ProgramError> {
    let variable = program.variable();
    let Some(named) = std::env::var_os(&variable).map(PathBuf::from) else {
        return SearchPath::here().find(program.executable).map_err(|skipped| ProgramError::Missing {
            program,
            skipped: skipped.iter().map(|skipped| format!("; {skipped}")).collect(),
        });
    };
    if !is_executable(&named) {
        let reason = format!("{variable} names it, and it is no executable file");
        return Err(ProgramError::Broken { program, binary: named, reason });
    }
    // Components run in directories of their own.
    let path = std::path::absolute(&named).unwrap_or(named);
    Ok(FoundExecutable { path, by: FoundBy::Variable(variable), skipped: Vec::new() })
}

/// Checks each of `programs`.
pub async fn checks(programs: impl Iterator<Item = &'static Program>) -> Vec<(&'static Program, Check)> {
    futures_util::future::join_all(programs.map(async |program| (program, check(program).await))).await
}

/// Its version, its executable and where that was found; what only some scenarios need limits rig where it is missing.
async fn check(program: &'static Program) -> Check {
    let looked =
        async { Ok::<_, ProgramError>(format!("{}, {}", describe(program).await?.version, found(program)?)) };
    let check = match looked.await {
        Ok(found) => Check::ok(program.name, found),
        Err(error) => {
            let fix = format!("make setup   # or set {}=/path/to/{}", program.variable(), program.executable);
            Check::broken(program.name, &error, &fix)
        }
    };
    if program.needed_because.is_some() { check.wanted_by_some() } else { check }
}

/// What the executable of `program` says about itself.
pub(crate) async fn describe(program: &'static Program) -> Result<BalancerBuild, ProgramError> {
    let binary = find(program)?;
    let broken = |reason: String| ProgramError::Broken { program, binary: binary.clone(), reason };
    let words = version_words(&binary, program.version_arguments).await.map_err(broken)?;
    build(program, &binary.display().to_string(), &words)
}

/// What `words`, which the program in `binary` prints as its version, say about it.
pub(crate) fn build(
    program: &'static Program,
    binary: &str,
    words: &str,
) -> Result<BalancerBuild, ProgramError> {
    let version = version_in(words).ok_or_else(|| ProgramError::Broken {
        program,
        binary: PathBuf::from(binary),
        reason: format!("it prints no version: {}", words.lines().next().unwrap_or_default()),
    })?;
    Ok(BalancerBuild { version, binary: binary.to_owned(), modules: (program.modules)(words) })
}

/// All that a program prints about itself; `Err`: why it prints nothing.
async fn version_words(binary: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = tokio::process::Command::new(binary)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(VERSION_WITHIN, output)
        .await
        .map_err(|_| format!("it prints no version within {} s", VERSION_WITHIN.as_secs()))?
        .map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// The version in what a program prints about itself.
fn version_in(words: &str) -> Option<String> {
    words
        .split(|c: char| c.is_whitespace() || c == '/')
        .map(|word| word.trim_start_matches(['v', '=']))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
        .map(str::to_owned)
}
