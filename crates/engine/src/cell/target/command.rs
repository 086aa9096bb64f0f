//! Runs the commands of a target. Each is a process group of its own that lives and dies with rig; what it has left in the
//! background once it has ended is the user's.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use agent::keep::DONE;
use futures_util::FutureExt;
use model::history::Happening;
use model::target::{CommandName, Target, TargetCommand};
use model::visible::visible;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command as System};
use tokio::sync::watch;

use super::redaction::Redaction;
use crate::cell::error::CellError;
use crate::cell::recorder::{Observation, Recorder};
use crate::host::Signal;
use crate::host::processes::send_group;

/// rig itself, even after its file was replaced.
const ITSELF: &str = "/proc/self/exe";
/// What a command always gets of rig's environment.
const ALWAYS: [&str; 5] = ["PATH", "HOME", "USER", "LANG", "TMPDIR"];
/// How long a command may take to follow SIGTERM.
const GRACE: Duration = Duration::from_secs(5);
/// How often its output is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How much of it is kept.
const LONGEST: u64 = 1024 * 1024;
/// How much of its end is kept, if there is more.
const LAST_BYTES: u64 = 8 * 1024;
/// Lines that a failure is told with.
const LAST_WORDS: usize = 5;
const INTERRUPTED: &str = "it was interrupted";
const OUTLIVED: &str = "it had not ended when the load did, and was ended";
/// Where the output is kept, in the cell's directory.
const KEPT: &str = "commands.log";

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cell) struct Ran {
    /// Its exit code; `None`: a signal ended it, or it could not be run.
    pub(super) code: Option<i32>,
    /// In words.
    pub(super) status: String,
}

/// The commands of one cell.
pub(super) struct CommandRunner<'a> {
    target: &'a Target,
    recorder: &'a Recorder<'a>,
    kept: RefCell<File>,
    interrupted: watch::Receiver<bool>,
    /// Whether the load is over.
    over: watch::Sender<bool>,
    /// How many run.
    running: Cell<u32>,
}

