//! The session store: a Redis beside the backends, empty at its start and gone at its end.

use std::net::SocketAddr;

use model::sessions::{Password, STORE};
use model::topology::Topology;

use super::{Service, ServiceStart};
use crate::program::{Program, no_modules};

/// The session store.
pub static SERVICE: Service =
    Service { program: &PROGRAM, title: "the session store", needed_by: Topology::has_session_store, start };

static PROGRAM: Program = Program {
    name: STORE,
    executable: "redis-server",
    version_arguments: &["--version"],
    modules: no_modules,
    needed_because: Some("a pool keeps its sessions in Redis"),
    has_workers: false,
    newest_known: None,
};

/// Its configuration, in its directory.
const CONFIGURATION: &str = "redis.conf";

fn start(address: SocketAddr, password: &Password) -> ServiceStart {
    let (ip, port) = (address.ip(), address.port());
    // Nothing is kept on disk.
    let lines = [
        format!("bind {ip}"),
        format!("port {port}"),
        "save \"\"".to_owned(),
        "appendonly no".to_owned(),
        format!("requirepass {}", password.0),
    ];
    ServiceStart {
        configuration: (CONFIGURATION, lines.join("\n")),
        arguments: vec![CONFIGURATION.to_owned()],
        question: format!("AUTH {}\r\nPING\r\n", password.0),
        answer: "+OK\r\n+PONG\r\n",
        proof: "it answers PING",
    }
}
