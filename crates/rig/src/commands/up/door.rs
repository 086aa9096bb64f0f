//! Deploys from another shell: a unix socket in a private directory, which is found by looking through the user's own
//! private directories. Both sides look who the other is.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use engine::host::owner::Life;
use engine::host::private::{self, PrivateDirectory};
use model::timeline::Drain;
use rustix::net::sockopt::socket_peercred;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

use super::told::Told;
use super::wishes::{Refusal, Wishes};
use crate::exit::{Exit, Failure, print_plain};

/// The socket in its private directory.
const SOCKET: &str = "up.sock";
/// The file beside it that names the scenario.
const NAME: &str = "up.name";
/// The longest request, and the longest line of an answer.
const LONGEST: u64 = 64 << 10;
/// How long who knocks may take to say what is wanted, and to read what is answered.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked for.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    pool: String,
    drain: Option<Drain>,
}

/// What is answered, line by line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// Something happened.
    Line(String),
    /// Every backend was replaced.
    Finished,
    /// The deploy was broken off; the lines say why.
    Aborted,
    /// There can be no such deploy.
    Wrong(String),
    /// There was no deploy, or it did not end.
    Failed(String),
}

/// Where others ask for deploys.
pub(super) struct Door {
    listener: tokio::net::UnixListener,
    /// Gone with this.
    _directory: PrivateDirectory,
}

impl Door {
    /// Opens a door for what stands, within a runtime.
    pub(super) fn open(name: &str) -> Result<Door, Failure> {
        let directory = PrivateDirectory::make().map_err(Failure::environment)?;
        let open = || {
            let socket = directory.path().join(SOCKET);
            let listener = tokio::net::UnixListener::bind(&socket)?;
            std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
            std::fs::write(directory.path().join(NAME), name)?;
            Ok::<_, std::io::Error>(listener)
        };
        let listener = open().context("deploys can't be listened for").map_err(Failure::environment)?;
        Ok(Door { listener, _directory: directory })
    }

    /// Serves whoever asks, one after the other.
    pub(super) async fn serve(&self, wishes: &Wishes<'_>, told: &Told) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                // Too many open files, say: nobody is heard until that is over.
                tokio::time::sleep(PATIENCE).await;
                continue;
            };
            if is_trusted(&stream) {
                // Who went away in the middle knows.
                let _ = answer(stream, wishes, told).await;
            }
        }
    }
}

/// Whether this user, or root, is at the other end.
fn is_trusted(stream: impl AsFd) -> bool {
    let user = rustix::process::geteuid();
    socket_peercred(stream).is_ok_and(|peer| peer.uid == user || peer.uid.is_root())
}

async fn answer(stream: tokio::net::UnixStream, wishes: &Wishes<'_>, told: &Told) -> std::io::Result<()> {
    let (input, mut output) = stream.into_split();
    let mut line = String::new();
    let mut input = tokio::io::BufReader::new(input.take(LONGEST));
    tokio::time::timeout(PATIENCE, input.read_line(&mut line)).await??;
    let Request { pool, drain } = serde_json::from_str(&line)?;
    let mut lines = told.listen();
    let mut deploy = std::pin::pin!(wishes.deploy(&pool, drain));
    let end = loop {
        tokio::select! {
            biased;
            Some(line) = lines.recv() => say(&mut output, &Answer::Line(line)).await?,
            ended = &mut deploy => break match ended {
                Ok(()) if told.was_aborted() => Answer::Aborted,
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
    // Who doesn't read keeps nobody else waiting.
    tokio::time::timeout(PATIENCE, output.write_all(line.as_bytes())).await?
}

/// Asks what stands for a deploy, and tells what happens.
pub(super) fn ask(which: Option<&Path>, pool: &str, drain: Option<Drain>) -> Result<Exit, Failure> {
    let directory = door(which)?;
    let talk = || -> anyhow::Result<Result<Exit, Failure>> {
        let mut stream = UnixStream::connect(directory.join(SOCKET))?;
        if !is_trusted(&stream) {
            anyhow::bail!("another user answers there: {}", directory.display());
        }
        let request = serde_json::to_string(&Request { pool: pool.to_owned(), drain })? + "\n";
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
        anyhow::bail!("what stood has ended")
    };
    talk().map_err(Failure::environment)?
}

/// The directory of the door of what stands, which must be one.
fn door(which: Option<&Path>) -> Result<PathBuf, Failure> {
    let wanted = which.and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    let doors = doors(&private::all(), wanted.as_deref());
    match doors.as_slice() {
        [(one, _)] => Ok(one.clone()),
        [] => {
            let nothing = Failure::environment(anyhow::anyhow!("nothing stands here"));
            Err(nothing.help("rig up SCENARIO --balancer NAME, in another shell"))
        }
        several => {
            let names: Vec<_> = several.iter().map(|(_, name)| name.as_str()).collect();
            let several = Failure::usage(anyhow::anyhow!("several stand here: {}", names.join(", ")));
            Err(several.help("rig up SCENARIO --deploy POOL says which"))
        }
    }
}

/// Those of `directories` that have a door, each with its scenario's name; of `wanted` only if that is said. What a killed
/// rig has left is none.
fn doors(directories: &[(PathBuf, Life)], wanted: Option<&str>) -> Vec<(PathBuf, String)> {
    let living = directories.iter().filter(|(_, life)| *life != Life::Gone).map(|(path, _)| path);
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
    fn a_door_is_found_by_name_unless_its_owner_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let directory = |name: &str, life| {
            let path = place.path().join(name);
            std::fs::create_dir(&path).unwrap();
            (path, life)
        };
        let directories = [
            directory("a", Life::Lives),
            directory("b", Life::Unknown),
            directory("c", Life::Gone),
            directory("control", Life::Lives),
        ];
        for (n, name) in ["drain", "canary", "drain"].iter().enumerate() {
            std::fs::write(directories[n].0.join(NAME), name).unwrap();
        }
        let found =
            |wanted| doors(&directories, wanted).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
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
