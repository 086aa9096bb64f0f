//! Asks the listener once with the real curl, and keeps the transcript: what a person would see.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use model::history::{CurlAnswer, Happening};
use model::timeline::CurlRequest;
use tokio::process::Command;

use super::error::CellError;
use crate::host::certificates::Certificates;
use crate::program::{CURL, installed};
use crate::runtime::RuntimeError;

/// How long curl may take, which it is told itself as well.
const WITHIN: Duration = Duration::from_secs(5);
/// How much longer rig waits for it than that.
const GRACE: Duration = Duration::from_secs(1);
/// Bytes of the body that are kept.
const BODY: usize = 200;

/// Where curl is.
///
/// # Errors
/// If there is none.
pub fn find_curl() -> Result<PathBuf, CellError> {
    installed::find(&CURL).map_err(|_| CellError::CurlMissing)
}

/// Asks `target`, on a connection of its own, over TLS if there are `certificates`. The request has no id, so that it is no part of the load.
pub(super) async fn curl(
    entry: &str,
    request: &CurlRequest,
    target: std::net::SocketAddr,
    certificates: Option<&Certificates>,
) -> Result<Happening, CellError> {
    // A user's own settings and proxies are none of the experiment's.
    let mut arguments: Vec<String> =
        ["-q", "-sv", "--noproxy", "*", "--max-time", &WITHIN.as_secs().to_string()]
            .map(str::to_owned)
            .into();
    for (name, value) in &request.headers {
        arguments.extend(["-H".to_owned(), format!("{name}: {value}")]);
    }
    arguments.extend(match certificates {
        None => vec![format!("http://{target}{}", request.path)],
        Some(certificates) => vec![
            "--cacert".to_owned(),
            certificates.authority().display().to_string(),
            "--resolve".to_owned(),
            format!("{}:{}:{}", certificates.name(), target.port(), target.ip()),
            format!("https://{}:{}{}", certificates.name(), target.port(), request.path),
        ],
    });
    let failed = |source| RuntimeError::Launch { component: "curl".into(), source };
    let child = Command::new(find_curl()?)
        .args(&arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C on the terminal is rig's to handle, in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let command = std::iter::once("curl".to_owned()).chain(arguments.iter().map(|text| quoted(text)));
    let command = command.collect::<Vec<_>>().join(" ");
    let (transcript, body, status) = match tokio::time::timeout(WITHIN + GRACE, child.wait_with_output())
        .await
    {
        Ok(output) => {
            let output = output.map_err(failed)?;
            let body = &output.stdout[..output.stdout.len().min(BODY)];
            let text = |bytes| String::from_utf8_lossy(bytes).replace('\r', "");
            (text(&output.stderr), text(body), output.status.to_string())
        }
        Err(_) => (String::new(), String::new(), format!("killed after {} s", (WITHIN + GRACE).as_secs())),
    };
    Ok(Happening::Curl(CurlAnswer { entry: entry.to_owned(), command, transcript, body, status }))
}

/// As a shell would take it.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=".contains(c);
    if argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("http://127.0.0.1:8080/api"), "http://127.0.0.1:8080/api");
        assert_eq!(quoted("*"), "'*'");
        assert_eq!(quoted("X-A: it's"), r"'X-A: it'\''s'");
    }
}
