//! The errors of Linux that end requests, by number: what they are called, what they mean, what to do about them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An error of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Errno(pub i32);

/// Number, name and meaning of what a socket can answer. The numbers are those of x86-64 and arm64.
const KNOWN: [(i32, &str, &str); 16] = [
    (1, "EPERM", "a rule of this machine's firewall forbids it"),
    (5, "EIO", "input/output error"),
    (11, "EAGAIN", "no free port or no route buffer"),
    (12, "ENOMEM", "out of memory"),
    (13, "EACCES", "permission denied"),
    (23, "ENFILE", "too many open files in the whole system"),
    (24, "EMFILE", "too many open files"),
    (98, "EADDRINUSE", "the address and port are in use"),
    (99, "EADDRNOTAVAIL", "no free port"),
    (100, "ENETDOWN", "the network is down"),
    (101, "ENETUNREACH", "no route to the network"),
    (105, "ENOBUFS", "no buffer space"),
    (110, "ETIMEDOUT", "the kernel gave up waiting for an answer"),
    (112, "EHOSTDOWN", "the host is down"),
    (113, "EHOSTUNREACH", "no route to the host"),
    (64, "ENONET", "the machine is not on the network"),
];

impl Errno {
    /// Whether the kernel waited in vain.
    pub fn is_timeout(self) -> bool {
        self.0 == 110
    }

    /// Whether there was no way to the peer.
    pub fn is_unreachable(self) -> bool {
        matches!(self.0, 1 | 13 | 64 | 100 | 101 | 112 | 113)
    }

    /// What to do where this machine ran out of something; `None`: it did not.
    pub fn remedy(self) -> Option<&'static str> {
        match self.0 {
            24 => Some("raise the limit: `sudo prlimit --pid $$ --nofile=65536:65536`"),
            23 => Some("raise the limit: `sudo sysctl fs.file-max=1000000`"),
            11 | 98 | 99 => Some(
                "more ports: `sudo sysctl net.ipv4.ip_local_port_range='32768 60999'`, or a smaller `load.rate` or \
                 `load.fresh_connections`",
            ),
            12 | 105 => Some("free memory, or lower `load.rate`"),
            _ => None,
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match KNOWN.iter().find(|(number, ..)| *number == self.0) {
            Some((number, name, meaning)) => write!(f, "{name} ({number}), {meaning}"),
            None => write!(f, "errno {}", self.0),
        }
    }
}
