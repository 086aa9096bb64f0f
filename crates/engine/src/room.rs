//! How much memory and disk a run takes, by the number of its requests, and whether this machine has that. What was measured
//! would be lost if it could not be written or judged, so it is looked at before anything is launched.

use std::fmt;
use std::fs;
use std::path::Path;

use model::plan::{SavedPlan, Variant};
use rustix::fs::statvfs;
use rustix::process::{Resource, getrlimit};

use crate::help::Help;

/// Memory that rig takes to judge a cell, for each request of it: `make judging-bench` measures it.
pub const MEMORY_PER_REQUEST: u64 = 450;
/// Memory that rig takes beside that.
const MEMORY: u64 = 64 << 20;
/// What a request leaves on disk when its cell has ended.
pub const DISK_PER_REQUEST: u64 = 100;
/// What it takes there while its cell runs, and nothing is compressed yet.
const DISK_PER_REQUEST_IN_A_CELL: u64 = 800;
/// What a cell leaves on disk beside that.
const DISK_PER_CELL: u64 = 1 << 20;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// Bytes of memory to judge cells of so many requests in all at the same time.
pub fn memory_to_judge(requests: u64) -> u64 {
    MEMORY.saturating_add(requests.saturating_mul(MEMORY_PER_REQUEST))
}

/// What a run takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Requests in all.
    pub requests: u64,
    /// Memory, while its longest cell is judged.
    pub memory: u64,
    /// Disk, while its longest cell runs and all others have been saved.
    pub disk: u64,
}

/// The machine has less of something than a run takes.
#[derive(Debug, thiserror::Error)]
#[error("the run has {requests} requests and takes about {} of {what}, and {} are free", size(*.needed), size(*.free))]
pub struct NoRoom {
    requests: u64,
    /// Of what.
    what: &'static str,
    /// Bytes that it takes.
    needed: u64,
    /// Bytes that there are.
    free: u64,
    /// How to get more.
    help: &'static str,
}

impl Help for NoRoom {
    fn help(&self) -> Option<String> {
        Some(format!("{}\n        or lower `load.rate` or `load.for`, or run fewer cells", self.help))
    }
}

impl Room {
    /// What `plan` takes if so many of its cells run at the same time.
    pub fn of(plan: &SavedPlan, at_once: usize) -> Room {
        let cells = plan.cells();
        let each = || cells.iter().filter_map(|cell| plan.variant(&cell.variant)).map(requests_of);
        let (requests, longest) = (each().sum::<u64>(), each().max().unwrap_or(0));
        let running = longest.saturating_mul(at_once as u64);
        let saved = requests.saturating_mul(DISK_PER_REQUEST) + DISK_PER_CELL * cells.len() as u64;
        Room {
            requests,
            memory: memory_to_judge(running),
            disk: saved.saturating_add(running.saturating_mul(DISK_PER_REQUEST_IN_A_CELL)),
        }
    }

    /// Whether this machine has it: `results` is where the run will be saved.
    ///
    /// # Errors
    /// If it has less, with what to do. What the system does not tell is taken for enough.
    pub fn check(self, results: &Path) -> Result<(), NoRoom> {
        self.fits(free_memory(), free_disk(results))
    }

    fn fits(self, memory: Option<u64>, disk: Option<u64>) -> Result<(), NoRoom> {
        let fits = |what, needed: u64, free: Option<u64>, help| match free {
            Some(free) if free < needed => Err(NoRoom { requests: self.requests, what, needed, free, help }),
            _ => Ok(()),
        };
        fits("memory", self.memory, memory, "raise `ulimit -v`, or end what else takes memory")?;
        fits("disk space", self.disk, disk, "name a larger disk: rig run SCENARIO --out DIR")
    }
}

/// `1200000 requests: about 579.0 MiB of memory and 1.0 GiB of disk`.
impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (memory, disk) = (size(self.memory), size(self.disk));
        write!(f, "{} requests: about {memory} of memory and {disk} of disk", self.requests)
    }
}

