//! What can befall a run.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use testing::left::processes_below;

use super::draw;

/// Something that is to be done to some process of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Act {
    /// So long after the run's start.
    pub(crate) at: Duration,
    what: What,
    /// Which part of the run, and which of its processes, as draws from what is there at that time.
    part: f64,
    process: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    Kill,
    /// SIGSTOP, and SIGCONT so much later.
    Stop(Duration),
    /// Every CPU is kept busy for so long.
    Spin(Duration),
    /// It can open no more than a few files.
    Descriptors,
}

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Rig,
    Generator,
    Backend,
    Balancer,
    Store,
    /// On its way to become one of the others.
    Other,
}

/// What was done.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    pub(crate) what: What,
    pub(crate) part: Part,
    #[expect(dead_code, reason = "it is shown")]
    at: Duration,
    #[expect(dead_code, reason = "it is shown")]
    process: String,
}

impl Act {
    /// One act, and every third time a second.
    pub(crate) fn drawn(seed: u64) -> Vec<Act> {
        /// Long enough for two cells and their judgement.
        const LATEST: Duration = Duration::from_secs(11);
        let one = |first: u64| {
            let part = |n: u64| draw(seed, first + n);
            let moment =
                |longest: u64| Duration::from_millis(20) + Duration::from_millis(longest).mul_f64(part(1));
            Act {
                at: LATEST.mul_f64(part(0)),
                what: match part(2) {
                    draw if draw < 0.5 => What::Kill,
                    draw if draw < 0.75 => What::Stop(moment(900)),
                    draw if draw < 0.85 => What::Spin(moment(1_500)),
                    _ => What::Descriptors,
                },
                part: part(3),
                process: part(4),
            }
        };
        let mut acts = vec![one(0)];
        if draw(seed, 100) < 0.33 {
            acts.push(one(10));
        }
        acts.sort_by_key(|act| act.at);
        acts
    }

    /// Does it to the run of the process `rig`, which works in `directory`; `None`: whom it was to befall is gone.
    pub(crate) fn perform(self, rig: u32, directory: &Path) -> Option<Deed> {
        let mut found: Vec<(Part, u32, String)> = processes_below(directory)
            .into_iter()
            .filter_map(|text| {
                let pid = text.split(' ').next()?.parse().ok()?;
                Some((if pid == rig { Part::Rig } else { part_of(&text) }, pid, text))
            })
            .collect();
        found.sort();
        let mut parts: Vec<Part> = found.iter().map(|(part, ..)| *part).collect();
        parts.dedup();
        let part = *parts.get((self.part * parts.len() as f64) as usize)?;
        found.retain(|(its, ..)| *its == part);
        let (_, pid, process) = found.swap_remove((self.process * found.len() as f64) as usize);
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        match self.what {
            What::Kill => kill_process(pid, Signal::KILL).ok()?,
            What::Stop(time) => {
                kill_process(pid, Signal::STOP).ok()?;
                std::thread::sleep(time);
                // Or it was ended meanwhile.
                let _ = kill_process(pid, Signal::CONT);
            }
            What::Spin(time) => spin(time),
            What::Descriptors => {
                let open = std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_pid())).ok()?.count() as u64;
                let limit = Rlimit { current: Some(open + 2), maximum: Some(open + 2) };
                prlimit(Some(pid), Resource::Nofile, limit).ok()?;
            }
        }
        Some(Deed { what: self.what, part, at: self.at, process })
    }
}

/// What a process is, by its command line.
fn part_of(process: &str) -> Part {
    let is = |words: &str| process.contains(words);
    match () {
        () if is(" agent exec ") => Part::Other,
        () if is(" agent load") => Part::Generator,
        () if is(" agent backend") => Part::Backend,
        () if is("redis-server") => Part::Store,
        () if ["nginx", "haproxy", "envoy"].into_iter().any(is) => Part::Balancer,
        () => Part::Other,
    }
}

fn spin(time: Duration) {
    let until = Instant::now() + time;
    let cpus = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..2 * cpus {
            scope.spawn(|| {
                while Instant::now() < until {
                    std::hint::spin_loop();
                }
            });
        }
    });
}
