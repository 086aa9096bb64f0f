//! A run's use of a container engine: the images, the reaper, and what everything that it makes is labelled with.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{InspectContainerOptions, StartContainerOptions};
use model::component::ExitStatus;
use model::records::{BalancerBuild, ContainerEngine, ImageUsed};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, watch};

use super::container::{Placement, Spec, Talk, attach, create};
use super::creations::Creations;
use super::endpoint::Endpoint;
use super::error::DockerError;
use super::events::Events;
use super::guard::Guard;
use super::images::{ImageOf, ImageSource, Pull};
use super::network::DRIVER;
use super::owner::{CELL, COMPONENT, OWNER, Owner, REAPER, RUN};
use super::reaper::{DONE, READY};
use super::sweep::sweep_all;
use crate::program::{Program, ProgramVersion, installed};
use crate::runtime::{Runs, RuntimeError};

/// How long the reaper may take to be ready, and to be gone.
const REAPER_WITHIN: Duration = Duration::from_secs(20);
/// How often one looks whether it is gone.
const LOOK: Duration = Duration::from_millis(50);
/// How long a program may take to print its version.
const VERSION_WITHIN: Duration = Duration::from_secs(20);

/// A container engine, for one run of rig.
pub struct Engine {
    pub(super) docker: Docker,
    endpoint: Endpoint,
    images: ImageSource,
    /// Names this run on the engine.
    pub(super) run: String,
    owner: Owner,
    pub(super) events: Events,
    /// What is being made.
    pub(super) creations: Creations,
    /// Bounds how many containers are being started at once.
    pub(super) starts: Arc<Semaphore>,
    /// The limit of open files that the engine lets containers have.
    pub(super) open_files: Option<i64>,
    used: RefCell<BTreeMap<String, ImageUsed>>,
    builds: RefCell<BTreeMap<String, BalancerBuild>>,
    cells: Arc<AtomicU32>,
    reaper: Option<Reaper>,
    /// How the reaper ended, as this use of the engine has heard.
    reaped: Option<watch::Receiver<Option<ExitStatus>>>,
    facts: ContainerEngine,
}

/// The reaper of a run.
struct Reaper {
    id: String,
    talk: Talk,
}

/// What several threads need to use the engine for the same run.
pub struct SharedEngine {
    endpoint: Endpoint,
    pull: Pull,
    executable: PathBuf,
    run: String,
    owner: Owner,
    starts: Arc<Semaphore>,
    open_files: Option<i64>,
    used: BTreeMap<String, ImageUsed>,
    builds: BTreeMap<String, BalancerBuild>,
    cells: Arc<AtomicU32>,
    reaper: Option<String>,
    facts: ContainerEngine,
}

impl SharedEngine {
    /// Connects a thread of its own: a connection belongs to the thread that opened it. Images, reaper and labels are those
    /// of the run.
    ///
    /// # Errors
    /// If the engine or the run's reaper can't be reached.
    pub async fn connect(&self) -> Result<Engine, DockerError> {
        let docker = self.endpoint.connect().await?;
        let events = Events::listen(&docker);
        let reaped = self.reaper.as_ref().map(|id| events.exit_of(id));
        if let Some(id) = &self.reaper {
            let found = docker.inspect_container(id, None::<InspectContainerOptions>).await;
            found.map_err(DockerError::refused("find the reaper of this run"))?;
        }
        Ok(Engine {
            images: ImageSource {
                docker: docker.clone(),
                pull: self.pull,
                executable: self.executable.clone(),
            },
            run: self.run.clone(),
            owner: self.owner.clone(),
            events,
            creations: Creations::default(),
            starts: Arc::clone(&self.starts),
            open_files: self.open_files,
            used: RefCell::new(self.used.clone()),
            builds: RefCell::new(self.builds.clone()),
            cells: Arc::clone(&self.cells),
            reaper: None,
            reaped,
            facts: self.facts.clone(),
            docker,
            endpoint: self.endpoint.clone(),
        })
    }
}