/// The requests of a cell, those of the warm-up included.
fn requests_of(variant: &Variant) -> u64 {
    let traffic = &variant.traffic;
    (traffic.rate.0 * (traffic.warmup.0 + traffic.duration.0).as_secs_f64()).ceil() as u64
}

/// Memory that this process may still get: what the machine has, or what the limit of its address space allows.
fn free_memory() -> Option<u64> {
    let available = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
    let allowed = getrlimit(Resource::As).current;
    [available, allowed].into_iter().flatten().min()
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// Bytes that are free for files in `directory`, or in the nearest above it that exists.
pub fn free_disk(directory: &Path) -> Option<u64> {
    let disk = statvfs(nearest(directory)).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// `path`, or the nearest directory above it that exists.
pub fn nearest(path: &Path) -> &Path {
    let there = path.ancestors().find(|above| above.is_dir());
    // The last ancestor of a relative path is empty, and means the current directory.
    there.unwrap_or(Path::new("."))
}

/// A number of bytes for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= GIB => format!("{:.1} GiB", bytes as f64 / GIB as f64),
        bytes if bytes >= MIB => format!("{:.1} MiB", bytes as f64 / MIB as f64),
        bytes => format!("{:.1} KiB", bytes as f64 / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use model::plan::Plan;
    use model::scenario::{Choice, Scenario};

    use super::*;
    use crate::balancer::catalog;
    use crate::help::with_help;

    /// Two cells of 1,000,000 requests.
    fn room(at_once: usize) -> Room {
        let text = "name: a\nquestion: Is it enough?\nbalancers: [nginx, haproxy]\ntopology:\n  pools: { web: { backends: 2 } }\n  \
                    routes: { all: { path: /, to: web } }\nload: { rate: 10000/s, for: 90s, warmup: 10s }\n";
        let scenario = Scenario::parse("a.yaml", text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
        let plan = Plan::build(&scenario, &catalog(), &Choice::default());
        Room::of(&plan.unwrap_or_else(|problems| panic!("{problems}")), at_once)
    }

    #[test]
    fn a_run_takes_memory_for_the_cells_that_run_and_disk_for_all() {
        let one = room(1);
        let memory = MEMORY + 1_000_000 * MEMORY_PER_REQUEST;
        let disk =
            2 * (1_000_000 * DISK_PER_REQUEST + DISK_PER_CELL) + 1_000_000 * DISK_PER_REQUEST_IN_A_CELL;
        assert_eq!(one, Room { requests: 2_000_000, memory, disk });
        assert_eq!(room(2).memory, MEMORY + 2_000_000 * MEMORY_PER_REQUEST);
        assert!(one.to_string().starts_with("2000000 requests: about 493.2 MiB of memory and"), "{one}");
    }

    #[test]
    fn too_little_of_either_is_told_with_figures_and_remedy() {
        let room = room(1);
        assert!(room.fits(Some(room.memory), Some(room.disk)).is_ok() && room.fits(None, None).is_ok());
        let refused =
            |memory, disk| with_help(&room.fits(Some(memory), Some(disk)).expect_err("there is too little"));
        let memory = refused(room.memory - 1, room.disk);
        assert!(memory.contains("2000000 requests") && memory.contains("493.2 MiB of memory"), "{memory}");
        assert!(memory.contains("help: raise `ulimit -v`"), "{memory}");
        let disk = refused(room.memory, MIB);
        assert!(disk.contains("of disk space, and 1.0 MiB are free"), "{disk}");
        assert!(disk.contains("--out DIR"), "{disk}");
    }

    #[test]
    fn this_machine_says_what_is_free() {
        assert!(free_memory() > Some(0) && free_disk(Path::new("nonexistent/there")) > Some(0));
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
    }

    #[test]
    fn a_directory_that_is_not_there_yet_is_judged_by_the_one_above() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(nearest(&directory.path().join("a/b")), directory.path());
        assert_eq!(nearest(Path::new("nonexistent")), Path::new("."));
    }
}
