//! Components as local processes, unprivileged where rig is, each with a process group of its own.
//!
//! Nothing survives rig: every child is launched through `rig agent exec`, which asks the kernel for a signal
//! at its parent's death and then becomes the program. That signal follows the *thread* that spawned, so
//! everything here is spawned from the main thread. A balancer has workers, and may miss the signal where it stands
//! still: a keeper ends its group.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use agent::keep::DONE;
use model::catalog::BalancerKind;
use model::plan::Need;
use model::records::BalancerBuild;
use model::timeline::FaultKind;
use model::units::Nanos;
use rustix::process::Signal as Number;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

use super::lease::Leases;
use super::strays::{self, Launched};
use super::{
    CpuTime, Handle, Launch, Pod, PodOrder, Process, Program, Reach, Runtime, binaries, carries, proc,
};
use crate::balancer::{STDERR_FILE, STDOUT_FILE, Signal};
use crate::error::EngineError;

/// How long a component may take to follow SIGTERM before it gets SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// How many lines may wait on either side of an agent's standard input and output.
const LINES: usize = 64;
/// Why local processes can't be cut off.
const ONE_HOST: &str = "local processes share the loopback interface, which can't be cut for one of them";

/// Local processes.
pub struct ProcessRuntime {
    executable: PathBuf,
    leases: Leases,
    launched: RefCell<Launched>,
    children: RefCell<Vec<Living>>,
}

/// A child that may still run.
struct Living {
    pid: u32,
    program: Program,
    exit: watch::Receiver<Option<String>>,
    /// What ends a balancer's group if rig dies.
    keeper: Option<Child>,
}

impl Living {
    /// Tells the keeper that there is nothing left to do, and waits for its end.
    async fn relieve(&mut self) {
        let Some(mut keeper) = self.keeper.take() else { return };
        if let Some(mut input) = keeper.stdin.take() {
            // One that is gone can't be told.
            let _ = input.write_all(DONE.as_bytes()).await;
        }
        let _ = keeper.wait().await;
    }

    fn runs(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// Ends what a balancer that is gone has left of its process group: nginx's workers outlive a killed master.
    fn sweep(&self) {
        if matches!(self.program, Program::Balancer(_)) {
            send_group(self.pid, Signal::Kill);
        }
    }

    /// The signal that ends it: a balancer needs SIGTERM so that it ends its workers; the others may be stopped,
    /// and only SIGKILL reaches those.
    fn ending(&self) -> Signal {
        match self.program {
            Program::Balancer(_) => Signal::Term,
            Program::Store | Program::Agent(_) => Signal::Kill,
        }
    }
}

impl ProcessRuntime {
    /// A runtime whose agents are `executable`: rig itself.
    pub fn new(executable: PathBuf) -> ProcessRuntime {
        strays::adopt();
        let leases = Leases::default();
        ProcessRuntime { executable, leases, launched: RefCell::default(), children: RefCell::default() }
    }

    /// Sends `signal`; returns when. A pid stays ours until its exit has been collected, which happens on this thread.
    fn act(&self, process: &Handle, signal: Number) -> Nanos {
        let ordered = agent::clock::now();
        if process.exited().is_none() {
            send(process.pid, signal);
        }
        ordered
    }

    /// Starts what ends the process group `group` if rig dies: in a group of its own, so that what ends rig from its terminal
    /// doesn't end it.
    fn keeper_of(&self, group: u32) -> std::io::Result<Child> {
        let mut command = Command::new(&self.executable);
        command.args(["agent", "keep", "--group", &group.to_string()]).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    }

