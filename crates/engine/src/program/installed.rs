//! Finds the executables of programs on this machine, and asks for their versions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::records::BalancerBuild;
use model::version::Version;

use super::named::{self, NamedExecutable};
use super::{Program, ProgramError, ProgramVersion};
use crate::checkup::Check;
use crate::host::executables::{FoundBy, FoundExecutable, SearchPath, is_executable};

/// How long a program may take to print its version.
const VERSION_WITHIN: Duration = Duration::from_secs(10);

/// The executable of `program`: the one that the user names, else where [`SearchPath`] finds one, of the version that is
/// asked for.
///
/// # Errors
/// There is none.
pub fn find(program: impl Into<ProgramVersion>) -> Result<PathBuf, ProgramError> {
    found(program.into()).map(|found| found.path)
}

fn found(wanted: ProgramVersion) -> Result<FoundExecutable, ProgramError> {
    let program = wanted.program;
    let variable = wanted.variable();
    let of_environment = || {
        let path = PathBuf::from(std::env::var_os(&variable)?);
        Some(NamedExecutable { path, by: variable.clone() })
    };
    let named = named::executable_of(wanted).or_else(of_environment);
    if let Some(NamedExecutable { path, by }) = named {
        let broken = |reason| ProgramError::Broken { program, binary: path.clone(), reason };
        if !is_executable(&path) {
            return Err(broken(format!("{by} names it, and it is no executable file")));
        }
        // Components run in directories of their own.
        let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        if let Some(version) = wanted.version {
            let is = version_of(&absolute, program).map_err(broken)?;
            if !version.covers(&is) {
                return Err(broken(format!("{by} names it for {wanted}, and it is version {is}")));
            }
        }
        return Ok(FoundExecutable { path: absolute, by: FoundBy::Named(by), skipped: Vec::new() });
    }
    let search = SearchPath::here();
    let Some(version) = wanted.version else {
        return search.find(program.executable).map_err(|skipped| ProgramError::Missing {
            program,
            skipped: skipped.iter().map(|skipped| format!("; {skipped}")).collect(),
        });
    };
    let mut others = Vec::new();
    for candidate in search.candidates(program.executable) {
        match version_of(&candidate.path, program) {
            Ok(is) if version.covers(&is) => return Ok(candidate),
            Ok(is) => others.push(format!("{} is {is}", candidate.path.display())),
            Err(reason) => others.push(format!("{}: {reason}", candidate.path.display())),
        }
    }
    Err(ProgramError::NoSuchVersion { wanted, others })
}

/// The version of the executable `binary`, which is asked once. It is a matter of milliseconds, and the search waits for it.
fn version_of(binary: &Path, program: &'static Program) -> Result<Version, String> {
    static KNOWN: Mutex<BTreeMap<PathBuf, Version>> = Mutex::new(BTreeMap::new());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(version) = known().get(binary) {
        return Ok(*version);
    }
    let output = std::process::Command::new(binary)
        .args(program.version_arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| format!("it does not run: {error}"))?;
    let words = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let version = version_in(&words).and_then(|words| Version::of_words(&words));
    let version = version.ok_or_else(|| "it prints no version".to_owned())?;
    known().insert(binary.to_owned(), version);
    Ok(version)
}

/// Checks each of `programs`.
pub async fn checks(programs: impl Iterator<Item = &'static Program>) -> Vec<(&'static Program, Check)> {
    futures_util::future::join_all(programs.map(async |program| (program, check(program).await))).await
}

/// Its version, its executable and where that was found; what only some scenarios need limits rig where it is missing.
async fn check(program: &'static Program) -> Check {
    let looked = async {
        Ok::<_, ProgramError>(format!(
            "{}, {}",
            describe(program.into()).await?.version,
            found(program.into())?
        ))
    };
    let check = match looked.await {
        Ok(found) => Check::ok(program.name, found),
        Err(error) => {
            let variable = ProgramVersion::from(program).variable();
            let fix = format!("make setup   # or set {variable}=/path/to/{}", program.executable);
            Check::broken(program.name, &error, &fix)
        }
    };
    if program.needed_because.is_some() { check.wanted_by_some() } else { check }
}

/// The executables of `program` on this machine beside the one that its plain name means, each by the name that asks for it.
pub fn other_versions(program: &'static Program) -> Vec<Check> {
    let usual = find(program).ok().and_then(|path| path.canonicalize().ok());
    let others = SearchPath::here().candidates(program.executable).into_iter();
    let others = others.filter(|it| it.path.canonicalize().ok() != usual);
    others
        .filter_map(|it| {
            let version = version_of(&it.path, program).ok()?;
            let name = ProgramVersion { program, version: Some(version) }.to_string();
            Some(Check::ok(name, format!("{version}, {it}")))
        })
        .collect()
}

/// What the executable of `program` says about itself.
pub(crate) async fn describe(wanted: ProgramVersion) -> Result<BalancerBuild, ProgramError> {
    let program = wanted.program;
    let binary = find(wanted)?;
    let broken = |reason: String| ProgramError::Broken { program, binary: binary.clone(), reason };
    let words = version_words(&binary, program.version_arguments).await.map_err(broken)?;
    build(wanted, &binary.display().to_string(), &words)
}

/// What `words`, which the program in `binary` prints as its version, say about it.
pub(crate) fn build(
    wanted: ProgramVersion,
    binary: &str,
    words: &str,
) -> Result<BalancerBuild, ProgramError> {
    let program = wanted.program;
    let broken = |reason| ProgramError::Broken { program, binary: PathBuf::from(binary), reason };
    let version = version_in(words).ok_or_else(|| {
        broken(format!("it prints no version: {}", words.lines().next().unwrap_or_default()))
    })?;
    let is = Version::of_words(&version);
    if let Some(asked) = wanted.version.filter(|asked| is.is_none_or(|is| !asked.covers(&is))) {
        return Err(broken(format!("it is version {version}, and {asked} is asked for")));
    }
    let newest = program.newest_known.filter(|known| is.is_some_and(|is| is.is_after(known)));
    let remark =
        newest.map(|known| format!("newer than {known}, the newest that rig knows: treated like it"));
    Ok(BalancerBuild { version, binary: binary.to_owned(), modules: (program.modules)(words), remark })
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