impl<'a> CommandRunner<'a> {
    pub(super) fn new(
        target: &'a Target,
        recorder: &'a Recorder<'a>,
        cell: &Path,
        interrupted: watch::Receiver<bool>,
    ) -> Result<CommandRunner<'a>, CellError> {
        let path = cell.join(KEPT);
        let kept = File::options().create(true).append(true).mode(0o600).open(&path);
        let kept = RefCell::new(kept.map_err(CellError::file(&path))?);
        let over = watch::Sender::new(false);
        Ok(CommandRunner { target, recorder, kept, interrupted, over, running: Cell::new(0) })
    }

    /// Ends in order what runs, and runs nothing but `restore` from now on: the load is over.
    pub(super) fn load_is_over(&self) {
        self.over.send_replace(true);
    }

    /// Whether one of them runs.
    pub(super) fn are_running(&self) -> bool {
        self.running.get() > 0
    }

    /// What there is.
    pub(super) fn of(&self) -> &model::target::TargetCommands {
        &self.target.commands
    }

    /// Runs the command `restore`, if there is one, whatever the user wants to stop.
    pub(super) async fn restore(&self) -> Result<(), CellError> {
        let Some(command) = &self.target.commands.restore else { return Ok(()) };
        let ran = self.run_until(CommandName::Restore, command, &[], std::future::pending()).await?;
        match ran.code {
            Some(0) => Ok(()),
            _ => Err(failure(CommandName::Restore, ran.status)),
        }
    }

    /// Runs a command that has to succeed.
    pub(super) async fn must(
        &self,
        name: CommandName,
        command: &TargetCommand,
        places: &[(&str, &str)],
    ) -> Result<(), CellError> {
        match self.run(name, command, places).await? {
            Ran { code: Some(0), .. } => Ok(()),
            Ran { status, .. } => Err(failure(name, status)),
        }
    }

    /// Runs a command to its end, its limit, the load's end, or the user's interruption. `places` are what stands in braces in
    /// its words.
    pub(super) async fn run(
        &self,
        name: CommandName,
        command: &TargetCommand,
        places: &[(&str, &str)],
    ) -> Result<Ran, CellError> {
        let (mut interrupted, mut over) = (self.interrupted.clone(), self.over.subscribe());
        let stopped = async {
            // Who can't say so any more does not.
            tokio::select! {
                biased;
                Ok(_) = interrupted.wait_for(|stop| *stop) => INTERRUPTED,
                Ok(_) = over.wait_for(|over| *over) => OUTLIVED,
                else => std::future::pending().await,
            }
        };
        self.run_until(name, command, places, stopped).await
    }

    async fn run_until(
        &self,
        name: CommandName,
        command: &TargetCommand,
        places: &[(&str, &str)],
        stopped: impl Future<Output = &'static str>,
    ) -> Result<Ran, CellError> {
        let failed = |reason: std::io::Error| failure(name, reason.to_string());
        tokio::pin!(stopped);
        if let Some(why) = stopped.as_mut().now_or_never() {
            return Ok(Ran { code: None, status: why.to_owned() });
        }
        let command = filled(command, places);
        let environment = environment(&command);
        let redaction = Redaction::of(
            environment.iter().filter(|(name, _)| !ALWAYS.contains(&name.as_str())).cloned(),
            command.environment.is_some(),
        );
        self.recorder
            .record(Happening::CommandStarted { command: name, words: redaction.applied(&command.shown()) });
        // A file without a name: a service that the command starts may go on writing to it, and no pipe breaks.
        let said = tempfile::tempfile().map_err(failed)?;
        let mut child = self.started(&command, &environment, &said).map_err(failed)?;
        let group = child.id().unwrap_or_default();
        let mut keeper = match keeper_of(group) {
            Ok(keeper) => keeper,
            Err(error) => {
                end(&mut child, group).await;
                return Err(failed(error));
            }
        };
        let mut output = Output::of(&said, &redaction);
        self.running.set(self.running.get() + 1);
        let ended = tokio::select! {
            ended = child.wait() => CommandEnd::ByItself(ended.map_err(failed)?),
            () = tokio::time::sleep(command.within.0) => CommandEnd::TooLong,
            why = stopped => CommandEnd::Stopped(why),
            never = self.follow(&mut output) => match never {},
        };
        let ran = match ended {
            CommandEnd::ByItself(status) => Ran { code: status.code(), status: status.to_string() },
            CommandEnd::TooLong => {
                end(&mut child, group).await;
                Ran {
                    code: None,
                    status: format!("it had not ended after {}, and was ended", command.within),
                }
            }
            CommandEnd::Stopped(why) => {
                end(&mut child, group).await;
                Ran { code: None, status: why.to_owned() }
            }
        };
        relieve(&mut keeper).await;
        self.running.set(self.running.get() - 1);
        self.take(&mut output, false);
        let unkept = output.go_to_the_end();
        if let Some(unkept) = unkept {
            self.keep(&format!("[{unkept} bytes of what `{name}` said are not kept. Its last words:]"));
        }
        self.take(&mut output, true);
        let succeeded = ran.code == Some(0) || name.is_asked() && ran.code == Some(1);
        self.recorder.record(Happening::CommandEnded {
            command: name,
            status: ran.status.clone(),
            succeeded,
            said: if succeeded { String::new() } else { output.last.join("\n") },
            unkept,
        });
        Ok(ran)
    }

    fn started(
        &self,
        command: &TargetCommand,
        environment: &[(String, String)],
        said: &File,
    ) -> std::io::Result<Child> {
        let mut system = System::new(ITSELF);
        system.args(["agent", "exec", "--parent", &std::process::id().to_string(), "--signal", "TERM", "--"]);
        system.args(&command.run).process_group(0);
        if !self.target.directory.as_os_str().is_empty() {
            system.current_dir(&self.target.directory);
        }
        if command.environment.is_some() {
            system.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        }
        system.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said.try_clone()?).spawn()
    }

    /// Shows and keeps the output as it comes.
    async fn follow(&self, output: &mut Output<'_>) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(LOOK).await;
            self.take(output, false);
        }
    }

    fn take(&self, output: &mut Output<'_>, to_the_end: bool) {
        for line in output.lines(to_the_end) {
            self.keep(&line);
        }
    }

    fn keep(&self, line: &str) {
        self.recorder.show(Observation::Said(line));
        // What could not be kept has been shown.
        let _ = writeln!(self.kept.borrow_mut(), "{line}");
    }
}

