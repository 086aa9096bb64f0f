//! What this machine allows a load: open files of a process, and ports of an address.

use rustix::process::{Resource, getrlimit};

/// Open files of a balancer beside those of connections: its own, and what its configuration is rendered for.
const OTHER_FILES: u64 = 640;
/// How people let a process open more files.
pub const RAISE: &str = "sudo prlimit --pid $$ --nofile=65536:65536   # for this shell and what it starts";
/// How people let connections have more ports, above those of components.
pub const WIDEN: &str = "sudo sysctl net.ipv4.ip_local_port_range='32768 60999'";
/// The range of ports for outgoing connections.
pub(super) const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// What is allowed; `None`: there is no limit, or the system doesn't say.
#[derive(Clone, Copy, Debug)]
pub struct ProcessLimits {
    /// Open files of a process.
    pub open_files: Option<u64>,
    /// Ports for connections from one address to another.
    pub ports: Option<u64>,
}

impl ProcessLimits {
    /// What this machine allows local processes. The limit of files is the one that children inherit.
    pub fn here() -> ProcessLimits {
        ProcessLimits { open_files: getrlimit(Resource::Nofile).current, ports: ports() }
    }

    /// The most connections that a load can have.
    pub fn connections(self) -> u32 {
        let by_files = self.open_files.map_or(u64::MAX, |files| files.saturating_sub(OTHER_FILES) / 2);
        u32::try_from(by_files.min(self.ports.unwrap_or(u64::MAX))).unwrap_or(u32::MAX)
    }
}

/// Open files that a balancer needs for so many connections of a load: each has one descriptor towards the client and one
/// towards a backend.
pub fn files_for(connections: u64) -> u64 {
    OTHER_FILES + 2 * connections
}

fn ports() -> Option<u64> {
    let range = std::fs::read_to_string(PORT_RANGE).ok()?;
    let mut ends = range.split_whitespace().map(str::parse::<u64>);
    let (from, to) = (ends.next()?.ok()?, ends.next()?.ok()?);
    Some(to.checked_sub(from)? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scarcer_of_files_and_ports_decides() {
        let connections = |open_files, ports| ProcessLimits { open_files, ports }.connections();
        assert_eq!(connections(Some(20_000), Some(28_232)), 9_680);
        assert_eq!(connections(Some(1_048_576), Some(28_232)), 28_232);
        assert_eq!(connections(Some(600), None), 0);
        assert_eq!(connections(None, None), u32::MAX);
    }

    #[test]
    fn as_many_connections_fit_as_files_are_needed_for() {
        let limits = ProcessLimits { open_files: Some(files_for(120)), ports: None };
        assert_eq!(limits.connections(), 120);
    }

    #[test]
    fn this_machine_says_what_it_allows() {
        assert!(ProcessLimits::here().ports.is_some());
    }
}
