//! How many connections a load can have on a machine.

/// Open files that a balancer has beside those of connections, with room.
const OTHER_FILES: u64 = 1024;

/// The most connections, if a component may open so many files, and connections have so many ports; `None` is without
/// limit. A balancer has two descriptors for each: one towards the client, one towards a backend.
pub(super) fn connections(open_files: Option<u64>, ports: Option<u64>) -> u32 {
    let by_files = open_files.map_or(u64::MAX, |files| files.saturating_sub(OTHER_FILES) / 2);
    u32::try_from(by_files.min(ports.unwrap_or(u64::MAX))).unwrap_or(u32::MAX)
}

/// The ports that connections from one address to another can have here; `None`: the system doesn't say.
pub(super) fn ports() -> Option<u64> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ends = range.split_whitespace().map(str::parse::<u64>);
    let (from, to) = (ends.next()?.ok()?, ends.next()?.ok()?);
    Some(to.checked_sub(from)? + 1)
}

#[cfg(test)]
mod tests {
    use super::connections;

    #[test]
    fn the_scarcer_of_files_and_ports_decides() {
        assert_eq!(connections(Some(20_000), Some(28_232)), 9_488);
        assert_eq!(connections(Some(1_048_576), Some(28_232)), 28_232);
        assert_eq!(connections(Some(1_000), None), 0);
        assert_eq!(connections(None, None), u32::MAX);
    }
}
