//! Local processes: signals to them, and what /proc says of them (proc(5)).

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, PoisonError};

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal as Number, kill_process, kill_process_group};
use tokio::process::{Child, ChildStdin, Command};

use super::Signal;

/// Sends `signal` to a process; one that is gone needs none.
pub(crate) fn send(pid: u32, signal: Signal) {
    send_number(pid, signal.number());
}

/// Lets a process stand still.
pub(crate) fn stop(pid: u32) {
    send_number(pid, Number::STOP);
}

/// Lets a process that stands still go on.
pub(crate) fn go_on(pid: u32) {
    send_number(pid, Number::CONT);
}

/// Sends `signal` to a process group.
pub(crate) fn send_group(group: u32, signal: Signal) {
    send_group_number(group, signal.number());
}

/// Lets a process group stand still.
pub(crate) fn stop_group(group: u32) {
    send_group_number(group, Number::STOP);
}

/// Lets a process group that stands still go on.
pub(crate) fn go_on_group(group: u32) {
    send_group_number(group, Number::CONT);
}

fn send_group_number(group: u32, signal: Number) {
    if let Some(group) = known(group) {
        let _ = kill_process_group(group, signal);
    }
}

fn send_number(pid: u32, signal: Number) {
    if let Some(pid) = known(pid) {
        let _ = kill_process(pid, signal);
    }
}

fn known(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// CPU seconds that the process group `group` has used: its living processes, and the children that they have
/// collected. In steps of a clock tick, usually 10 ms.
pub(crate) fn group_cpu_seconds(group: u32) -> io::Result<f64> {
    let mut ticks = 0;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        // A process that ends meanwhile belongs to no group.
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        ticks += ticks_of(&stat, group).unwrap_or(0);
    }
    Ok(ticks as f64 / clock_ticks_per_second() as f64)
}

/// What [`kill_children`] spares, by process id.
static SPARED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// A process that [`kill_children`] spares, for it stands in for rig when rig has died.
pub(crate) struct Spared(Child);

impl Spared {
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Spared> {
        // Held until it is known: else it could be killed between its start and its entry.
        let mut spared = SPARED.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.spawn()?;
        spared.extend(child.id());
        Ok(Spared(child))
    }

    /// Its standard input, whose end tells it that rig has died; `None`: it was taken, or is none of ours.
    pub(crate) fn input(&mut self) -> Option<ChildStdin> {
        self.0.stdin.take()
    }

    /// Ends it, and collects its exit.
    pub(crate) async fn end(mut self) {
        // One that is gone already can't be ended, and needn't be.
        let _ = self.0.start_kill();
        self.wait().await;
    }

    /// Waits until it ends, and collects its exit.
    pub(crate) async fn wait(mut self) {
        let pid = self.0.id();
        // One whose exit can't be collected is none of ours any more.
        let _ = self.0.wait().await;
        // Another process may get its number.
        SPARED.lock().unwrap_or_else(PoisonError::into_inner).retain(|&spared| Some(spared) != pid);
    }
}

/// Kills every process that this one has launched, and its group, without waiting: for an end that must not hang. What
/// is [`Spared`] outlives rig.
pub fn kill_children() {
    let spared = SPARED.lock().unwrap_or_else(PoisonError::into_inner);
    for child in children_of(std::process::id()).into_iter().filter(|child| !spared.contains(child)) {
        send_group(child, Signal::Kill);
    }
}

fn children_of(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| parent_in(&stat) == Some(parent))
    };
    pids.filter(is_child).collect()
}

fn parent_in(stat: &str) -> Option<u32> {
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

/// utime + stime + cutime + cstime of a line of /proc/PID/stat, if it is of the process group `group`.
fn ticks_of(stat: &str, group: u32) -> Option<u64> {
    // pid (comm) state ppid pgrp …; comm may hold anything, even parentheses.
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    if fields.get(2)?.parse() != Ok(group) {
        return None;
    }
    fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "17 (a) (b) S 1 17 17 0 -1 4194560 900 80 0 0 250 50 7 3 20 0 4 0 100 1 1 0";

    #[test]
    fn a_process_and_its_collected_children_are_counted() {
        assert_eq!(ticks_of(STAT, 17), Some(310));
        assert_eq!(ticks_of(STAT, 18), None);
    }

    #[test]
    fn children_are_found_by_their_parent() {
        let mut child = std::process::Command::new("sleep").arg("61").spawn().unwrap();
        assert!(children_of(std::process::id()).contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
