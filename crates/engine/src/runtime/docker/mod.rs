//! Components as containers: one network per cell, and on it a pod for each place. A pod is a pause container that
//! owns the address, and the component beside it in the same network namespace: so a component that is killed
//! leaves an address that refuses, as a process on a living host does, and not a vanished one.
//!
//! Containers share the cell's results directory under its own path, so that files are where the engine looks for
//! them; the engine must be on this machine.

mod archive;
mod cgroup;
pub mod checkup;
mod container;
mod creations;
mod digest;
pub mod endpoint;
mod engine;
pub mod error;
mod events;
mod guard;
pub mod images;
mod lacking;
mod network;
mod official;
mod owner;
mod packing;
mod pulling;
mod reaper;
mod statistics;
mod sweep;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{
    EndpointIpamConfig, EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest,
};
use bollard::query_parameters::{InspectContainerOptions, KillContainerOptionsBuilder};
use model::component::ExitStatus;
use model::plan::Need;
use model::records::BalancerBuild;
use model::units::Nanos;
use tokio::sync::{mpsc, watch};

pub use engine::{Engine, SharedEngine};
pub use error::DockerError;
pub use reaper::{Extent, reap};
pub use sweep::{Cleaned, clean, remove_packed_images};

use self::container::{Placement, Spec, Talk, attach, create, listen};
use self::engine::user;
use self::images::ImageOf;
use self::network::Network;
use self::owner::{CELL, RUN};
use super::{CpuUse, Handle, Launch, Pod, PodOrder, Process, Reach, Runs, Runtime, RuntimeError};
use crate::host::limits::ProcessLimits;
use crate::host::{HostError, Signal};
use crate::program::{ProgramVersion, STDERR_FILE, STDOUT_FILE};

/// The first port in a pod.
const PORT: u16 = 8080;
/// The first place in a network; 1 is the host.
const FIRST_PLACE: u8 = 2;
/// Events come within some milliseconds of what they tell; without this one, its time is unknown.
const TOLD_WITHIN: Duration = Duration::from_secs(5);
/// How long the engine is asked to remove what a cell has left, should it not answer: it may be starting again.
const END_WITHIN: Duration = Duration::from_secs(45);
/// Between two such attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// The containers of one cell.
pub struct DockerRuntime<'e> {
    engine: &'e Engine,
    cell: u32,
    /// Directories that its components share.
    shared: OnceCell<Vec<PathBuf>>,
    network: OnceCell<Network>,
    next: Cell<u8>,
    pods: RefCell<BTreeMap<String, Stake>>,
    /// Frozen containers, each with the signals that wait for its thaw.
    frozen: RefCell<BTreeMap<String, Vec<Signal>>>,
}

/// What a pod is made of.
#[derive(Clone)]
struct Stake {
    address: Ipv4Addr,
    /// The pause container; `None`: nothing connects there, so there is no address to keep.
    pause: Option<String>,
}

