//! Finds the Docker engine as the Docker CLI does, and connects to it.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::digest::sha256_hex;
use super::error::{DockerError, words};

/// Where an engine is unless the user says otherwise.
const DEFAULT_SOCKET: &str = "unix:///var/run/docker.sock";
/// The context that is no context.
const DEFAULT_CONTEXT: &str = "default";
/// The Docker CLI's port for `tcp://host`.
const DEFAULT_PORT: u16 = 2375;
/// Bounds one request, until its answer begins.
const REQUEST_SECONDS: u64 = 120;
/// Bounds connecting, ping and negotiation together.
const ANSWER: Duration = Duration::from_secs(5);
/// Docker Engine 20.10.
const OLDEST_API: (usize, usize) = (1, 41);

/// Where the Docker engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address: `unix://…`, `tcp://…` or `http://…`.
    pub url: String,
    /// What says so: `DOCKER_HOST`, ``context `colima` ``, `the default socket`.
    pub found_by: String,
}

/// What rig reads of the Docker CLI's `config.json`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    #[serde(default)]
    current_context: String,
}

/// What rig reads of a context's `meta.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextMeta {
    endpoints: ContextEndpoints,
}

#[derive(Deserialize)]
struct ContextEndpoints {
    docker: ContextEndpoint,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextEndpoint {
    host: String,
}

impl Endpoint {
    /// `DOCKER_HOST`, else the context that `DOCKER_CONTEXT` or the Docker CLI's configuration names, else the
    /// default socket. `environment` looks a variable up. Nothing is connected to. Errors: a context or a
    /// configuration that can't be read, an address of a kind that rig can't use.
    pub fn find(environment: &impl Fn(&str) -> Option<OsString>) -> Result<Endpoint, DockerError> {
        let variable = |name| environment(name).filter(|value| !value.is_empty());
        let text = |name| variable(name).map(|value| value.to_string_lossy().into_owned());
        let tls = variable("DOCKER_TLS_VERIFY").is_some();
        if let Some(host) = text("DOCKER_HOST") {
            return Endpoint::usable(with_scheme_and_port(host), "DOCKER_HOST".into(), tls);
        }
        let directory = variable("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".docker")));
        let (name, found_by) = match (text("DOCKER_CONTEXT"), &directory) {
            (Some(name), _) => (name, "DOCKER_CONTEXT".to_owned()),
            (None, Some(directory)) => {
                let path = directory.join("config.json");
                (current_context(&path)?, path.display().to_string())
            }
            (None, None) => (DEFAULT_CONTEXT.to_owned(), String::new()),
        };
        if name.is_empty() || name == DEFAULT_CONTEXT {
            return Endpoint::usable(DEFAULT_SOCKET.into(), "the default socket".into(), false)
                // With TLS asked for, the CLI's default is a TLS port.
                .and_then(|found| if tls { Err(found.unsupported(TLS)) } else { Ok(found) });
        }
        let directory = directory.unwrap_or_default().join("contexts");
        let id = sha256_hex([name.as_bytes()]);
        let path = directory.join("meta").join(&id).join("meta.json");
        let context: ContextMeta = read_json(&path).map_err(|reason| DockerError::Context {
            name: name.clone(),
            found_by,
            path,
            reason,
        })?;
        let certificates = directory.join("tls").join(&id).join("docker").is_dir();
        let url = with_scheme_and_port(context.endpoints.docker.host);
        Endpoint::usable(url, format!("context `{name}`"), certificates)
    }

    /// The socket's path, if the engine is on this machine's file system.
    pub fn socket(&self) -> Option<&Path> {
        self.url.strip_prefix("unix://").map(Path::new)
    }

    /// Connects: the engine has answered, and the version of its API is negotiated. Errors: it can't be reached
    /// within 5 s, it is no Docker engine, it is too old.
    pub async fn connect(&self) -> Result<Docker, DockerError> {
        match tokio::time::timeout(ANSWER, self.answering()).await {
            Ok(answer) => answer,
            Err(_) => {
                Err(self.unreachable(&format!("no answer within {} s", ANSWER.as_secs()), UNRESPONSIVE))
            }
        }
    }

    async fn answering(&self) -> Result<Docker, DockerError> {
        self.reached().await.map_err(|error| self.not_reached(&error))?;
        let odd = |error| self.unreachable(&words(&error), UNRESPONSIVE);
        let connected = match self.socket() {
            Some(_) => Docker::connect_with_unix(&self.url, REQUEST_SECONDS, API_DEFAULT_VERSION),
            None => Docker::connect_with_http(&self.url, REQUEST_SECONDS, API_DEFAULT_VERSION),
        };
        let docker = connected.map_err(odd)?;
        docker.ping().await.map_err(odd)?;
        let docker = docker.negotiate_version().await.map_err(odd)?;
        let api = docker.client_version();
        if (api.major_version, api.minor_version) < OLDEST_API {
            let needed = format!("{}.{}", OLDEST_API.0, OLDEST_API.1);
            return Err(DockerError::TooOld { url: self.url.clone(), api: api.to_string(), needed });
        }
        Ok(docker)
    }

    /// A process listens there. The client library would tell less of the reason why not.
    async fn reached(&self) -> std::io::Result<()> {
        match self.socket() {
            Some(path) => tokio::net::UnixStream::connect(path).await.map(drop),
            None => tokio::net::TcpStream::connect(authority(&self.url)).await.map(drop),
        }
    }

    fn not_reached(&self, error: &std::io::Error) -> DockerError {
        let help = if error.kind() == ErrorKind::PermissionDenied { PERMISSION } else { NOT_RUNNING };
        // The number says nothing that the words don't.
        self.unreachable(error.to_string().split(" (os error").next().unwrap_or_default(), help)
    }

    fn usable(url: String, found_by: String, tls: bool) -> Result<Endpoint, DockerError> {
        let endpoint = Endpoint { url, found_by };
        match endpoint.url.split("://").next() {
            Some("unix") => Ok(endpoint),
            Some("tcp" | "http") if tls => Err(endpoint.unsupported(TLS)),
            Some("tcp" | "http") => Ok(endpoint),
            Some("https") => Err(endpoint.unsupported(TLS)),
            Some("ssh") => Err(endpoint.unsupported("it is reached through ssh, which rig doesn't speak")),
            Some("npipe") => Err(endpoint.unsupported("it is a named pipe of Windows")),
            _ => Err(endpoint.unsupported("rig doesn't know this kind of address")),
        }
    }

    fn unsupported(self, reason: &'static str) -> DockerError {
        DockerError::Unsupported { url: self.url, found_by: self.found_by, reason }
    }

    fn unreachable(&self, reason: &str, help: &'static str) -> DockerError {
        DockerError::Unreachable {
            url: self.url.clone(),
            found_by: self.found_by.clone(),
            reason: reason.to_owned(),
            help,
        }
    }
}

const TLS: &str = "it asks for TLS";
const NOT_RUNNING: &str = "start Docker, or say where an engine is with DOCKER_HOST or DOCKER_CONTEXT";
const UNRESPONSIVE: &str = "check with `docker version` that an engine answers there";
const PERMISSION: &str = "your user may not use this socket: `sudo usermod -aG docker $USER`, then log in again \
                          (members of that group can become root)";

/// As the Docker CLI completes an address: `host:port` is TCP, and the port is 2375.
fn with_scheme_and_port(host: String) -> String {
    let url = if host.contains("://") { host } else { format!("tcp://{host}") };
    let has_port = |authority: &str| {
        authority.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
    };
    match url.strip_prefix("tcp://").map(|rest| rest.trim_end_matches('/')) {
        Some(authority) if has_port(authority) => format!("tcp://{authority}"),
        Some(authority) => format!("tcp://{authority}:{DEFAULT_PORT}"),
        None => url,
    }
}

/// `host:port` of a `tcp://` or `http://` address.
fn authority(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split('/').next().unwrap_or_default();
    let plain_http =
        scheme == "http" && !authority.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(':');
    if plain_http { format!("{authority}:80") } else { authority.to_owned() }
}

/// The longest configuration of the CLI that is read.
const LONGEST: u64 = 1 << 20;

/// The context that the CLI's configuration names; without a configuration, none.
fn current_context(path: &Path) -> Result<String, DockerError> {
    match path.try_exists() {
        Ok(false) => Ok(String::new()),
        _ => read_json(path)
            .map(|configuration: Configuration| configuration.current_context)
            .map_err(|reason| DockerError::Configuration { path: path.to_owned(), reason }),
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = store::read_bounded(path, LONGEST).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
