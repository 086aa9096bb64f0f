//! Deploys from another shell: a unix socket in a private directory, found by searching the user's own private
//! directories. Each side checks the user of the other.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use engine::host::owner::OwnerState;
use engine::host::private::{self, PrivateDirectory};
use model::timeline::Drain;
use rustix::net::sockopt::socket_peercred;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

use super::announcer::Announcer;
use super::deploys::{Deploys, Refusal};
use crate::exit::{Exit, Failure, print_plain};

/// The socket in its private directory.
const SOCKET: &str = "up.sock";
/// The file beside it that names the scenario.
const NAME: &str = "up.name";
/// The longest request, and the longest line of an answer.
const LONGEST: u64 = 64 << 10;
/// How long a client may take to send its request, and to read the answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A client's request.
#[derive(Debug, Serialize, Deserialize)]
struct SocketRequest {
    pool: String,
    drain: Option<Drain>,
}

/// The answer, line by line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// Something happened.
    Line(String),
    /// Every backend was replaced.
    Finished,
    /// The deploy was aborted; the lines say why.
    Aborted,
    /// The request is wrong.
    Wrong(String),
    /// The deploy did not start, or did not end.
    Failed(String),
}

/// The socket on which other shells ask for deploys.
pub(super) struct DeploySocket {
    listener: tokio::net::UnixListener,
    /// Removed with this.
    _directory: PrivateDirectory,
}

impl DeploySocket {
    /// Opens a socket for a running topology. Needs a tokio runtime.
    pub(super) fn open(name: &str) -> Result<DeploySocket, Failure> {
        let directory = PrivateDirectory::make().map_err(Failure::environment)?;
        let open = || {
            let socket = directory.path().join(SOCKET);
            let listener = tokio::net::UnixListener::bind(&socket)?;
            std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
            std::fs::write(directory.path().join(NAME), name)?;
            Ok::<_, std::io::Error>(listener)
        };
        let listener = open().context("can't listen for deploys").map_err(Failure::environment)?;
        Ok(DeploySocket { listener, _directory: directory })
    }

    /// Serves clients, one after the other.
    pub(super) async fn serve(&self, deploys: &Deploys<'_>, announcer: &Announcer) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                // Too many open files, for example: try again later.
                tokio::time::sleep(PATIENCE).await;
                continue;
            };
            if is_trusted(&stream) {
                // A client that goes away early needs no answer.
                let _ = answer(stream, deploys, announcer).await;
            }
        }
    }
}

/// Whether this user, or root, is at the other end.
fn is_trusted(stream: impl AsFd) -> bool {
    let user = rustix::process::geteuid();
    socket_peercred(stream).is_ok_and(|peer| peer.uid == user || peer.uid.is_root())
}

async fn answer(
    stream: tokio::net::UnixStream,
    deploys: &Deploys<'_>,
    announcer: &Announcer,
) -> std::io::Result<()> {
    let (input, mut output) = stream.into_split();
    let mut line = String::new();
    let mut input = tokio::io::BufReader::new(input.take(LONGEST));
    tokio::time::timeout(PATIENCE, input.read_line(&mut line)).await??;
    let SocketRequest { pool, drain } = serde_json::from_str(&line)?;
    let mut lines = announcer.listen();
    let mut deploy = std::pin::pin!(deploys.deploy(&pool, drain));
    let end = loop {
        tokio::select! {
            biased;
            Some(line) = lines.recv() => say(&mut output, &Answer::Line(line)).await?,
            ended = &mut deploy => break match ended {
                Ok(()) if announcer.was_aborted() => Answer::Aborted,
                Ok(()) => Answer::Finished,
                Err(Refusal::Wrong(why)) => Answer::Wrong(why),
                Err(Refusal::Failed(why)) => Answer::Failed(why),
            },
        }
    };
    while let Ok(line) = lines.try_recv() {
        say(&mut output, &Answer::Line(line)).await?;
    }
    say(&mut output, &end).await
}

