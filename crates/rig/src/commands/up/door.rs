//! Deploys from another shell: a socket in the kernel's abstract namespace, which has no file to be left behind, no limit
//! of path length that matters, and is gone with its process.

use std::io::{BufRead, BufReader, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use model::timeline::Drain;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};

use super::told::Told;
use super::wishes::{Refusal, Wishes};
use crate::exit::{Exit, Failure, print_plain};

/// How the names of doors begin; the process id and the scenario follow.
const NAMES: &str = "rig-up";
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
pub(super) struct Door(tokio::net::UnixListener);

impl Door {
    /// Opens a door for what stands, within a runtime.
    pub(super) fn open(name: &str) -> Result<Door, Failure> {
        let open = || {
            let name = format!("{NAMES}/{}/{name}", std::process::id());
            let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
            listener.set_nonblocking(true)?;
            tokio::net::UnixListener::from_std(listener)
        };
        open().map(Door).context("deploys can't be listened for").map_err(Failure::environment)
    }

    /// Serves whoever asks, one after the other.
    pub(super) async fn serve(&self, wishes: &Wishes<'_>, told: &Told) {
        loop {
            let Ok((stream, _)) = self.0.accept().await else {
                // Too many open files, say: nobody is heard until that is over.
                tokio::time::sleep(PATIENCE).await;
                continue;
            };
            let own = stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw());
            if own {
                // Who went away in the middle knows.
                let _ = answer(stream, wishes, told).await;
            }
        }
    }
}

async fn answer(stream: tokio::net::UnixStream, wishes: &Wishes<'_>, told: &Told) -> std::io::Result<()> {
    let (input, mut output) = stream.into_split();
    let mut line = String::new();
    let mut input = tokio::io::BufReader::new(input);
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
    let name = door(which)?;
    let talk = || -> anyhow::Result<Result<Exit, Failure>> {
        let mut stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(&name)?)?;
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

/// The door of what stands, which must be one.
fn door(which: Option<&Path>) -> Result<String, Failure> {
    let wanted = which.and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    let sockets = std::fs::read_to_string("/proc/net/unix").map_err(Failure::environment)?;
    let doors = doors(&sockets, wanted.as_deref());
    match doors.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            let help = "nothing stands here\n  help: rig up SCENARIO --balancer NAME, in another shell";
            Err(Failure::environment(anyhow::anyhow!(help)))
        }
        several => {
            let names: Vec<_> = several.iter().filter_map(|name| name.rsplit('/').next()).collect();
            let message = format!("several stand here: {}", names.join(", "));
            Err(Failure::usage(anyhow::anyhow!(
                "{message}\n  help: rig up SCENARIO --deploy POOL says which"
            )))
        }
    }
}

/// The names in the kernel's list of sockets, of `wanted` only if that is said. Each that listens is listed once, with
/// the flag of those that accept.
fn doors(sockets: &str, wanted: Option<&str>) -> Vec<String> {
    let accepts = |line: &&str| line.split_whitespace().nth(3) == Some("00010000");
    let names =
        sockets.lines().filter(accepts).filter_map(|line| line.split_whitespace().nth(7)?.strip_prefix('@'));
    let ours = names.filter(|name| name.starts_with(&format!("{NAMES}/")));
    ours.filter(|name| wanted.is_none_or(|wanted| name.rsplit('/').next() == Some(wanted)))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_found_by_name_while_it_is_open() {
        let sockets = "Num       RefCount Protocol Flags    Type St Inode Path
0000: 00000002 00000000 00010000 0001 01 31 @rig-up/7/drain
0000: 00000003 00000000 00000000 0001 03 32 @rig-up/7/drain
0000: 00000002 00000000 00010000 0001 01 33 @rig-up/8/canary
0000: 00000002 00000000 00010000 0001 01 34 /run/other.sock
";
        assert_eq!(doors(sockets, None), ["rig-up/7/drain", "rig-up/8/canary"]);
        assert_eq!(doors(sockets, Some("canary")), ["rig-up/8/canary"]);
        assert_eq!(doors(sockets, Some("reload")), [""; 0]);
    }
}
