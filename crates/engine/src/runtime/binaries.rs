//! Finds the executables of balancers and session store and asks for their versions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use model::catalog::BalancerKind;
use model::records::BalancerBuild;

use super::search::{By, Found, Places, Skipped, is_executable};
use crate::balancer::adapter;
use crate::error::EngineError;

/// The session store's program.
const STORE: &str = "redis-server";
/// The variable that names it.
const STORE_VARIABLE: &str = "RIG_REDIS";
/// How long a program may take to print its version.
const VERSION_WITHIN: Duration = Duration::from_secs(10);

/// Why there is no executable.
enum Unfound {
    Missing(Vec<Skipped>),
    /// The variable names this, which is none.
    Named(PathBuf),
}

/// The executable of `kind`: `RIG_<KIND>`, else where [`Places`] finds it.
pub(super) fn find(kind: BalancerKind) -> Result<PathBuf, EngineError> {
    found(kind).map(|found| found.path)
}

fn found(kind: BalancerKind) -> Result<Found, EngineError> {
    let variable = format!("RIG_{}", kind.name().to_uppercase());
    executable(kind.name(), &variable).map_err(|unfound| match unfound {
        Unfound::Missing(skipped) => {
            EngineError::BalancerMissing { kind, variable, skipped: in_words(&skipped) }
        }
        Unfound::Named(binary) => {
            EngineError::BalancerBroken { kind, binary, reason: no_executable(&variable) }
        }
    })
}

/// The session store's executable, likewise.
pub(super) fn find_store() -> Result<PathBuf, EngineError> {
    found_store().map(|found| found.path)
}

fn found_store() -> Result<Found, EngineError> {
    executable(STORE, STORE_VARIABLE).map_err(|unfound| match unfound {
        Unfound::Missing(skipped) => EngineError::StoreMissing { skipped: in_words(&skipped) },
        Unfound::Named(binary) => EngineError::StoreBroken { binary, reason: no_executable(STORE_VARIABLE) },
    })
}

/// curl: `RIG_CURL`, else where [`Places`] finds it; `None`: there is none.
pub(crate) fn find_curl() -> Option<PathBuf> {
    executable("curl", "RIG_CURL").ok().map(|found| found.path)
}

fn no_executable(variable: &str) -> String {
    format!("{variable} names it, and it is no executable file")
}

fn in_words(skipped: &[Skipped]) -> String {
    skipped.iter().map(|skipped| format!("; {skipped}")).collect()
}

fn executable(name: &str, variable: &str) -> Result<Found, Unfound> {
    let Some(named) = std::env::var_os(variable).map(PathBuf::from) else {
        return Places::here().find(name).map_err(Unfound::Missing);
    };
    if !is_executable(&named) {
        return Err(Unfound::Named(named));
    }
    // Components run in directories of their own.
    let path = std::path::absolute(&named).unwrap_or(named);
    Ok(Found { path, by: By::Variable(variable.to_owned()), skipped: Vec::new() })
}

/// The version of the executable of `kind`, and where it was found.
pub(super) async fn look(kind: BalancerKind) -> Result<String, EngineError> {
    Ok(format!("{}, {}", describe(kind).await?.version, found(kind)?))
}

/// The same of the session store's.
pub(super) async fn look_for_store() -> Result<String, EngineError> {
    Ok(format!("{}, {}", describe_store().await?.version, found_store()?))
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
