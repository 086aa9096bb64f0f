//! A `rig` in the background.

use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;

use crate::ended::Run;
use crate::history::History;
use crate::sandbox::Sandbox;
use crate::waiting::{eventually, within};

/// No run of a test takes longer; what does has hung.
const LONGEST_RUN: Duration = Duration::from_secs(240);

/// A `rig` that runs. It is killed when this is dropped: a test that fails ends what it has begun.
#[derive(Debug)]
pub struct Running {
    /// The process.
    pub child: Child,
    /// Where it runs.
    pub sandbox: Sandbox,
    /// What it writes to standard output and standard error.
    said: NamedTempFile,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    pub(crate) fn begin(command: &mut Command, sandbox: Sandbox) -> Running {
        let said = NamedTempFile::new().unwrap();
        let writer = || said.as_file().try_clone().unwrap();
        let child = command.stdout(writer()).stderr(writer()).spawn();
        Running { child: child.expect("rig can be executed"), sandbox, said }
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.said.path()).unwrap()).into_owned()
    }

    /// Waits until the history of a cell has `event`, and returns that.
    #[track_caller]
    pub fn until(&mut self, event: &str) -> History {
        eventually(&format!("the event {event}"), || {
            if let Some(history) = self.sandbox.histories().into_iter().find(|it| it.has(event)) {
                return Some(history);
            }
            let ended = self.child.try_wait().unwrap();
            assert_eq!(ended, None, "rig ended before the event {event}: {}", self.said());
            None
        })
    }

    /// Waits until it has said `words`.
    #[track_caller]
    pub fn until_it_says(&mut self, words: &str) {
        eventually(words, || {
            let ended = self.child.try_wait().unwrap();
            assert_eq!(ended, None, "rig ended before it said `{words}`: {}", self.said());
            self.said().contains(words).then_some(())
        });
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Waits for its end.
    pub fn ends(&mut self) -> ExitStatus {
        within(LONGEST_RUN, "rig's end", || self.child.try_wait().unwrap())
    }

    /// Waits for its end, which must be this exit code.
    #[track_caller]
    pub fn exits(&mut self, code: i32) {
        let ended = self.ends();
        assert_eq!(ended.code(), Some(code), "{ended:?}: {}", self.said());
    }

    /// Waits for its end, and reads the summary that it saved.
    #[track_caller]
    pub fn finished(mut self) -> Run {
        let ended = self.ends();
        let said = self.said();
        let code = ended.code().unwrap_or_else(|| panic!("{ended:?}: {said}"));
        Run { summary: self.sandbox.saved(), code, said, sandbox: self.sandbox.clone() }
    }
}