impl Engine {
    /// The use of the engine at `endpoint`, to which `docker` is connected. Nothing is made there yet.
    ///
    /// # Errors
    /// If it doesn't tell what it is.
    pub async fn new(
        docker: Docker,
        endpoint: Endpoint,
        pull: Pull,
        executable: PathBuf,
    ) -> Result<Engine, DockerError> {
        let owner = Owner::this().map_err(|error| DockerError::Refused {
            doing: "be given the name of this process".into(),
            reason: error.to_string(),
        })?;
        let facts = facts(&docker, &endpoint).await?;
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Ok(Engine {
            images: ImageSource { docker: docker.clone(), pull, executable },
            run: name_of_run(&owner),
            owner,
            events: Events::listen(&docker),
            creations: Creations::default(),
            starts: Arc::new(Semaphore::new(cores.max(2))),
            open_files: None,
            used: RefCell::default(),
            builds: RefCell::default(),
            cells: Arc::default(),
            reaper: None,
            reaped: None,
            facts,
            docker,
            endpoint,
        })
    }

    /// For threads that run cells of the same run: with the images that are known by now.
    pub fn share(&self) -> SharedEngine {
        SharedEngine {
            endpoint: self.endpoint.clone(),
            pull: self.images.pull,
            executable: self.images.executable.clone(),
            run: self.run.clone(),
            owner: self.owner.clone(),
            starts: Arc::clone(&self.starts),
            open_files: self.open_files,
            used: self.used.borrow().clone(),
            builds: self.builds.borrow().clone(),
            cells: Arc::clone(&self.cells),
            reaper: self.reaper.as_ref().map(|reaper| reaper.id.clone()),
            facts: self.facts.clone(),
        }
    }

    /// Which image each of `programs` and rig's agents would run from, without changing anything.
    ///
    /// # Errors
    /// If there is no way to one of them.
    pub async fn choose(&self, programs: &[ProgramVersion]) -> Result<(), DockerError> {
        for of in programs.iter().copied().map(ImageOf::Program).chain([ImageOf::Agent]) {
            let choice = self.images.choose(of).await?;
            if choice.reference.is_none() {
                let help = "`rig images` lists what there is, and why".to_owned();
                return Err(DockerError::NoImage { component: of.name(), tried: vec![choice.why], help });
            }
        }
        Ok(())
    }

    /// Puts the images of `programs` and rig's own on the engine, and starts the reaper; `progress` is told of what takes
    /// long. What is not begun to its end has to be [abandoned](Engine::abandon).
    ///
    /// # Errors
    /// If an image can't be had in any way, or the engine doesn't let itself be used.
    pub async fn begin(
        &mut self,
        programs: &[ProgramVersion],
        progress: &dyn Fn(&str),
    ) -> Result<(), DockerError> {
        self.image(ImageOf::Agent, progress).await?;
        self.start_reaper().await?;
        for program in programs {
            self.image(ImageOf::Program(*program), progress).await?;
        }
        Ok(())
    }

    /// Removes what a beginning that failed or was given up has made.
    ///
    /// # Errors
    /// If something is still there.
    pub async fn abandon(self) -> Result<(), DockerError> {
        self.creations.settled().await;
        sweep_all(&self.docker, &[format!("{RUN}={}", self.run)]).await.map(drop)
    }

    /// Whether a cell can rely on it: what happens is heard of, and the reaper stands by.
    pub(super) fn is_usable(&self) -> Result<(), DockerError> {
        if let Some(reason) = self.events.ended() {
            return Err(DockerError::Lost { reason });
        }
        match self.reaped.as_ref().and_then(|exit| exit.borrow().clone()) {
            Some(status) => Err(DockerError::Lost { reason: format!("its reaper has ended ({status})") }),
            None => Ok(()),
        }
    }

    /// What the engine is, and the images that were used on it.
    pub fn facts(&self) -> ContainerEngine {
        let used = self.used.borrow();
        let images = used.iter().map(|(name, image)| (name.clone(), image.clone())).collect();
        ContainerEngine { images, ..self.facts.clone() }
    }

    /// The hard limit of open files that containers get; `None`: it can't be read from here.
    pub fn open_files(&self) -> Option<i64> {
        self.open_files
    }