    fn command(&self, launch: &Launch<'_>) -> Result<Command, EngineError> {
        let (signal, program) = match launch.program {
            Program::Balancer(kind) => ("TERM", binaries::find(kind)?),
            Program::Store => ("KILL", binaries::find_store()?),
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

    fn lacks(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Fault(FaultKind::Crash | FaultKind::Term | FaultKind::Freeze) | Need::SourceAddresses => {
                None
            }
            Need::Fault(FaultKind::Partition | FaultKind::HostLoss) => Some(ONE_HOST),
        }
    }

    async fn describe(&self, kind: BalancerKind) -> Result<BalancerBuild, EngineError> {
        binaries::describe(kind).await
    }

    async fn describe_store(&self) -> Result<BalancerBuild, EngineError> {
        binaries::describe_store().await
    }

    fn connections(&self) -> u32 {
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        carries::connections(files, carries::ports())
    }

    fn as_root(&self) -> bool {
        rustix::process::geteuid().is_root()
    }

    async fn open(&self, _directories: &[&Path]) -> Result<(), EngineError> {
        Ok(())
    }

    async fn pod(&self, order: PodOrder<'_>) -> Result<Pod, EngineError> {
        let mut addresses = Vec::new();
        for port in 0..order.ports {
            match order.reach {
                Reach::People(Some(address)) if port == 0 => {
                    self.leases.take_at(address)?;
                    addresses.push(address);
                }
                Reach::People(_) | Reach::Cell => addresses.push(self.leases.take()?),
            }
        }
        Ok(Pod { name: order.name.to_owned(), addresses, published: None, keeper: None })
    }

    async fn start(&self, launch: Launch<'_>) -> Result<Process, EngineError> {
        let failed = |source| EngineError::Launch { component: launch.component.clone(), source };
        let log = |name: &str| {
            let path = launch.directory.join(name);
            OpenOptions::new().create(true).append(true).open(&path).map_err(EngineError::file(path))
        };
        let mut command = self.command(&launch)?;
        command.stderr(log(STDERR_FILE)?);
        match launch.program {
            Program::Agent(_) => command.stdin(Stdio::piped()).stdout(Stdio::piped()),
            Program::Balancer(_) | Program::Store => command.stdin(Stdio::null()).stdout(log(STDOUT_FILE)?),
        };
        tracing::debug!(component = launch.component, command = ?command.as_std());
        let mut child = command.spawn().map_err(failed)?;
        let pid = child.id().ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
        // Its output first: a child that fails at once must not lose its last words to a broken pipe.
        let (line, lines) = mpsc::channel(LINES);
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
        let (input, mut words) = mpsc::channel::<String>(LINES);
        if let Some(mut stdin) = child.stdin.take() {
            tokio::spawn(async move {
                while let Some(text) = words.recv().await {
                    // A child that is gone says why through its exit.
                    let _ = stdin.write_all(format!("{text}\n").as_bytes()).await;
                }
            });
        }
        let exit = watched(child);
        {
            let mut launched = self.launched.borrow_mut();
            launched.groups.extend(i32::try_from(pid));
            launched.directories.extend(std::fs::canonicalize(&launch.directory));
        }
        let keeper = match launch.program {
            Program::Balancer(_) => Some(self.keeper_of(pid).map_err(failed)?),
            Program::Store | Program::Agent(_) => None,
        };
        self.children.borrow_mut().push(Living { pid, program: launch.program, exit: exit.clone(), keeper });
        let handle = Handle { component: launch.component, id: pid.to_string(), pid, exit };
        Ok(Process { handle, input, lines })
    }

    async fn signal(&self, process: &Handle, signal: Signal) -> Result<Nanos, EngineError> {
        Ok(self.act(process, number(signal)))
    }

    async fn freeze(&self, process: &Handle) -> Result<Nanos, EngineError> {
        Ok(self.act(process, Number::STOP))
    }

    async fn thaw(&self, process: &Handle) -> Result<Nanos, EngineError> {
        Ok(self.act(process, Number::CONT))
    }

    async fn partition(&self, pod: &Pod) -> Result<Nanos, EngineError> {
        Err(EngineError::Incapable { verb: "partition", of: pod.name.clone(), reason: ONE_HOST })
    }

    async fn heal(&self, pod: &Pod) -> Result<Nanos, EngineError> {
        Err(EngineError::Incapable { verb: "heal", of: pod.name.clone(), reason: ONE_HOST })
    }

    async fn cpu_time(&self, process: &Handle) -> Result<CpuTime, EngineError> {
        let seconds = proc::group_cpu_seconds(process.pid).map_err(EngineError::file("/proc"))?;
        Ok(CpuTime { seconds, source: "/proc/PID/stat, all processes of its group" })
    }

    async fn end(&self) -> Result<(), EngineError> {
        let children = std::mem::take(&mut *self.children.borrow_mut());
        for child in children.iter().filter(|child| child.runs()) {
            send(child.pid, number(child.ending()));
        }
        for mut child in children {
            let mut exit = child.exit.clone();
            if tokio::time::timeout(GRACE, exit.wait_for(Option::is_some)).await.is_err() {
                send_group(child.pid, Signal::Kill);
                let _ = tokio::time::timeout(GRACE, exit.wait_for(Option::is_some)).await;
            }
            child.sweep();
            child.relieve().await;
        }
        let launched = std::mem::take(&mut *self.launched.borrow_mut());
        match launched.end(GRACE).await.as_slice() {
            [] => Ok(()),
            left => Err(EngineError::LeftBehind { pids: left.to_vec() }),
        }
    }
}

impl Drop for ProcessRuntime {
    /// Only a panic leaves children here: everything else has awaited [`Runtime::end`].
    fn drop(&mut self) {
        for child in self.children.borrow().iter() {
            if child.runs() {
                send(child.pid, number(child.ending()));
            } else {
                child.sweep();
            }
        }
    }
}

/// Kills every process that this one has launched, and its group, without waiting: for an end that must not hang. What
/// stands in for the reaper is spared, for it outlives rig.
pub fn kill_children() {
    for child in proc::children_of(std::process::id(), "reap") {
        send_group(child, Signal::Kill);
    }
}

/// Collects the child's exit when it comes.
fn watched(mut child: Child) -> watch::Receiver<Option<String>> {
    let (ended, exit) = watch::channel(None);
    tokio::spawn(async move {
        let status = match child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => format!("its exit could not be collected: {error}"),
        };
        let _ = ended.send(Some(status));
    });
    exit
}

fn send(pid: u32, signal: Number) {
    if let Some(pid) = known(pid) {
        let _ = rustix::process::kill_process(pid, signal);
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

fn number(signal: Signal) -> Number {
    match signal {
        Signal::Term => Number::TERM,
        Signal::Quit => Number::QUIT,
        Signal::Hup => Number::HUP,
        Signal::Usr1 => Number::USR1,
        Signal::Usr2 => Number::USR2,
        Signal::Kill => Number::KILL,
    }
}
