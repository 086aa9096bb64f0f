//! What the processors of the machine have done: whether a hypervisor took them away while CPU time was measured.

use std::path::Path;

use model::history::Happening;

use crate::error::EngineError;

/// Reads `/proc/stat`, which counts since the machine's boot in hundredths of a second.
pub(super) fn read() -> Happening {
    let path = Path::new("/proc/stat");
    let text = std::fs::read_to_string(path).map_err(EngineError::file(path));
    match text.map(|text| parse(&text)) {
        Ok(Some((seconds, stolen))) => Happening::MachineRead { seconds, stolen },
        // The report then says that nobody knows.
        Ok(None) => Happening::Warning { message: "/proc/stat has no line for all processors".into() },
        Err(error) => Happening::Warning { message: error.to_string() },
    }
}

/// User, nice, system, idle, iowait, irq, softirq, steal; what guests used is part of the first two (proc(5)).
fn parse(text: &str) -> Option<(f64, f64)> {
    let all = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Option<Vec<u64>> = all.split_whitespace().take(8).map(|field| field.parse().ok()).collect();
    let ticks = ticks?;
    let stolen = *ticks.get(7)?;
    Some((ticks.iter().sum::<u64>() as f64 / 100.0, stolen as f64 / 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_the_eighth_field_and_guests_are_not_counted_twice() {
        let text = "cpu  100 0 50 800 20 0 10 20 70 5\ncpu0 50 0 25 400 10 0 5 10 35 2\nintr 7\n";
        assert_eq!(parse(text), Some((10.0, 0.2)));
        assert_eq!(parse("cpu0 50 0 25 400 10 0 5 10\n"), None);
        assert_eq!(parse("cpu  50 0 25\n"), None);
    }

    #[test]
    fn this_machine_says_what_its_processors_did() {
        assert!(matches!(read(), Happening::MachineRead { seconds, stolen } if seconds > stolen));
    }
}