    /// Where the engine is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) async fn image(&self, of: ImageOf, progress: &dyn Fn(&str)) -> Result<ImageUsed, DockerError> {
        let known = self.used.borrow().get(&of.name()).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let image = self.images.ensure(of, progress).await?;
        self.used.borrow_mut().insert(of.name(), image.clone());
        Ok(image)
    }

    /// The image of what a component runs. A user's own is one that the engine has.
    pub(super) async fn image_for(&self, runs: Runs<'_>) -> Result<String, DockerError> {
        let of = match runs {
            Runs::Program(program) => ImageOf::Program(program),
            Runs::Agent(_) => ImageOf::Agent,
            Runs::Own(own) => return self.images.own(own.image.as_deref().unwrap_or_default()).await,
        };
        Ok(self.image(of, &|_| {}).await?.reference)
    }

    /// The number of the next cell.
    pub(super) fn next_cell(&self) -> u32 {
        self.cells.fetch_add(1, Ordering::Relaxed)
    }

    /// The labels of a component; of what belongs to no cell, if `cell` is `None`.
    pub(super) fn labels(&self, cell: Option<u32>, component: &str) -> HashMap<String, String> {
        let mut labels = HashMap::from([
            (RUN.to_owned(), self.run.clone()),
            (OWNER.to_owned(), self.owner.to_string()),
            (COMPONENT.to_owned(), component.to_owned()),
        ]);
        labels.extend(cell.map(|cell| (CELL.to_owned(), cell.to_string())));
        labels
    }

    /// Starts a container that has been created, and returns the process id of its first process on this machine.
    pub(super) async fn start(&self, id: &str, what: &str) -> Result<u32, DockerError> {
        let started = self.docker.start_container(id, None::<StartContainerOptions>).await;
        started.map_err(DockerError::refused(format!("start {what}")))?;
        let inspected = self.docker.inspect_container(id, None::<InspectContainerOptions>).await;
        let state = inspected.map_err(DockerError::refused(format!("inspect {what}")))?.state;
        let pid = state.and_then(|state| state.pid).and_then(|pid| u32::try_from(pid).ok());
        // One that has ended already has none.
        Ok(pid.unwrap_or(0))
    }

    /// The version that the program in its image prints, and the image.
    pub(super) async fn describe(&self, program: ProgramVersion) -> Result<BalancerBuild, RuntimeError> {
        let known = self.builds.borrow().get(&program.to_string()).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let image = self.image(ImageOf::Program(program), &|_| {}).await?;
        let words = self.version_words(program, &image).await?;
        let binary = format!("{} ({})", image.reference, image.origin);
        let build = installed::build(program, &binary, &words)?;
        self.builds.borrow_mut().insert(program.to_string(), build.clone());
        Ok(build)
    }

    async fn version_words(&self, program: ProgramVersion, image: &ImageUsed) -> Result<String, DockerError> {
        let Program { name, executable, version_arguments, .. } = program.program;
        let mut command = vec![(*executable).to_owned()];
        command.extend(version_arguments.iter().map(|&argument| argument.to_owned()));
        // Some print to standard error, which an agent's lines don't have.
        let shell = ["/bin/sh", "-c", "exec \"$0\" \"$@\" 2>&1"].map(str::to_owned);
        let component = format!("{name}-version");
        let spec = Spec {
            name: format!("rig-{}-{component}", self.run),
            image: image.reference.clone(),
            command: shell.into_iter().chain(command).collect(),
            user: user(),
            labels: self.labels(None, &component),
            directory: None,
            shared: vec![],
            network: Placement::Nowhere,
            open_files: None,
            attached: true,
            transient: true,
            environment: vec![],
            capabilities: &[],
            own: false,
        };
        let id = create(&self.docker, &self.creations, &spec).await?;
        let mut talk = attach(&self.docker, &id, None).await?;
        self.start(&id, &component).await?;
        let mut words = String::new();
        let read = async {
            while let Some(line) = talk.lines.recv().await {
                words.push_str(&line);
                words.push('\n');
            }
        };
        let late = tokio::time::timeout(VERSION_WITHIN, read).await.is_err();
        if late { Ok("(it printed nothing in time)".into()) } else { Ok(words) }
    }

    async fn start_reaper(&mut self) -> Result<(), DockerError> {
        let image = self.image(ImageOf::Agent, &|_| {}).await?;
        let guard = Guard::stand(&self.images.executable, &self.endpoint, &self.run)?;
        let socket = self.endpoint.socket().map(Path::to_owned);
        let spec = Spec {
            name: format!("rig-{}-{REAPER}", self.run),
            image: image.reference,
            command: ["rig", "agent", "reap", "--run", &self.run].map(str::to_owned).to_vec(),
            // The socket is root's.
            user: "0:0".into(),
            labels: self.labels(None, REAPER),
            directory: None,
            network: if socket.is_some() { Placement::Nowhere } else { Placement::Host },
            shared: socket.into_iter().collect(),
            open_files: None,
            attached: true,
            transient: true,
            environment: vec![format!("DOCKER_HOST={}", self.endpoint.url)],
            capabilities: &[],
            own: false,
        };
        let id = create(&self.docker, &self.creations, &spec).await?;
        let exit = self.events.exit_of(&id);
        let mut talk = attach(&self.docker, &id, None).await?;
        let pid = self.start(&id, "the reaper").await?;
        let said = tokio::time::timeout(REAPER_WITHIN, talk.lines.recv()).await.ok().flatten();
        if said.as_deref() != Some(READY) {
            let reason = said.unwrap_or_else(|| "it exited without output, or hangs".into());
            return Err(DockerError::Refused { doing: "make the reaper ready".into(), reason });
        }
        guard.relieve().await;
        self.open_files = hard_limit_of(pid);
        self.reaped = Some(exit);
        self.reaper = Some(Reaper { id, talk });
        Ok(())
    }

    /// Ends the use of the engine: the reaper removes what may be left, and goes.
    ///
    /// # Errors
    /// If it doesn't go.
    pub async fn close(mut self) -> Result<(), DockerError> {
        let Some(Reaper { id, talk, .. }) = self.reaper.take() else { return Ok(()) };
        self.creations.settled().await;
        // One that is gone can't be told, and its end is waited for all the same.
        let _ = talk.input.send(DONE.to_owned()).await;
        drop(talk.input);
        let gone = async {
            loop {
                match self.docker.inspect_container(&id, None::<InspectContainerOptions>).await {
                    Err(Error::DockerResponseServerError { status_code: 404, .. }) => break,
                    _ => tokio::time::sleep(LOOK).await,
                }
            }
        };
        tokio::time::timeout(REAPER_WITHIN, gone).await.map_err(|_| DockerError::Leftover {
            reason: format!("the reaper is not gone after {} s", REAPER_WITHIN.as_secs()),
        })
    }
}

