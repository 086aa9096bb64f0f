//! One container: how it is created, and how rig talks with the agent in it.

use std::collections::HashMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, HostConfigLogConfig, Mount,
    MountType, NetworkingConfig, PortBinding, ResourcesUlimits,
};
use bollard::query_parameters::{AttachContainerOptionsBuilder, CreateContainerOptionsBuilder};
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::creations::Creations;
use super::error::{DockerError, words};
use crate::runtime::OwnProgram;

/// How many lines may wait on either side of an agent's standard input and output.
const LINES: usize = 64;

/// Where every container has a directory in memory, over whatever its image holds there.
pub(super) const TEMPORARY: &str = "/tmp";
/// How a container's own /tmp is mounted.
const SCRATCH: &str = "rw,nosuid,nodev,noexec,size=64m,mode=1777";
/// Processes and threads that a container may have: far more than a balancer with many workers.
const PROCESSES: i64 = 4096;

/// A container to create.
pub(super) struct Spec {
    pub(super) name: String,
    pub(super) image: String,
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    pub(super) user: String,
    pub(super) labels: HashMap<String, String>,
    /// Where it works.
    pub(super) directory: Option<PathBuf>,
    /// Files of this machine that it sees under the same path.
    pub(super) shared: Vec<PathBuf>,
    pub(super) network: Placement,
    /// Its limit of open files; `None`: the engine's.
    pub(super) open_files: Option<i64>,
    /// Whether rig talks with it on its standard input and output.
    pub(super) attached: bool,
    /// Whether the engine removes it when it exits.
    pub(super) transient: bool,
    pub(super) environment: Vec<String>,
    /// What it may do that is root's to do, beside nothing.
    pub(super) capabilities: &'static [&'static str],
    /// Whether it is a user's own, which runs as its image says.
    pub(super) own: bool,
}

impl Spec {
    /// What is added to its command line and to its environment.
    pub(super) fn is_given(&mut self, arguments: Vec<String>, variables: &[(&str, String)]) {
        self.command.extend(arguments);
        self.environment.extend(variables.iter().map(|(name, value)| format!("{name}={value}")));
    }

    /// It is a user's own, which sees no files of this machine.
    pub(super) fn is_own(&mut self, own: &OwnProgram) {
        self.own = true;
        self.shared = vec![];
        self.directory = None;
        self.environment = own.variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    }
}

/// Where in the network a container stands.
pub(super) enum Placement {
    /// At an address of its own; the port is published to people on this machine.
    At { network: String, address: Ipv4Addr, published: Option<(u16, SocketAddr)> },
    /// Where another container stands.
    With(String),
    /// Nowhere.
    Nowhere,
    /// On the host.
    Host,
}

/// Creates it and returns its id.
pub(super) async fn create(
    docker: &Docker,
    creations: &Creations,
    spec: &Spec,
) -> Result<String, DockerError> {
    let options = CreateContainerOptionsBuilder::default().name(&spec.name).build();
    let (docker, body) = (docker.clone(), body(spec));
    let request = async move { docker.create_container(Some(options), body).await };
    let created = creations.create(request).await;
    let created = created.map_err(|error| match elsewhere(spec, &error) {
        Some(directory) => DockerError::Elsewhere { directory, reason: words(&error) },
        None => DockerError::refused(format!("create the container {}", spec.name))(error),
    })?;
    Ok(created.id)
}

/// The shared directory that the engine says it doesn't have.
fn elsewhere(spec: &Spec, error: &bollard::errors::Error) -> Option<String> {
    let words = words(error);
    let missing = words.contains("bind source path does not exist");
    spec.shared.first().filter(|_| missing).map(|path| path.display().to_string())
}

fn body(spec: &Spec) -> ContainerCreateBody {
    let body = confined(spec);
    if !spec.own {
        return body;
    }
    // As `docker run` has it: the image's user and entry point, and a file system that can be written to.
    let command = (!spec.command.is_empty()).then(|| spec.command.clone());
    let host = body.host_config.unwrap_or_default();
    ContainerCreateBody {
        entrypoint: None,
        cmd: command,
        user: None,
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        host_config: Some(HostConfig { cap_drop: None, readonly_rootfs: Some(false), tmpfs: None, ..host }),
        ..body
    }
}

