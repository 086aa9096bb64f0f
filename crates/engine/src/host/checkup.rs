//! What this machine is like, as far as it bears on figures, and whether components can run on it as processes.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

use rustix::process::{Resource, getrlimit};

use super::leases::PORTS;
use super::limits::{PORT_RANGE, RAISE, WIDEN};
use crate::checkup::Check;

/// Open descriptors that a load of a thousand connections needs, balancer and backends included, with room.
pub(crate) const OPEN_FILES: u64 = 4096;
/// Ports that a load of a thousand fresh connections a second needs, with room.
const PORTS_ENOUGH: u32 = 4096;
/// Runnable tasks per CPU beyond which others take turns with rig.
const BUSY: f64 = 0.5;
/// Clock sources that are read from a device, a microsecond and more at a time; others are read in nanoseconds
/// (the kernel's Documentation/timers/timekeeping.rst).
const SLOW_CLOCKS: [&str; 3] = ["hpet", "acpi_pm", "jiffies"];
/// What lets the clock be read without a system call.
const FAST_CLOCKS: [&str; 3] = ["tsc", "kvm-clock", "arch_sys_counter"];
const CLOCKS: &str = "/sys/devices/system/clocksource/clocksource0";

/// What bears on figures, wherever components run.
pub fn machine() -> Vec<Check> {
    let cpus = std::thread::available_parallelism().map(std::num::NonZero::get).ok();
    vec![
        cpus.map_or_else(|| Check::not_checked("CPUs", "the system doesn't tell how many"), self::cpus),
        told("load", "/proc/loadavg", |text| load(text, cpus.unwrap_or(1))),
        open_files("open files", getrlimit(Resource::Nofile).maximum, RAISE),
        told("ephemeral ports", PORT_RANGE, ephemeral_ports),
        told("tcp_tw_reuse", "/proc/sys/net/ipv4/tcp_tw_reuse", |text| Some(time_wait_reuse(text))),
        told("clock source", &format!("{CLOCKS}/current_clocksource"), |current| {
            let others = std::fs::read_to_string(format!("{CLOCKS}/available_clocksource"));
            Some(clock_source(current, &others.unwrap_or_default()))
        }),
    ]
}

/// What processes need beside balancers.
pub fn loopback() -> Check {
    let bound = |address| TcpListener::bind((address, 0)).map(drop);
    match bound(Ipv4Addr::new(127, 7, 7, 7)) {
        Ok(()) => Check::ok("loopback", "all of 127/8: every component gets an address of its own"),
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable && bound(Ipv4Addr::LOCALHOST).is_ok() => {
            Check::ok("loopback", "127.0.0.1 alone: components differ by their ports")
        }
        Err(error) => Check::failed(
            "loopback",
            format!("127.7.7.7 can't be bound: {error}"),
            "sudo ip link set lo up && sudo ip address add 127.0.0.1/8 dev lo",
        ),
    }
}

/// Checks what a file of the system says; `None` of `check`: it says something else than it should.
pub(crate) fn told(name: &str, path: &str, check: impl FnOnce(&str) -> Option<Check>) -> Check {
    match std::fs::read_to_string(path) {
        Ok(text) => check(text.trim()).unwrap_or_else(|| {
            Check::not_checked(name, format!("{path} has an unknown value: {}", text.trim()))
        }),
        Err(error) => Check::not_checked(name, format!("{path}: {error}")),
    }
}

fn cpus(cpus: usize) -> Check {
    match cpus {
        1 => Check::limits(
            "CPUs",
            "1: generator, balancer and backends take turns on it",
            "give this machine, or rig's control group, a second one",
        ),
        several => Check::ok("CPUs", several.to_string()),
    }
}

/// By the average over one minute in /proc/loadavg.
fn load(loadavg: &str, cpus: usize) -> Option<Check> {
    let average: f64 = loadavg.split(' ').next()?.parse().ok()?;
    let each = average / cpus as f64;
    let found = format!("{each:.2} per CPU over the last minute");
    Some(if each > BUSY {
        Check::limits(
            "load",
            format!("{found}: other work disturbs figures"),
            "top   # shows whose work it is",
        )
    } else {
        Check::ok("load", found)
    })
}

/// By the hard limit, up to which rig raises its own; `None` is unlimited.
pub(crate) fn open_files(name: &str, limit: Option<u64>, raise: &str) -> Check {
    match limit {
        None => Check::ok(name, "unlimited"),
        Some(limit) if limit >= OPEN_FILES => Check::ok(name, format!("up to {limit}")),
        Some(limit) => {
            Check::limits(name, format!("up to {limit}: many connections will be refused some"), raise)
        }
    }
}

