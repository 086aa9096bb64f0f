//! Finds the balancers' executables and asks for their versions.

use std::path::{Path, PathBuf};

use model::catalog::BalancerKind;
use model::records::BalancerBuild;

use crate::balancer::adapter;
use crate::error::EngineError;

/// Where Debian keeps servers, which a user's PATH may lack.
const SYSTEM: [&str; 2] = ["/usr/local/sbin", "/usr/sbin"];
/// Where `make setup` puts what Debian doesn't have, below the checkout that rig was built in.
const TOOLS: &str = "tools/bin";

/// The executable of `kind`: `RIG_<KIND>`, else the first on PATH, in `tools/bin`, or in a system directory.
pub(super) fn find(kind: BalancerKind) -> Result<PathBuf, EngineError> {
    let variable = format!("RIG_{}", kind.name().to_uppercase());
    if let Some(named) = std::env::var_os(&variable) {
        let named = PathBuf::from(named);
        return if is_executable(&named) {
            Ok(named)
        } else {
            let reason = format!("{variable} names it, and it is no executable file");
            Err(EngineError::BalancerBroken { kind, binary: named, reason })
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let executable = std::env::current_exe().unwrap_or_default();
    std::env::split_paths(&path)
        .chain(executable.ancestors().skip(1).map(|above| above.join(TOOLS)))
        .chain(SYSTEM.iter().map(PathBuf::from))
        .map(|directory| directory.join(kind.name()))
        .find(|candidate| is_executable(candidate))
        // Components run in directories of their own.
        .map(|found| std::path::absolute(&found).unwrap_or(found))
        .ok_or(EngineError::BalancerMissing { kind, variable })
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The version that the executable of `kind` prints.
pub(super) async fn describe(kind: BalancerKind) -> Result<BalancerBuild, EngineError> {
    let binary = find(kind)?;
    let broken = |reason: String| EngineError::BalancerBroken { kind, binary: binary.clone(), reason };
    let output = tokio::process::Command::new(&binary)
        .args(adapter(kind).version_arguments())
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(std::time::Duration::from_secs(10), output)
        .await
        .map_err(|_| broken("it prints no version within 10 s".into()))?
        .map_err(|error| broken(error.to_string()))?;
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&words);
    let version = version_in(&words)
        .ok_or_else(|| broken(format!("it prints no version: {}", words.lines().next().unwrap_or(""))))?;
    let modules = adapter(kind).modules(&words);
    Ok(BalancerBuild { version, binary: binary.display().to_string(), modules })
}

/// The version in what a balancer prints about itself.
pub(super) fn version_in(words: &str) -> Option<String> {
    words
        .split(|c: char| c.is_whitespace() || c == '/')
        .map(|word| word.trim_start_matches('v'))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
        .map(str::to_owned)
}