impl<'e> DockerRuntime<'e> {
    /// A runtime for the next cell on `engine`.
    pub fn new(engine: &'e Engine) -> DockerRuntime<'e> {
        DockerRuntime {
            engine,
            cell: engine.next_cell(),
            shared: OnceCell::new(),
            network: OnceCell::new(),
            next: Cell::new(FIRST_PLACE),
            pods: RefCell::default(),
            frozen: RefCell::default(),
        }
    }

    fn network(&self) -> Result<&Network, DockerError> {
        self.network.get().ok_or_else(|| DockerError::Refused {
            doing: "open a pod".into(),
            reason: "the cell has no network".into(),
        })
    }

    fn stake(&self, pod: &Pod) -> Result<Stake, DockerError> {
        self.pods.borrow().get(&pod.name).cloned().ok_or_else(|| no_pod(pod))
    }

    /// The container of `pod` that is on the network, and its address.
    fn connected(&self, pod: &Pod) -> Result<(String, Ipv4Addr), DockerError> {
        let Stake { address, pause } = self.stake(pod)?;
        pause.map(|pause| (pause, address)).ok_or_else(|| no_pod(pod))
    }

    /// A container of this cell, without what its kind decides.
    fn spec(&self, component: &str, image: String, network: Placement) -> Spec {
        Spec {
            name: format!("rig-{}-{}-{}", self.engine.run, self.cell, component.replace('/', ".")),
            image,
            command: vec![],
            user: user(),
            labels: self.engine.labels(Some(self.cell), component),
            directory: None,
            shared: vec![],
            network,
            open_files: self.engine.open_files,
            attached: false,
            transient: false,
            environment: vec![],
            capabilities: &[],
            own: false,
        }
    }

    /// Starts the container that keeps a pod's address.
    async fn pause(
        &self,
        order: PodOrder<'_>,
        network: String,
        address: Ipv4Addr,
    ) -> Result<(String, watch::Receiver<Option<ExitStatus>>), DockerError> {
        let image = self.engine.image(ImageOf::Agent, &|_| {}).await?;
        let published = match order.reach {
            Reach::Cell => None,
            Reach::People(at) => {
                Some((PORT, at.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))))
            }
        };
        let place = Placement::At { network, address, published };
        let mut spec = self.spec(order.name, image.reference, place);
        spec.command = ["rig", "agent", "pause"].map(str::to_owned).to_vec();
        let _turn = self.engine.starts.acquire().await;
        let container = create(&self.engine.docker, &self.engine.creations, &spec).await?;
        let keeper = self.engine.events.exit_of(&container);
        self.engine.start(&container, order.name).await?;
        Ok((container, keeper))
    }

    /// Does `request`, which makes the event `action` of `container`; returns when that was ordered, once it has come. The
    /// engine's own time of it is of no use: it tells of a kill, or of a disconnection, tens of milliseconds later.
    async fn timed(
        &self,
        container: &str,
        action: &'static str,
        request: impl Future<Output = Result<(), Error>>,
    ) -> Result<Nanos, RuntimeError> {
        let (count, ordered) = (self.engine.events.count(), agent::clock::now());
        match request.await {
            Ok(()) => {
                self.engine.events.saw(container, action, count, TOLD_WITHIN).await?;
                Ok(ordered)
            }
            Err(error) => Err(DockerError::refused(action)(error).into()),
        }
    }

    /// The same for a component; one that has ended is left alone.
    async fn act(
        &self,
        process: &Handle,
        action: &'static str,
        request: impl Future<Output = Result<(), Error>>,
    ) -> Result<Nanos, RuntimeError> {
        let (count, ordered) = (self.engine.events.count(), agent::clock::now());
        match request.await {
            Ok(()) => {
                self.engine.events.saw(&process.id, action, count, TOLD_WITHIN).await?;
                Ok(ordered)
            }
            // The engine refuses (with a status that differs by verb), because the component has ended.
            Err(Error::DockerResponseServerError { .. })
                if process.wait(PAUSE).await.is_some() && self.engine.events.ended().is_none() =>
            {
                Ok(ordered)
            }
            Err(error) => Err(DockerError::refused(action)(error).into()),
        }
    }

    /// Removes what this cell has made, until there is nothing.
    async fn remove_everything(&self, last: &Cell<Option<DockerError>>) {
        let labels = [format!("{RUN}={}", self.engine.run), format!("{CELL}={}", self.cell)];
        // A cell that is broken off gives up requests that make something.
        self.engine.creations.settled().await;
        let mut pause = Duration::ZERO;
        loop {
            tokio::time::sleep(pause).await;
            match sweep::sweep(&self.engine.docker, &labels).await {
                Ok(0) => return,
                // The first look finds everything, the second should find nothing.
                Ok(_) if pause.is_zero() => pause = Duration::from_millis(1),
                Ok(_) => pause = PAUSE,
                Err(error) => {
                    last.set(Some(error));
                    pause = PAUSE;
                }
            }
        }
    }
}