/// By net.ipv4.ip_local_port_range.
fn ephemeral_ports(range: &str) -> Option<Check> {
    let mut ends = range.split_whitespace().map(str::parse::<u16>);
    let (from, to) = (ends.next()?.ok()?, ends.next()?.ok()?);
    let count = u32::from(to).checked_sub(u32::from(from))? + 1;
    let found = format!("{from}–{to}: {count} connections from one address to another");
    Some(if from < PORTS.end && to >= PORTS.start {
        Check::limits(
            "ephemeral ports",
            format!(
                "{found}; connections may take {}–{}, where components listen",
                PORTS.start,
                PORTS.end - 1
            ),
            WIDEN,
        )
    } else if count < PORTS_ENOUGH {
        let found = format!("{found}: a load with many will find no port");
        Check::limits("ephemeral ports", found, WIDEN)
    } else {
        Check::ok("ephemeral ports", found)
    })
}

/// By net.ipv4.tcp_tw_reuse, as the kernel's Documentation/networking/ip-sysctl.rst describes it.
fn time_wait_reuse(value: &str) -> Check {
    let meaning = match value {
        "0" => "ports wait a minute before they are used again",
        "1" => "ports are used again after a second",
        "2" => "ports are used again after a second, on loopback only",
        _ => "a value that rig doesn't know",
    };
    Check::ok("tcp_tw_reuse", format!("{value}: {meaning}"))
}

fn clock_source(current: &str, available: &str) -> Check {
    if !SLOW_CLOCKS.contains(&current) {
        return Check::ok("clock source", current);
    }
    let found = format!("{current}: reading the time takes a microsecond or more");
    let faster = available.split_whitespace().find(|name| FAST_CLOCKS.contains(name));
    let fix = match faster {
        Some(name) => format!("echo {name} | sudo tee {CLOCKS}/current_clocksource"),
        None => "sudo dmesg | grep -i clocksource   # says why the kernel offers no faster one".to_owned(),
    };
    Check::limits("clock source", found, fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkup::CheckState;

    #[test]
    fn load_counts_per_cpu() {
        let state = |text, cpus| load(text, cpus).map(|check| check.state);
        assert_eq!(state("1.20 0.80 0.70 3/134 16641", 2), Some(CheckState::Limits));
        assert_eq!(state("1.20 0.80 0.70 3/134 16641", 4), Some(CheckState::Ok));
        assert_eq!(state("idle", 4), None);
    }

    #[test]
    fn one_cpu_and_few_descriptors_limit_figures() {
        assert_eq!((cpus(1).state, cpus(2).state), (CheckState::Limits, CheckState::Ok));
        let state = |limit| open_files("open files", limit, "raise it").state;
        assert_eq!(
            (state(Some(4095)), state(Some(4096)), state(None)),
            (CheckState::Limits, CheckState::Ok, CheckState::Ok)
        );
    }

    #[test]
    fn ephemeral_ports_must_leave_components_theirs() {
        let state = |range| ephemeral_ports(range).map(|check| check.state);
        assert_eq!(state("32768\t60999"), Some(CheckState::Ok));
        assert_eq!(state("1024\t65535"), Some(CheckState::Limits));
        assert_eq!(state("27999 60999"), Some(CheckState::Limits));
        assert_eq!(state("28000 60999"), Some(CheckState::Ok));
        assert_eq!(state("40000 40040"), Some(CheckState::Limits));
        assert_eq!(state("60999 32768"), None);
        assert_eq!(state("all"), None);
    }

    #[test]
    fn a_slow_clock_is_told_with_the_faster_one_that_the_kernel_has() {
        assert_eq!(clock_source("tsc", "tsc hpet").state, CheckState::Ok);
        assert_eq!(clock_source("hyperv_clocksource_tsc_page", "").state, CheckState::Ok);
        let slow = clock_source("hpet", "hpet acpi_pm tsc");
        assert_eq!(slow.state, CheckState::Limits);
        assert!(slow.fix.unwrap().starts_with("echo tsc | sudo tee "));
        assert!(clock_source("acpi_pm", "hpet acpi_pm").fix.unwrap().contains("dmesg"));
    }

    #[test]
    fn a_file_that_is_not_there_or_says_something_else_is_no_failure() {
        let check = told("load", "/nonexistent", |_| None);
        assert_eq!(check.state, CheckState::NotChecked);
        assert!(check.found.starts_with("/nonexistent: "), "{}", check.found);
        let check = told("load", "/proc/self/comm", |text| load(text, 2));
        assert_eq!(check.state, CheckState::NotChecked);
    }
}
