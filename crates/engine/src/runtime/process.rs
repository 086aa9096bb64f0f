//! Components as local processes, unprivileged where rig is, each with a process group of its own.
//!
//! Nothing survives rig: every child is launched through `rig agent exec`, which asks the kernel for a signal
//! at its parent's death and then becomes the program. That signal follows the *thread* that spawned, so
//! everything here is spawned from the main thread. A balancer has workers, and may miss the signal where it stands
//! still: a keeper ends its group.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use agent::keep::DONE;
use model::component::{Component, ExitStatus};
use model::plan::Need;
use model::records::BalancerBuild;
use model::timeline::FaultKind;
use model::units::Nanos;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

use super::{CpuUse, Handle, Launch, Pod, PodOrder, Process, Reach, Runs, Runtime, RuntimeError};
use crate::host::leases::Leases;
use crate::host::limits::ProcessLimits;
use crate::host::orphans::{self, Launched, MARK};
use crate::host::processes::{
    Spared, go_on, go_on_group, group_cpu_seconds, send, send_group, stop, stop_group,
};
use crate::host::{HostError, Signal};
use crate::program::{ProgramVersion, STDERR_FILE, STDOUT_FILE, installed};

/// How long a component may take to follow SIGTERM before it gets SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// How many lines may wait on either side of an agent's standard input and output.
const LINES: usize = 64;
/// Why they are no containers.
const NO_IMAGE: &str = "a local process has no image: choose `--runtime docker`";
/// Why local processes can't be cut off.
const ONE_HOST: &str = "local processes share the loopback interface, which can't be cut for one of them";

/// Local processes.
pub struct ProcessRuntime {
    executable: PathBuf,
    leases: Leases,
    launched: RefCell<Launched>,
    children: RefCell<Vec<Living>>,
    /// What balancers write their words to.
    logs: RefCell<BTreeMap<PathBuf, File>>,
}

/// What kind of process it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// It has no processes of its own.
    Single,
    /// It has some, which it ends on SIGTERM.
    Master,
    /// A service of the user's, which may have some: what befalls it befalls its group.
    Service,
}

impl Nature {
    fn of(runs: Runs<'_>) -> Nature {
        match runs {
            Runs::Own(_) => Nature::Service,
            Runs::Program(of) if of.program.has_workers => Nature::Master,
            Runs::Program(_) | Runs::Agent(_) => Nature::Single,
        }
    }
    fn has_workers(self) -> bool {
        self != Nature::Single
    }
}

/// A child that may still run.
struct Living {
    pid: u32,
    nature: Nature,
    exit: watch::Receiver<Option<ExitStatus>>,
    /// What ends its group if rig dies and it has workers.
    keeper: Option<Spared>,
    /// Files that it leaves behind.
    leaves: Vec<PathBuf>,
}

impl Living {
    /// Tells the keeper that there is nothing left to do, and waits for its end.
    async fn relieve(&mut self) {
        let Some(mut keeper) = self.keeper.take() else { return };
        if let Some(mut input) = keeper.input() {
            // One that is gone can't be told.
            let _ = input.write_all(DONE.as_bytes()).await;
        }
        keeper.wait().await;
    }

    fn remove_what_it_leaves(&self) {
        for file in &self.leaves {
            // It may not have got so far as to make it.
            let _ = std::fs::remove_file(file);
        }
    }

    fn runs(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// Ends what is left of its process group once it is gone: nginx's workers outlive a killed master.
    fn sweep(&self) {
        if self.nature.has_workers() {
            send_group(self.pid, Signal::Kill);
        }
    }

    /// The signal that ends it: what has workers needs SIGTERM so that it ends them; the others may be stopped, and
    /// only SIGKILL reaches those.
    fn ending(&self) -> Signal {
        if self.nature.has_workers() { Signal::Term } else { Signal::Kill }
    }
}

impl ProcessRuntime {
    /// A runtime whose agents are `executable`: rig itself.
    pub fn new(executable: PathBuf) -> ProcessRuntime {
        orphans::adopt();
        let leases = Leases::default();
        ProcessRuntime {
            executable,
            leases,
            launched: RefCell::default(),
            children: RefCell::default(),
            logs: RefCell::default(),
        }
    }