/// Who components are on this machine: the files that they write must be this user's.
pub(super) fn user() -> String {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    format!("{}:{}", user.as_raw(), group.as_raw())
}

fn name_of_run(owner: &Owner) -> String {
    let drawn = Sha256::digest(format!("{owner} {}", agent::clock::now().0));
    drawn.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// The hard limit of open files of a process on this machine.
fn hard_limit_of(pid: u32) -> Option<i64> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

async fn facts(docker: &Docker, endpoint: &Endpoint) -> Result<ContainerEngine, DockerError> {
    let version = docker.version().await.map_err(DockerError::refused("tell its version"))?;
    let info = docker.info().await.map_err(DockerError::refused("describe itself"))?;
    let mut facts = BTreeMap::new();
    let mut fact = |name: &str, value: Option<String>| {
        facts.extend(value.map(|value| (name.to_owned(), value)));
    };
    fact("storage driver", info.driver);
    fact("cgroup version", info.cgroup_version.map(|version| version.to_string()));
    fact("operating system", info.operating_system);
    fact("runtime", info.default_runtime);
    let kernel = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/net/{name}")).ok()?;
        Some(text.trim().to_owned())
    };
    fact("conntrack count", kernel("netfilter/nf_conntrack_count"));
    fact("conntrack max", kernel("netfilter/nf_conntrack_max"));
    fact("bridge-nf-call-iptables", kernel("bridge/bridge-nf-call-iptables"));
    Ok(ContainerEngine {
        endpoint: format!("{} ({})", endpoint.url, endpoint.found_by),
        version: version.version.unwrap_or_default(),
        api: docker.client_version().to_string(),
        network: DRIVER.to_owned(),
        facts,
        images: BTreeMap::new(),
    })
}
