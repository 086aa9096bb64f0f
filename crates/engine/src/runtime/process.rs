//! Components as local processes, unprivileged where rig is, each with a process group of its own.
//!
//! Nothing survives rig: every child is launched through `rig agent exec`, which asks the kernel for a signal
//! at its parent's death and then becomes the program. That signal follows the *thread* that spawned, so
//! everything here is spawned from the main thread.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use model::catalog::BalancerKind;
use model::records::BalancerBuild;
use model::units::Nanos;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

use super::lease::Leases;
use super::{Launch, Process, Program, Runtime, binaries};
use crate::balancer::{STDERR_FILE, STDOUT_FILE, Signal};
use crate::error::EngineError;

/// How long a component may take to follow SIGTERM before it gets SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// Local processes.
pub struct ProcessRuntime {
    executable: PathBuf,
    leases: Leases,
    children: RefCell<Vec<Living>>,
}

/// A child that may still run.
struct Living {
    pid: u32,
    program: Program,
    exit: watch::Receiver<Option<String>>,
}

impl Living {
    fn runs(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// Ends what a balancer that is gone has left of its process group: nginx's workers outlive a killed master.
    fn sweep(&self) {
        if matches!(self.program, Program::Balancer(_)) {
            send_group(self.pid, Signal::Kill);
        }
    }

    /// The signal that ends it: a balancer needs SIGTERM so that it ends its workers; an agent may be stopped,
    /// and only SIGKILL reaches those.
    fn ending(&self) -> Signal {
        match self.program {
            Program::Balancer(_) => Signal::Term,
            Program::Agent(_) => Signal::Kill,
        }
    }
}

impl ProcessRuntime {
    /// A runtime whose agents are `executable`: rig itself.
    pub fn new(executable: PathBuf) -> ProcessRuntime {
        ProcessRuntime { executable, leases: Leases::default(), children: RefCell::default() }
    }

    fn command(&self, launch: &Launch) -> Result<Command, EngineError> {
        let (signal, program) = match &launch.program {
            Program::Balancer(kind) => ("TERM", binaries::find(*kind)?),
            Program::Agent(_) => ("KILL", self.executable.clone()),
        };
        let mut command = Command::new(&self.executable);
        command.args([
            "agent",
            "exec",
            "--parent",
            &std::process::id().to_string(),
            "--signal",
            signal,
            "--",
        ]);
        command.arg(program);
        if let Program::Agent(role) = launch.program {
            command.args(["agent", role]);
        }
        // A group of its own: Ctrl-C on the terminal is rig's to handle, in order.
        command.args(&launch.arguments).current_dir(&launch.directory).process_group(0);
        Ok(command)
    }
}

impl Runtime for ProcessRuntime {
    fn name(&self) -> &'static str {
        "process"
    }

    async fn describe(&self, kind: BalancerKind) -> Result<BalancerBuild, EngineError> {
        binaries::describe(kind).await
    }

    fn lease(&self) -> Result<SocketAddr, EngineError> {
        self.leases.take()
    }

    fn lease_at(&self, address: SocketAddr) -> Result<(), EngineError> {
        self.leases.take_at(address)
    }

    async fn start(&self, launch: Launch) -> Result<Process, EngineError> {
        let failed = |source| EngineError::Launch { component: launch.component.clone(), source };
        let log = |name: &str| {
            let path = launch.directory.join(name);
            OpenOptions::new().create(true).append(true).open(&path).map_err(EngineError::file(path))
        };
        let mut command = self.command(&launch)?;
        command.stderr(log(STDERR_FILE)?);
        match launch.job {
            Some(_) => command.stdin(Stdio::piped()).stdout(Stdio::piped()),
            None => command.stdin(Stdio::null()).stdout(log(STDOUT_FILE)?),
        };
        tracing::debug!(component = launch.component, command = ?command.as_std());
        let mut child = command.spawn().map_err(failed)?;
        let pid = child.id().ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
        // Its output first: a child that fails at once must not lose its last words to a broken pipe.
        let (line, lines) = mpsc::channel(64);
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(async move {
                let mut read = BufReader::new(stdout).lines();
                while let Ok(Some(text)) = read.next_line().await {
                    if line.send(text).await.is_err() {
                        break;
                    }
                }
            });
        }
        let mut stdin = child.stdin.take();
        if let (Some(stdin), Some(job)) = (&mut stdin, &launch.job) {
            // A child that is gone already says why through its exit.
            let _ = stdin.write_all(format!("{job}\n").as_bytes()).await;
        }
        let exit = watched(child, stdin);
        self.children.borrow_mut().push(Living { pid, program: launch.program, exit: exit.clone() });
        Ok(Process { component: launch.component, pid, lines, exit })
    }

    fn signal(&self, process: &Process, signal: Signal) -> Nanos {
        // A pid stays ours until its exit has been collected, which happens on this thread.
        if process.exited().is_none() {
            send(process.pid, signal);
        }
        agent::clock::now()
    }

    fn as_root(&self) -> bool {
        rustix::process::geteuid().is_root()
    }

    async fn end(&self) {
        let children = std::mem::take(&mut *self.children.borrow_mut());
        for child in children.iter().filter(|child| child.runs()) {
            send(child.pid, child.ending());
        }
        for child in children {
            let mut exit = child.exit.clone();
            if tokio::time::timeout(GRACE, exit.wait_for(Option::is_some)).await.is_err() {
                send_group(child.pid, Signal::Kill);
                let _ = tokio::time::timeout(GRACE, exit.wait_for(Option::is_some)).await;
            }
            child.sweep();
        }
    }
}

impl Drop for ProcessRuntime {
    /// Only a panic leaves children here: everything else has awaited [`Runtime::end`].
    fn drop(&mut self) {
        for child in self.children.borrow().iter() {
            if child.runs() {
                send(child.pid, child.ending());
            } else {
                child.sweep();
            }
        }
    }
}

/// Collects the child's exit when it comes. Its standard input stays open until then: an agent takes its end
/// for the controller's death.
fn watched(mut child: Child, stdin: Option<tokio::process::ChildStdin>) -> watch::Receiver<Option<String>> {
    let (ended, exit) = watch::channel(None);
    tokio::spawn(async move {
        let status = match child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => format!("its exit could not be collected: {error}"),
        };
        drop(stdin);
        let _ = ended.send(Some(status));
    });
    exit
}

fn send(pid: u32, signal: Signal) {
    if let Some(pid) = known(pid) {
        let _ = rustix::process::kill_process(pid, number(signal));
    }
}

fn send_group(pid: u32, signal: Signal) {
    if let Some(pid) = known(pid) {
        let _ = rustix::process::kill_process_group(pid, number(signal));
    }
}

fn known(pid: u32) -> Option<rustix::process::Pid> {
    i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)
}

fn number(signal: Signal) -> rustix::process::Signal {
    use rustix::process::Signal as Number;
    match signal {
        Signal::Term => Number::TERM,
        Signal::Quit => Number::QUIT,
        Signal::Hup => Number::HUP,
        Signal::Usr1 => Number::USR1,
        Signal::Kill => Number::KILL,
        Signal::Stop => Number::STOP,
        Signal::Cont => Number::CONT,
    }
}