    /// Does `act` to a process that runs; returns when. A pid stays ours until its exit has been collected, which
    /// happens on this thread.
    fn act(&self, process: &Handle, act: impl FnOnce(u32)) -> Nanos {
        let ordered = agent::clock::now();
        if process.exited().is_none() {
            act(process.pid);
        }
        ordered
    }

    fn is_service(&self, process: &Handle) -> bool {
        let is_it = |child: &Living| child.pid == process.pid && child.nature == Nature::Service;
        self.children.borrow().iter().any(is_it)
    }

    /// Starts what ends the process group `group`, and removes what that leaves behind, if rig dies: in a group of its own, so
    /// that what ends rig from its terminal doesn't end it.
    fn keeper_of(&self, group: u32, leaves: &[PathBuf]) -> std::io::Result<Spared> {
        let mut command = Command::new(&self.executable);
        command.args(["agent", "keep", "--group", &group.to_string()]).process_group(0);
        command.args(leaves.iter().flat_map(|file| [OsStr::new("--leaves"), file.as_os_str()]));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Spared::spawn(&mut command)
    }

    /// A file for what the component says. Processes of one component have one open file, not each its own: HAProxy takes
    /// the append mode from its standard output (F_SETFL), and would write over what the one before it wrote.
    fn log(&self, launch: &Launch<'_>, name: &str) -> Result<File, RuntimeError> {
        let path = launch.directory.join(name);
        let mut logs = self.logs.borrow_mut();
        let opened = match logs.get(&path) {
            Some(log) => log.try_clone(),
            None => OpenOptions::new().create(true).append(true).open(&path),
        };
        let kept = opened.and_then(|log| {
            if launch.component == Component::Balancer {
                logs.insert(path.clone(), log.try_clone()?);
            }
            Ok(log)
        });
        kept.map_err(HostError::file::<RuntimeError>(path))
    }

    fn command(&self, launch: &Launch<'_>) -> Result<Command, RuntimeError> {
        let signal = if Nature::of(launch.runs).has_workers() { "TERM" } else { "KILL" };
        let program = match launch.runs {
            Runs::Program(program) => Some(installed::find(program)?),
            Runs::Agent(_) => Some(self.executable.clone()),
            Runs::Own(_) => None,
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
        command.args(program);
        if let Runs::Agent(role) = launch.runs {
            command.args(["agent", role]);
        }
        // A group of its own: Ctrl-C on the terminal is rig's to handle, in order.
        command.args(&launch.arguments).current_dir(&launch.directory).process_group(0);
        command.envs(launch.variables.iter().map(|(name, value)| (name, value)));
        if let Runs::Own(own) = launch.runs {
            command.current_dir(&own.directory).envs(&own.variables).env(MARK, &launch.directory);
        }
        Ok(command)
    }
}

impl Runtime for ProcessRuntime {
    fn name(&self) -> &'static str {
        "process"
    }

    fn lacks(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Fault(FaultKind::Crash | FaultKind::Term | FaultKind::Freeze)
            | Need::SourceAddresses
            | Need::Command
            | Need::SecondBalancer => None,
            Need::Image => Some(NO_IMAGE),
            Need::Fault(FaultKind::Partition | FaultKind::HostLoss) => Some(ONE_HOST),
        }
    }

    async fn describe(&self, program: ProgramVersion) -> Result<BalancerBuild, RuntimeError> {
        Ok(installed::describe(program).await?)
    }

    fn connections(&self) -> u32 {
        ProcessLimits::here().connections()
    }

    fn as_root(&self) -> bool {
        rustix::process::geteuid().is_root()
    }

    async fn open(&self, _directories: &[&Path]) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn pod(&self, order: PodOrder<'_>) -> Result<Pod, RuntimeError> {
        let mut addresses = Vec::new();
        for port in 0..order.ports {
            match order.reach {
                Reach::People(Some(address)) if port == 0 => {
                    self.leases.take_at(address)?;
                    addresses.push(address);
                }
                Reach::People(_) | Reach::Cell => {
                    addresses.push(self.leases.take(order.port.filter(|_| port == 0))?);
                }
            }
        }
        Ok(Pod { name: order.name.to_owned(), addresses, published: None, keeper: None })
    }

