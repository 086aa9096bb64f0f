//! CPU time of a container on this machine, from its control group: `cpuacct.usage` (cgroup v1) or `cpu.stat`
//! (cgroup v2), as the kernel's documentation describes them.

use std::io;
use std::path::{Path, PathBuf};

use crate::runtime::CpuUse;

/// Where control groups are mounted.
const MOUNT: &str = "/sys/fs/cgroup";

/// The CPU time of the control group that the process `pid` is in, which must be that of `container`: seen from
/// another namespace of processes, the number may be a stranger's.
pub(super) fn cpu_time(pid: u32, container: &str) -> io::Result<CpuUse> {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    if !groups.contains(container) {
        return Err(io::Error::other(format!("process {pid} is not in the container's control group")));
    }
    let (file, source) = locate(Path::new(MOUNT), &groups).ok_or_else(|| {
        io::Error::other(format!("/proc/{pid}/cgroup names no control group that counts CPU time"))
    })?;
    let text = std::fs::read_to_string(&file)?;
    let seconds = match source {
        CgroupVersion::One => text.trim().parse::<u64>().ok().map(|nanos| nanos as f64 / 1e9),
        CgroupVersion::Two => {
            let line = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
            line.and_then(|micros| micros.trim().parse::<u64>().ok()).map(|micros| micros as f64 / 1e6)
        }
    };
    let seconds = seconds.ok_or_else(|| io::Error::other(format!("{} holds no CPU time", file.display())))?;
    Ok(CpuUse { seconds, source: source.words() })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CgroupVersion {
    One,
    Two,
}

impl CgroupVersion {
    fn words(self) -> &'static str {
        match self {
            CgroupVersion::One => "cpuacct.usage of its control group",
            CgroupVersion::Two => "cpu.stat of its control group",
        }
    }
}

/// The file that counts, by the lines of /proc/PID/cgroup: `id:controllers:path` (v1) or `0::path` (v2).
fn locate(mount: &Path, groups: &str) -> Option<(PathBuf, CgroupVersion)> {
    let mut two = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/'));
        if controllers.split(',').any(|name| name == "cpuacct") {
            // Mounted under the names of all its controllers, or linked under its own.
            let directory = mount.join(controllers).join(path);
            let directory = if directory.is_dir() { directory } else { mount.join("cpuacct").join(path) };
            return Some((directory.join("cpuacct.usage"), CgroupVersion::One));
        }
        if controllers.is_empty() {
            two = Some((mount.join(path).join("cpu.stat"), CgroupVersion::Two));
        }
    }
    two
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_found_in_either_hierarchy() {
        let mount = Path::new("/nowhere");
        let one = "5:cpu:/docker/ab\n4:cpuacct:/docker/ab\n0::/system.slice\n";
        let file = PathBuf::from("/nowhere/cpuacct/docker/ab/cpuacct.usage");
        assert_eq!(locate(mount, one), Some((file, CgroupVersion::One)));
        let file = PathBuf::from("/nowhere/system.slice/docker-ab.scope/cpu.stat");
        assert_eq!(locate(mount, "0::/system.slice/docker-ab.scope\n"), Some((file, CgroupVersion::Two)));
        assert_eq!(locate(mount, "3:memory:/docker/ab\n"), None);
    }
}