fn confined(spec: &Spec) -> ContainerCreateBody {
    let (program, arguments) = spec
        .command
        .split_first()
        .map_or((vec![], vec![]), |(program, arguments)| (vec![program.clone()], arguments.to_vec()));
    let (network_mode, networking_config, ports) = match &spec.network {
        Placement::At { network, address, published } => {
            let ipam = EndpointIpamConfig { ipv4_address: Some(address.to_string()), ..Default::default() };
            let endpoint = EndpointSettings { ipam_config: Some(ipam), ..Default::default() };
            let endpoints = HashMap::from([(network.clone(), endpoint)]);
            (network.clone(), Some(NetworkingConfig { endpoints_config: Some(endpoints) }), *published)
        }
        Placement::With(container) => (format!("container:{container}"), None, None),
        Placement::Nowhere => ("none".to_owned(), None, None),
        Placement::Host => ("host".to_owned(), None, None),
    };
    let binding = |to: SocketAddr| PortBinding {
        host_ip: Some(to.ip().to_string()),
        // 0: the engine chooses.
        host_port: Some(to.port().to_string()),
    };
    let share = |path: &PathBuf| Mount {
        source: Some(path.display().to_string()),
        target: Some(path.display().to_string()),
        typ: Some(MountType::BIND),
        ..Mount::default()
    };
    let limit =
        |limit: i64| ResourcesUlimits { name: Some("nofile".into()), soft: Some(limit), hard: Some(limit) };
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        entrypoint: Some(program),
        cmd: Some(arguments),
        user: Some(spec.user.clone()),
        labels: Some(spec.labels.clone()),
        env: Some(spec.environment.clone()),
        working_dir: spec.directory.as_ref().map(|path| path.display().to_string()),
        open_stdin: Some(spec.attached),
        // Without it a half-closed standard input ends the attachment.
        stdin_once: Some(spec.attached),
        attach_stdin: Some(spec.attached),
        attach_stdout: Some(spec.attached),
        attach_stderr: Some(spec.attached),
        tty: Some(false),
        exposed_ports: ports.map(|(port, _)| vec![format!("{port}/tcp")]),
        networking_config,
        host_config: Some(HostConfig {
            network_mode: Some(network_mode),
            mounts: Some(spec.shared.iter().map(share).collect()),
            port_bindings: ports
                .map(|(port, to)| HashMap::from([(format!("{port}/tcp"), Some(vec![binding(to)]))])),
            ulimits: spec.open_files.map(|files| vec![limit(files)]),
            // What a balancer or an agent was tricked into doing stays within it: it has no capability, can gain none, and
            // writes to what it shares with rig, and nowhere else.
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(spec.capabilities.iter().map(|&name| name.to_owned()).collect()),
            security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
            readonly_rootfs: Some(true),
            tmpfs: Some(HashMap::from([(TEMPORARY.to_owned(), SCRATCH.to_owned())])),
            pids_limit: Some(PROCESSES),
            auto_remove: Some(spec.transient),
            // What components say goes to files, or to rig; a log beside that would only cost.
            log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// Appends what a container says, which has not been started, to the file `path`.
pub(super) async fn listen(docker: &Docker, id: &str, path: &Path) -> Result<(), DockerError> {
    let options = AttachContainerOptionsBuilder::default().stdout(true).stderr(true).stream(true).build();
    let attached = docker.attach_container(id, Some(options)).await;
    let AttachContainerResults { mut output, .. } =
        attached.map_err(DockerError::refused("attach to a container"))?;
    let mut file = log_file(path)?;
    tokio::spawn(async move {
        while let Some(Ok(piece)) = output.next().await {
            // A full disk is reported where the records are written.
            let _ = file.write_all(piece.as_ref());
        }
    });
    Ok(())
}

fn log_file(path: &Path) -> Result<std::fs::File, DockerError> {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.map_err(|error| DockerError::Refused {
        doing: "have a file for what a container says".into(),
        reason: error.to_string(),
    })
}

/// The two directions of talk with an agent.
pub(super) struct Talk {
    pub(super) input: mpsc::Sender<String>,
    pub(super) lines: mpsc::Receiver<String>,
}

/// Attaches to the standard streams of a container that has not been started; its standard error goes to the file
/// `stderr`.
pub(super) async fn attach(docker: &Docker, id: &str, stderr: Option<&Path>) -> Result<Talk, DockerError> {
    let options =
        AttachContainerOptionsBuilder::default().stdin(true).stdout(true).stderr(true).stream(true).build();
    let attached = docker.attach_container(id, Some(options)).await;
    let AttachContainerResults { mut output, input: mut stdin } =
        attached.map_err(DockerError::refused("attach to a container"))?;
    let mut stderr = stderr.map(log_file).transpose()?;
    let (line, lines) = mpsc::channel(LINES);
    tokio::spawn(async move {
        let mut said = Vec::new();
        while let Some(Ok(piece)) = output.next().await {
            match piece {
                LogOutput::StdErr { message } => {
                    if let Some(file) = &mut stderr {
                        // A full disk is reported where the records are written.
                        let _ = file.write_all(&message);
                    }
                }
                // Pieces are no lines.
                other => {
                    said.extend_from_slice(other.as_ref());
                    while let Some(end) = said.iter().position(|byte| *byte == b'\n') {
                        let rest = said.split_off(end + 1);
                        said.truncate(end);
                        let text = String::from_utf8_lossy(&said).into_owned();
                        said = rest;
                        if line.send(text).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    });
    let (input, mut words) = mpsc::channel::<String>(LINES);
    tokio::spawn(async move {
        while let Some(text) = words.recv().await {
            // One that is gone says why through its exit.
            let _ = stdin.write_all(format!("{text}\n").as_bytes()).await;
            let _ = stdin.flush().await;
        }
        let _ = stdin.shutdown().await;
    });
    Ok(Talk { input, lines })
}
