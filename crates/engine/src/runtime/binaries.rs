//! Finds the executables of balancers and session store and asks for their versions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use model::catalog::BalancerKind;
use model::records::BalancerBuild;

use crate::balancer::adapter;
use crate::error::EngineError;

/// Where Debian keeps servers, which a user's PATH may lack.
const SYSTEM: [&str; 2] = ["/usr/local/sbin", "/usr/sbin"];
/// Where `make setup` puts what Debian doesn't have, below the checkout that rig was built in.
const TOOLS: &str = "tools/bin";

/// The session store's program.
const STORE: &str = "redis-server";
/// The variable that names it.
const STORE_VARIABLE: &str = "RIG_REDIS";
/// How long a program may take to print its version.
const VERSION_WITHIN: Duration = Duration::from_secs(10);

/// Why there is no executable.
enum Unfound {
    Missing,
    /// The variable names this, which is none.
    Named(PathBuf),
}

/// The executable of `kind`: `RIG_<KIND>`, else the first on PATH, in `tools/bin`, or in a system directory.
pub(super) fn find(kind: BalancerKind) -> Result<PathBuf, EngineError> {
    let variable = format!("RIG_{}", kind.name().to_uppercase());
    executable(kind.name(), &variable).map_err(|unfound| match unfound {
        Unfound::Missing => EngineError::BalancerMissing { kind, variable },
        Unfound::Named(binary) => {
            EngineError::BalancerBroken { kind, binary, reason: no_executable(&variable) }
        }
    })
}

/// The session store's executable, likewise.
pub(super) fn find_store() -> Result<PathBuf, EngineError> {
    executable(STORE, STORE_VARIABLE).map_err(|unfound| match unfound {
        Unfound::Missing => EngineError::StoreMissing,
        Unfound::Named(binary) => EngineError::StoreBroken { binary, reason: no_executable(STORE_VARIABLE) },
    })
}

fn no_executable(variable: &str) -> String {
    format!("{variable} names it, and it is no executable file")
}

fn executable(name: &str, variable: &str) -> Result<PathBuf, Unfound> {
    if let Some(named) = std::env::var_os(variable) {
        let named = PathBuf::from(named);
        return if is_executable(&named) { Ok(named) } else { Err(Unfound::Named(named)) };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let executable = std::env::current_exe().unwrap_or_default();
    std::env::split_paths(&path)
        .chain(executable.ancestors().skip(1).map(|above| above.join(TOOLS)))
        .chain(SYSTEM.iter().map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|candidate| is_executable(candidate))
        // Components run in directories of their own.
        .map(|found| std::path::absolute(&found).unwrap_or(found))
        .ok_or(Unfound::Missing)
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The version that the executable of `kind` prints.
pub(super) async fn describe(kind: BalancerKind) -> Result<BalancerBuild, EngineError> {
    let binary = find(kind)?;
    let broken = |reason: String| EngineError::BalancerBroken { kind, binary: binary.clone(), reason };
    let (version, words) = version(&binary, adapter(kind).version_arguments()).await.map_err(broken)?;
    let modules = adapter(kind).modules(&words);
    Ok(BalancerBuild { version, binary: binary.display().to_string(), modules })
}

/// The version that the session store's executable prints.
pub(super) async fn describe_store() -> Result<BalancerBuild, EngineError> {
    let binary = find_store()?;
    let broken = |reason: String| EngineError::StoreBroken { binary: binary.clone(), reason };
    let (version, _) = version(&binary, &["--version"]).await.map_err(broken)?;
    Ok(BalancerBuild { version, binary: binary.display().to_string(), modules: Vec::new() })
}

/// The version of a program, and all that it printed about itself; `Err`: why not.
async fn version(binary: &Path, arguments: &[&str]) -> Result<(String, String), String> {
    let output = tokio::process::Command::new(binary)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(VERSION_WITHIN, output)
        .await
        .map_err(|_| format!("it prints no version within {} s", VERSION_WITHIN.as_secs()))?
        .map_err(|error| error.to_string())?;
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&words).into_owned();
    let first = words.lines().next().unwrap_or_default();
    let version = version_in(&words).ok_or_else(|| format!("it prints no version: {first}"))?;
    Ok((version, words))
}

/// The version in what a balancer prints about itself.
pub(super) fn version_in(words: &str) -> Option<String> {
    words
        .split(|c: char| c.is_whitespace() || c == '/')
        .map(|word| word.trim_start_matches(['v', '=']))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
        .map(str::to_owned)
}