impl Runtime for DockerRuntime<'_> {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn lacks(&self, need: Need) -> Option<&'static str> {
        lacking::why(need)
    }

    async fn describe(&self, program: ProgramVersion) -> Result<BalancerBuild, RuntimeError> {
        self.engine.describe(program).await
    }

    fn connections(&self) -> u32 {
        let open_files = self.engine.open_files().and_then(|files| u64::try_from(files).ok());
        // A network namespace has ports of its own, as the kernel sets them: more than enough for what files allow.
        ProcessLimits { open_files, ports: None }.connections()
    }

    fn as_root(&self) -> bool {
        rustix::process::geteuid().is_root()
    }

    async fn open(&self, directories: &[&Path]) -> Result<(), RuntimeError> {
        self.engine.is_usable()?;
        let name = format!("rig-{}-{}", self.engine.run, self.cell);
        let labels = self.engine.labels(Some(self.cell), "network");
        // Two runs at once begin at different subnets.
        let draw = u32::from_str_radix(&self.engine.run, 16).unwrap_or(0).wrapping_add(self.cell);
        let network =
            Network::create(&self.engine.docker, &self.engine.creations, &name, &labels, draw).await?;
        let _ = self.network.set(network);
        let _ = self.shared.set(directories.iter().map(|path| (*path).to_owned()).collect());
        Ok(())
    }

    async fn pod(&self, order: PodOrder<'_>) -> Result<Pod, RuntimeError> {
        let network = self.network()?.id.clone();
        let address = self.network()?.address(self.next.replace(self.next.get() + 1));
        let (mut published, mut keeper) = (None, None);
        let pause = match order.ports {
            0 => None,
            _ => {
                let paused = self.pause(order, network, address).await;
                let (container, exit) = paused.map_err(|error| or_taken(order.reach, error))?;
                keeper = Some(exit);
                if order.reach != Reach::Cell {
                    published = published_port(&self.engine.docker, &container).await?;
                }
                Some(container)
            }
        };
        self.pods.borrow_mut().insert(order.name.to_owned(), Stake { address, pause });
        let addresses = (0..order.ports).map(|n| SocketAddr::from((IpAddr::V4(address), PORT + n))).collect();
        Ok(Pod { name: order.name.to_owned(), addresses, published, keeper })
    }

    async fn start(&self, launch: Launch<'_>) -> Result<Process, RuntimeError> {
        let image = self.engine.image_for(launch.runs).await?;
        let Stake { address, pause } = self.stake(launch.pod)?;
        let place = match pause {
            Some(pause) => Placement::With(pause),
            None => Placement::At { network: self.network()?.id.clone(), address, published: None },
        };
        // The pod has the plain name.
        let name = launch.component.to_string();
        let component = if name == launch.pod.name { format!("{name}.1") } else { name };
        let mut spec = self.spec(&component, image, place);
        spec.command = match launch.runs {
            Runs::Agent(role) => ["rig", "agent", role].map(str::to_owned).to_vec(),
            // Regular files: a pipe that is full would lose lines of a log.
            Runs::Program(program) => {
                let redirect = format!("exec \"$0\" \"$@\" >>{STDOUT_FILE} 2>>{STDERR_FILE}");
                vec!["/bin/sh".into(), "-c".into(), redirect, program.program.executable.into()]
            }
            Runs::Own(_) => vec![],
        };
        spec.is_given(launch.arguments, &launch.variables);
        spec.shared = self.shared.get().cloned().unwrap_or_default();
        spec.directory = Some(launch.directory.clone());
        if let Runs::Own(own) = launch.runs {
            spec.is_own(own);
        }
        spec.attached = matches!(launch.runs, Runs::Agent(_));
        // A server that root starts sets the groups of its workers.
        if matches!(launch.runs, Runs::Program(of) if of.program.has_workers) && self.as_root() {
            spec.capabilities = &["SETGID"];
        }

        let _turn = self.engine.starts.acquire().await;
        let id = create(&self.engine.docker, &self.engine.creations, &spec).await?;
        let exit = self.engine.events.exit_of(&id);
        if spec.own {
            listen(&self.engine.docker, &id, &launch.directory.join(STDOUT_FILE)).await?;
        }
        let talk = match spec.attached {
            true => attach(&self.engine.docker, &id, Some(&launch.directory.join(STDERR_FILE))).await?,
            false => Talk { input: mpsc::channel(1).0, lines: mpsc::channel(1).1 },
        };
        let pid = self.engine.start(&id, &component).await?;
        let handle = Handle { component: launch.component, id, pid, exit };
        Ok(Process { handle, input: talk.input, lines: talk.lines })
    }

    async fn signal(&self, process: &Handle, signal: Signal) -> Result<Nanos, RuntimeError> {
        // As the kernel has it: only SIGKILL reaches what stands still. The engine would let it go on.
        if signal != Signal::Kill
            && let Some(waiting) = self.frozen.borrow_mut().get_mut(&process.id)
        {
            waiting.push(signal);
            return Ok(agent::clock::now());
        }
        let options = KillContainerOptionsBuilder::default().signal(signal.name()).build();
        self.act(process, "kill", self.engine.docker.kill_container(&process.id, Some(options))).await
    }

    async fn freeze(&self, process: &Handle) -> Result<Nanos, RuntimeError> {
        let at = self.act(process, "pause", self.engine.docker.pause_container(&process.id)).await?;
        self.frozen.borrow_mut().insert(process.id.clone(), Vec::new());
        Ok(at)
    }

    async fn thaw(&self, process: &Handle) -> Result<Nanos, RuntimeError> {
        let at = self.act(process, "unpause", self.engine.docker.unpause_container(&process.id)).await?;
        let waiting = self.frozen.borrow_mut().remove(&process.id).unwrap_or_default();
        for signal in waiting {
            self.signal(process, signal).await?;
        }
        Ok(at)
    }

    async fn partition(&self, pod: &Pod) -> Result<Nanos, RuntimeError> {
        let (container, _) = self.connected(pod)?;
        let request = NetworkDisconnectRequest { container: container.clone(), force: Some(false) };
        let request = self.engine.docker.disconnect_network(&self.network()?.id, request);
        self.timed(&container, "disconnect", request).await
    }

    async fn heal(&self, pod: &Pod) -> Result<Nanos, RuntimeError> {
        let (container, address) = self.connected(pod)?;
        let ipam = EndpointIpamConfig { ipv4_address: Some(address.to_string()), ..Default::default() };
        let request = NetworkConnectRequest {
            container: container.clone(),
            endpoint_config: Some(EndpointSettings { ipam_config: Some(ipam), ..Default::default() }),
        };
        let request = self.engine.docker.connect_network(&self.network()?.id, request);
        self.timed(&container, "connect", request).await
    }

    async fn cpu_time(&self, process: &Handle) -> Result<CpuUse, RuntimeError> {
        match cgroup::cpu_time(process.pid, &process.id) {
            Ok(time) => Ok(time),
            // The hierarchy may be hidden from rig, as it is in a container.
            Err(_) => Ok(statistics::cpu_time(&self.engine.docker, &process.id).await?),
        }
    }

    async fn end(&self) -> Result<(), RuntimeError> {
        let last = Cell::new(None);
        match tokio::time::timeout(END_WITHIN, self.remove_everything(&last)).await {
            Ok(()) => Ok(()),
            Err(_) => {
                let reason = last.into_inner().map_or_else(
                    || format!("it takes longer than {} s", END_WITHIN.as_secs()),
                    |error: DockerError| error.to_string(),
                );
                Err(DockerError::Leftover { reason }.into())
            }
        }
    }
}