async fn say(output: &mut tokio::net::unix::OwnedWriteHalf, answer: &Answer) -> std::io::Result<()> {
    let line = serde_json::to_string(answer)? + "\n";
    // A client that doesn't read must not keep others waiting.
    tokio::time::timeout(PATIENCE, output.write_all(line.as_bytes())).await?
}

/// Asks the running topology for a deploy, and prints what happens.
pub(super) fn ask(which: Option<&Path>, pool: &str, drain: Option<Drain>) -> Result<Exit, Failure> {
    let directory = running(which)?;
    let talk = || -> anyhow::Result<Result<Exit, Failure>> {
        let mut stream = UnixStream::connect(directory.join(SOCKET))?;
        if !is_trusted(&stream) {
            anyhow::bail!("another user's process answers at {}", directory.display());
        }
        let request = serde_json::to_string(&SocketRequest { pool: pool.to_owned(), drain })? + "\n";
        stream.write_all(request.as_bytes())?;
        for line in BufReader::new(stream).lines() {
            match serde_json::from_str(&line?)? {
                Answer::Line(line) => print_plain(&format!("{line}\n")).map_err(|failure| failure.error)?,
                Answer::Finished => return Ok(Ok(Exit::Held)),
                Answer::Aborted => return Ok(Ok(Exit::Failed)),
                Answer::Wrong(why) => return Ok(Err(Failure::usage(anyhow::anyhow!("no deploy: {why}")))),
                Answer::Failed(why) => anyhow::bail!("no deploy: {why}"),
            }
        }
        anyhow::bail!("the topology has stopped")
    };
    talk().map_err(Failure::environment)?
}

/// The directory of the running topology's socket. There must be exactly one.
fn running(which: Option<&Path>) -> Result<PathBuf, Failure> {
    let wanted = which.and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    let sockets = sockets(&private::all(), wanted.as_deref());
    match sockets.as_slice() {
        [(one, _)] => Ok(one.clone()),
        [] => {
            let nothing = Failure::environment(anyhow::anyhow!("no topology is running"));
            Err(nothing.help("start one in another shell: rig up SCENARIO --balancer NAME"))
        }
        several => {
            let names: Vec<_> = several.iter().map(|(_, name)| name.as_str()).collect();
            let names = names.join(", ");
            let several = Failure::usage(anyhow::anyhow!("several topologies are running: {names}"));
            Err(several.help("name one: rig up SCENARIO --deploy POOL"))
        }
    }
}

/// Those of `directories` that have a socket, each with its scenario's name; only those of `wanted`, if given. What a killed
/// rig left is ignored.
fn sockets(directories: &[(PathBuf, OwnerState)], wanted: Option<&str>) -> Vec<(PathBuf, String)> {
    let living = directories.iter().filter(|(_, state)| *state != OwnerState::Gone).map(|(path, _)| path);
    let named = living.filter_map(|path| {
        let name = store::read_bounded(&path.join(NAME), LONGEST).ok()?;
        Some((path.clone(), String::from_utf8(name).ok()?))
    });
    named.filter(|(_, name)| wanted.is_none_or(|wanted| name == wanted)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_found_by_name_unless_its_owner_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let directory = |name: &str, state| {
            let path = place.path().join(name);
            std::fs::create_dir(&path).unwrap();
            (path, state)
        };
        let directories = [
            directory("a", OwnerState::Lives),
            directory("b", OwnerState::Unknown),
            directory("c", OwnerState::Gone),
            directory("control", OwnerState::Lives),
        ];
        for (n, name) in ["drain", "canary", "drain"].iter().enumerate() {
            std::fs::write(directories[n].0.join(NAME), name).unwrap();
        }
        let found =
            |wanted| sockets(&directories, wanted).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(found(None), ["drain", "canary"]);
        assert_eq!(found(Some("canary")), ["canary"]);
        assert_eq!(found(Some("reload")), [""; 0]);
    }

    #[test]
    fn a_socket_of_this_user_is_trusted_and_nobody_elses() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(SOCKET);
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(is_trusted(UnixStream::connect(&path).unwrap()));
        assert!(!is_trusted(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()));
    }
}
