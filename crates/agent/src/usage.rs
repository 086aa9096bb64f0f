//! What a process itself has cost so far.

use std::io;

use rustix::time::{ClockId, clock_gettime};

/// CPU seconds of this process, user and system, all threads.
pub fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The largest resident set of this process, in KiB.
pub fn max_rss_kib() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    peak_of(&status).ok_or_else(|| io::Error::other("/proc/self/status has no VmHWM"))
}

fn peak_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_its_line() {
        assert_eq!(peak_of("VmPeak:\t  9999 kB\nVmHWM:\t    5132 kB\nVmRSS:\t 4 kB\n"), Some(5132));
        assert_eq!(peak_of("VmRSS:\t 4 kB\n"), None);
    }

    #[test]
    fn a_live_process_has_used_memory_and_its_cpu_time_grows() {
        assert!(max_rss_kib().unwrap() > 0);
        let before = cpu_seconds();
        let mut sum = 0u64;
        while cpu_seconds() == before {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(cpu_seconds() > before);
    }
}
