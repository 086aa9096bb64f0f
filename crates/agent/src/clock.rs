//! The clock of every record: `CLOCK_MONOTONIC`, which all processes of a host share.

use std::io;

use model::units::Nanos;
use rustix::time::{ClockId, clock_gettime};

/// The time now.
pub fn now() -> Nanos {
    let time = clock_gettime(ClockId::Monotonic);
    Nanos(time.tv_sec * 1_000_000_000 + time.tv_nsec)
}

/// Identifies the kernel's boot: clocks of processes with the same boot id are the same clock.
pub fn boot_id() -> io::Result<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(id.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_run_backwards_and_the_boot_id_is_stable() {
        let earlier = now();
        assert!(now() >= earlier);
        assert_eq!(boot_id().unwrap(), boot_id().unwrap());
        assert!(!boot_id().unwrap().is_empty());
    }
}