    async fn start(&self, launch: Launch<'_>) -> Result<Process, RuntimeError> {
        let failed = |source| RuntimeError::Launch { component: launch.component.to_string(), source };
        let log = |name: &str| self.log(&launch, name);
        let mut command = self.command(&launch)?;
        command.stderr(log(STDERR_FILE)?);
        match launch.runs {
            Runs::Agent(_) => command.stdin(Stdio::piped()).stdout(Stdio::piped()),
            Runs::Program(_) | Runs::Own(_) => command.stdin(Stdio::null()).stdout(log(STDOUT_FILE)?),
        };
        tracing::debug!(component = %launch.component, command = ?command.as_std());
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
        let nature = Nature::of(launch.runs);
        let exit = watched(child, (nature == Nature::Service).then_some(pid));
        {
            let mut launched = self.launched.borrow_mut();
            launched.groups.extend(i32::try_from(pid));
            match launch.runs {
                // Its directory is the user's, where others work as well.
                Runs::Own(_) => launched.marks.extend([launch.directory.display().to_string()]),
                Runs::Program(_) | Runs::Agent(_) => {
                    launched.directories.extend(std::fs::canonicalize(&launch.directory));
                }
            }
        }
        let keeper =
            nature.has_workers().then(|| self.keeper_of(pid, &launch.leaves)).transpose().map_err(failed)?;
        self.children.borrow_mut().push(Living {
            pid,
            nature,
            exit: exit.clone(),
            keeper,
            leaves: launch.leaves,
        });
        let handle = Handle { component: launch.component, id: pid.to_string(), pid, exit };
        Ok(Process { handle, input, lines })
    }

    async fn signal(&self, process: &Handle, signal: Signal) -> Result<Nanos, RuntimeError> {
        // The others learn of the end from their first, as under a supervisor. A crash takes all of them.
        let all = signal == Signal::Kill && self.is_service(process);
        Ok(self.act(process, |pid| if all { send_group(pid, signal) } else { send(pid, signal) }))
    }

    async fn freeze(&self, process: &Handle) -> Result<Nanos, RuntimeError> {
        Ok(self.act(process, if self.is_service(process) { stop_group } else { stop }))
    }

    async fn thaw(&self, process: &Handle) -> Result<Nanos, RuntimeError> {
        Ok(self.act(process, if self.is_service(process) { go_on_group } else { go_on }))
    }

    async fn partition(&self, pod: &Pod) -> Result<Nanos, RuntimeError> {
        Err(RuntimeError::Incapable { verb: "partition", of: pod.name.clone(), reason: ONE_HOST })
    }

    async fn heal(&self, pod: &Pod) -> Result<Nanos, RuntimeError> {
        Err(RuntimeError::Incapable { verb: "heal", of: pod.name.clone(), reason: ONE_HOST })
    }

    async fn cpu_time(&self, process: &Handle) -> Result<CpuUse, RuntimeError> {
        let seconds = group_cpu_seconds(process.pid).map_err(HostError::file::<RuntimeError>("/proc"))?;
        Ok(CpuUse { seconds, source: "/proc/PID/stat, all processes of its group" })
    }

    async fn end(&self) -> Result<(), RuntimeError> {
        self.logs.borrow_mut().clear();
        let children = std::mem::take(&mut *self.children.borrow_mut());
        for child in children.iter().filter(|child| child.runs()) {
            send(child.pid, child.ending());
        }
        for mut child in children {
            let mut exit = child.exit.clone();
            if tokio::time::timeout(GRACE, exit.wait_for(Option::is_some)).await.is_err() {
                send_group(child.pid, Signal::Kill);
                let _ = tokio::time::timeout(GRACE, exit.wait_for(Option::is_some)).await;
            }
            child.sweep();
            child.remove_what_it_leaves();
            child.relieve().await;
        }
        let launched = std::mem::take(&mut *self.launched.borrow_mut());
        match launched.end(GRACE).await.as_slice() {
            [] => Ok(()),
            left => Err(RuntimeError::LeftBehind { pids: left.to_vec() }),
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

/// Collects the child's exit when it comes. What is left of `group` then is ended first: it would keep the address.
fn watched(mut child: Child, group: Option<u32>) -> watch::Receiver<Option<ExitStatus>> {
    let (ended, exit) = watch::channel(None);
    tokio::spawn(async move {
        let status = match child.wait().await {
            Ok(status) => status.into(),
            Err(error) => ExitStatus::unknown(format!("its exit could not be collected: {error}")),
        };
        if let Some(group) = group {
            send_group(group, Signal::Kill);
        }
        let _ = ended.send(Some(status));
    });
    exit
}