fn failure(command: CommandName, reason: String) -> CellError {
    CellError::Command { command: command.name(), reason }
}

enum CommandEnd {
    ByItself(std::process::ExitStatus),
    TooLong,
    Stopped(&'static str),
}

/// The output of a command, read line by line.
struct Output<'a> {
    said: &'a File,
    read: u64,
    /// Where reading ends for now.
    until: u64,
    rest: Vec<u8>,
    last: Vec<String>,
    redaction: &'a Redaction,
}

impl<'a> Output<'a> {
    fn of(said: &'a File, redaction: &'a Redaction) -> Output<'a> {
        Output { said, read: 0, until: LONGEST, rest: Vec::new(), last: Vec::new(), redaction }
    }

    /// Goes on at the last words, if there is more than is kept; returns how many bytes are left out. No line is kept in
    /// part: it could be the part of a secret.
    fn go_to_the_end(&mut self) -> Option<u64> {
        let length = self.said.metadata().map_or(self.read, |file| file.len());
        self.until = length;
        let from = length.saturating_sub(LAST_BYTES);
        if from <= self.read {
            return None;
        }
        let unkept = from - self.read + self.rest.len() as u64;
        self.rest.clear();
        self.read = from;
        let mut last = vec![0; LAST_BYTES as usize];
        let read = self.said.read_at(&mut last, from).unwrap_or(0);
        let part = last[..read].iter().position(|byte| *byte == b'\n').map_or(read, |end| end + 1) as u64;
        self.read += part;
        Some(unkept + part)
    }

    /// The lines that have come; with `to_the_end`, one that has no end as well.
    fn lines(&mut self, to_the_end: bool) -> Vec<String> {
        let mut buffer = [0; 8192];
        while self.read < self.until
            && let Ok(length @ 1..) = self.said.read_at(&mut buffer, self.read)
        {
            self.read += length as u64;
            self.rest.extend_from_slice(&buffer[..length]);
        }
        let whole = match self.rest.iter().rposition(|byte| *byte == b'\n') {
            _ if to_the_end => self.rest.len(),
            Some(end) => end + 1,
            None => 0,
        };
        let text: Vec<u8> = self.rest.drain(..whole).collect();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> =
            text.lines().map(|line| visible(&self.redaction.applied(line)).into_owned()).collect();
        self.last.extend(lines.iter().filter(|line| !line.trim().is_empty()).cloned());
        let superfluous = self.last.len().saturating_sub(LAST_WORDS);
        self.last.drain(..superfluous);
        lines
    }
}

/// The command with what stands for the braces in its words.
fn filled(command: &TargetCommand, places: &[(&str, &str)]) -> TargetCommand {
    let fill = |word: &String| {
        places.iter().fold(word.clone(), |word, (name, value)| word.replace(&format!("{{{name}}}"), value))
    };
    TargetCommand { run: command.run.iter().map(fill).collect(), ..command.clone() }
}

/// What of rig's environment the command gets.
fn environment(command: &TargetCommand) -> Vec<(String, String)> {
    let gets = |name: &str| match &command.environment {
        None => true,
        Some(named) => ALWAYS.contains(&name) || named.iter().any(|known| known == name),
    };
    let readable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(readable).filter(|(name, _)| gets(name)).collect()
}

/// Ends a command with everything in its process group.
async fn end(child: &mut Child, group: u32) {
    send_group(group, Signal::Term);
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        send_group(group, Signal::Kill);
        let _ = child.wait().await;
    }
    // What ignored the first signal and was not waited for.
    send_group(group, Signal::Kill);
}

/// What ends the command's group if rig dies while it runs.
fn keeper_of(group: u32) -> std::io::Result<Child> {
    let mut keeper = System::new(ITSELF);
    keeper.args(["agent", "keep", "--group", &group.to_string()]).process_group(0);
    keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// Tells the keeper that there is nothing left to do.
async fn relieve(keeper: &mut Child) {
    if let Some(mut input) = keeper.stdin.take() {
        // One that is gone can't be told.
        let _ = input.write_all(DONE.as_bytes()).await;
    }
    let _ = keeper.wait().await;
}
