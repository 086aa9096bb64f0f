//! Stops a balancer whose controller is gone. The parent-death signal reaches one process, not its children, and a stopped
//! balancer may miss it. So a keeper waits for the end of its standard input, which comes when the controller ends in any
//! way, and then stops the whole process group.

use std::io::Read;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// What the controller says when it has ended the group itself.
pub const DONE: &str = "done";
/// How long the group may take to follow SIGTERM.
const GRACE: Duration = Duration::from_secs(3);
/// The polling interval. SIGTERM is sent again each time: a process that was reading its configuration may have missed it.
const LOOK: Duration = Duration::from_millis(50);

/// Waits for the end of `input`, ends the process group `group`, and removes what that `leaves` behind, unless its controller
/// has done so.
pub fn keep(group: u32, leaves: &[PathBuf], mut input: impl Read) {
    let mut said = String::new();
    // An input that can't be read has ended as well.
    let _ = input.read_to_string(&mut said);
    let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) else { return };
    if said.trim() != DONE {
        end(group);
        for file in leaves {
            // It may not have got so far as to make it.
            let _ = std::fs::remove_file(file);
        }
    }
}

fn end(group: Pid) {
    let begun = Instant::now();
    // It may be gone already, which is the goal.
    while test_kill_process_group(group).is_ok() {
        let signal = if begun.elapsed() < GRACE { Signal::TERM } else { Signal::KILL };
        let _ = kill_process_group(group, signal);
        let _ = kill_process_group(group, Signal::CONT);
        if begun.elapsed() > 2 * GRACE {
            return;
        }
        sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::Command;

    #[test]
    fn a_group_that_stands_still_is_ended_and_one_that_was_ended_is_left_alone() {
        let mut child = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let pid = Pid::from_child(&child);
        rustix::process::kill_process(pid, Signal::STOP).unwrap();
        keep(child.id(), &[], DONE.as_bytes());
        assert_eq!(child.try_wait().unwrap(), None);
        let group = child.id();
        let directory = tempfile::tempdir().unwrap();
        let left = directory.path().join("left");
        std::fs::write(&left, "").unwrap();
        let keeper = std::thread::spawn(move || keep(group, &[left], std::io::empty()));
        // A process is gone only after it was collected.
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
        keeper.join().unwrap();
        assert!(!directory.path().join("left").exists());
    }
}
