//! Processes that a component has left behind: workers whose master was killed, and what went into the background. They
//! become rig's own children, because rig asks the kernel for them (PR_SET_CHILD_SUBREAPER, prctl(2)).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid};

/// Between two looks at processes that have been killed and still are there.
const STEP: Duration = Duration::from_millis(5);

/// From now on, orphans below this process are its children.
pub(crate) fn adopt() {
    // A kernel that refuses leaves orphans to init, as it was before.
    let _ = set_child_subreaper(Some(getpid()));
}

/// From now on, orphans are init's again: a service that a user's command starts is not rig's.
pub(crate) fn release() {
    let _ = set_child_subreaper(None);
}

/// What was launched: by these, what is left of it is known.
#[derive(Default)]
pub(crate) struct Launched {
    /// The process groups.
    pub(crate) groups: BTreeSet<i32>,
    /// Where they began. What leaves its group to be a daemon stays there, or is found before it has gone.
    pub(crate) directories: BTreeSet<PathBuf>,
    /// What [`MARK`] says in the environment of a user's service, which may be anywhere.
    pub(crate) marks: BTreeSet<String>,
}

/// The variable by which what a user's service leaves behind is known.
pub(crate) const MARK: &str = "RIG_SERVICE";

impl Launched {
    /// Ends everything that is left of it, and collects it. Says what could not be ended `within` that time.
    pub(crate) async fn end(&self, within: Duration) -> Vec<i32> {
        let deadline = Instant::now() + within;
        let mut doomed = BTreeSet::new();
        loop {
            doomed.extend(self.left());
            doomed.retain(|pid| !is_gone(*pid));
            if doomed.is_empty() || Instant::now() > deadline {
                return doomed.into_iter().collect();
            }
            tokio::time::sleep(STEP).await;
        }
    }

    /// Children of this process that are not waited for, and that came of what was launched.
    fn left(&self) -> Vec<i32> {
        let own = getpid().as_raw_nonzero().get();
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        // Those that lead the groups of what was launched are waited for elsewhere.
        pids.filter(|pid| !self.groups.contains(pid))
            .filter(|pid| self.is_left(*pid, own) == Some(true))
            .collect()
    }

    fn is_left(&self, pid: i32, own: i32) -> Option<bool> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // pid (comm) state ppid pgrp …; comm may hold anything, even parentheses.
        let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(1);
        let (parent, group): (i32, i32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let began_there =
            || std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|it| self.directories.contains(&it));
        Some(parent == own && (self.groups.contains(&group) || began_there() || self.is_marked(pid)))
    }

    fn is_marked(&self, pid: i32) -> bool {
        if self.marks.is_empty() {
            return false;
        }
        let environment = environment_of(pid);
        let mark = |variable: &[u8]| {
            let (name, value) = std::str::from_utf8(variable).ok()?.split_once('=')?;
            (name == MARK).then(|| self.marks.contains(value))
        };
        environment.split(|byte| *byte == 0).filter_map(mark).any(|known| known)
    }
}

/// The environment that `pid` was started with. In the middle of its `exec` there is none yet, so that one is looked for again.
fn environment_of(pid: i32) -> Vec<u8> {
    const LOOKS: u32 = 20;
    for _ in 0..LOOKS {
        match std::fs::read(format!("/proc/{pid}/environ")) {
            Ok(environment) if environment.is_empty() => std::thread::sleep(Duration::from_millis(1)),
            read => return read.unwrap_or_default(),
        }
    }
    Vec::new()
}

/// Kills `pid`, a child of this process, and collects it if it has ended.
fn is_gone(pid: i32) -> bool {
    let Some(pid) = Pid::from_raw(pid) else { return true };
    let _ = kill_process(pid, Signal::KILL);
    !matches!(waitpid(Some(pid), WaitOptions::NOHANG), Ok(None))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Processes that have their place in `directory`.
    fn there(directory: &std::path::Path) -> usize {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter(|it| std::fs::read_link(it.path().join("cwd")).is_ok_and(|cwd| cwd == directory))
            .count()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_goes_into_the_background_is_ended() {
        adopt();
        let directory = tempfile::tempdir().unwrap();
        let place = std::fs::canonicalize(directory.path()).unwrap();
        let script = "setsid sleep 600 < /dev/null > /dev/null 2>&1 & exit 0";
        let mut child = Command::new("sh").args(["-c", script]).current_dir(&place).spawn().unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(there(&place), 1, "it stayed");
        let groups = [child.id() as i32].into();
        let launched = Launched { groups, directories: [place.clone()].into(), ..Launched::default() };
        assert_eq!(launched.end(Duration::from_secs(20)).await, Vec::<i32>::new());
        assert_eq!(there(&place), 0);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_a_service_leaves_behind_is_known_by_its_mark() {
        adopt();
        let directory = tempfile::tempdir().unwrap();
        let place = std::fs::canonicalize(directory.path()).unwrap();
        let script = "setsid sleep 600 < /dev/null > /dev/null 2>&1 & exit 0";
        let mut command = Command::new("sh");
        let mut child =
            command.args(["-c", script]).env(MARK, "web-1/1").current_dir(&place).spawn().unwrap();
        assert!(child.wait().unwrap().success());
        let launched = |mark: &str| Launched { marks: [mark.to_owned()].into(), ..Launched::default() };
        assert_eq!(launched("web-1/2").end(Duration::from_secs(20)).await, Vec::<i32>::new());
        assert_eq!(there(&place), 1, "it is another's");
        assert_eq!(launched("web-1/1").end(Duration::from_secs(20)).await, Vec::<i32>::new());
        assert_eq!(there(&place), 0);
    }
}