/// The same, unless it says that another program has the address that people want.
fn or_taken(reach: Reach, error: DockerError) -> RuntimeError {
    let taken = ["address already in use", "port is already allocated"];
    match (reach, &error) {
        (Reach::People(Some(listener)), DockerError::Refused { reason, .. })
            if taken.iter().any(|words| reason.contains(words)) =>
        {
            HostError::AddressBusy {
                address: format!("{listener} ({reason})"),
                help: "free it, or choose another with --listen".into(),
            }
            .into()
        }
        _ => error.into(),
    }
}

fn no_pod(pod: &Pod) -> DockerError {
    DockerError::Refused {
        doing: format!("use the pod {}", pod.name),
        reason: "it has no address on the cell's network".into(),
    }
}

/// Where the pod's first port is published on this machine.
async fn published_port(
    docker: &bollard::Docker,
    container: &str,
) -> Result<Option<SocketAddr>, DockerError> {
    let inspected = docker.inspect_container(container, None::<InspectContainerOptions>).await;
    let settings = inspected.map_err(DockerError::refused("inspect a pod"))?.network_settings;
    let ports = settings.and_then(|settings| settings.ports).unwrap_or_default();
    let bindings = ports.get(&format!("{PORT}/tcp")).cloned().flatten().unwrap_or_default();
    Ok(bindings.iter().find_map(|binding| {
        let ip: IpAddr = binding.host_ip.as_deref()?.parse().ok()?;
        Some(SocketAddr::from((ip, binding.host_port.as_deref()?.parse().ok()?)))
    }))
}
