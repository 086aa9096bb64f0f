//! What the processors that rig may use have done: whether a hypervisor took them away, or others used them, while
//! something was measured.

use std::path::Path;

use model::history::Happening;
use rustix::process::nice;
use rustix::thread::{CpuSet, sched_getaffinity};

use super::error::CellError;

/// Reads `/proc/stat`, which counts since the machine's boot in hundredths of a second.
pub(super) fn read() -> Happening {
    let path = Path::new("/proc/stat");
    let text = std::fs::read_to_string(path).map_err(CellError::file(path));
    let ours = sched_getaffinity(None).ok();
    let is_ours = |cpu| ours.as_ref().is_none_or(|ours| cpu < CpuSet::MAX_CPU && ours.is_set(cpu));
    // Work at a lower priority gives way, unless ours has that priority as well.
    let gives_way = nice(0).is_ok_and(|ours| ours <= 0);
    match text.map(|text| parse(&text, is_ours, gives_way)) {
        Ok(Some([seconds, stolen, idle])) => Happening::MachineRead { seconds, stolen, idle: Some(idle) },
        // The report then says that steal time was not measured.
        Ok(None) => Happening::Warning { message: "/proc/stat has no line for a processor".into() },
        Err(error) => Happening::Warning { message: error.to_string() },
    }
}

/// Of each processor: user, nice, system, idle, iowait, irq, softirq, steal; what guests used is part of the first two
/// (proc(5)). Returns the seconds in all, the stolen and the idle ones, over the processors that are `ours`. Nice ones are
/// as good as idle if they give way.
fn parse(text: &str, ours: impl Fn(usize) -> bool, nice_gives_way: bool) -> Option<[f64; 3]> {
    let mut sums = None;
    for line in text.lines().filter_map(|line| line.strip_prefix("cpu")) {
        let mut fields = line.split_ascii_whitespace();
        // The first line is about all of them, and has no number.
        let Some(cpu) = line.split(' ').next().and_then(|number| number.parse().ok()) else { continue };
        fields.next();
        let ticks: Option<Vec<u64>> = fields.take(8).map(|field| field.parse().ok()).collect();
        let ticks = ticks.filter(|ticks| ticks.len() == 8)?;
        if ours(cpu) {
            let [all, stolen, idle] = sums.get_or_insert([0; 3]);
            *all += ticks.iter().sum::<u64>();
            *stolen += ticks[7];
            *idle += ticks[3] + ticks[4] + if nice_gives_way { ticks[1] } else { 0 };
        }
    }
    sums.map(|sums| sums.map(|ticks| ticks as f64 / 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_that_rig_may_not_use_and_guests_do_not_count() {
        let text = "cpu  270 30 150 1600 40 0 20 40 140 10\n\
                    cpu0 100 0 50 800 20 0 10 20 70 5\n\
                    cpu1 170 30 100 800 20 0 10 20 70 5\nintr 7\n";
        assert_eq!(parse(text, |cpu| cpu == 0, false), Some([10.0, 0.2, 8.2]));
        assert_eq!(parse(text, |_| true, false), Some([21.5, 0.4, 16.4]));
        assert_eq!(parse(text, |_| true, true), Some([21.5, 0.4, 16.7]));
        assert_eq!(parse("cpu  50 0 25 400 10 0 5 10\n", |_| true, false), None);
        assert_eq!(parse("cpu0 50 0 25\n", |_| true, false), None);
    }

    #[test]
    fn this_machine_says_what_its_processors_did() {
        let read = read();
        let Happening::MachineRead { seconds, stolen, idle: Some(idle) } = read else { panic!("{read:?}") };
        assert!(seconds >= stolen + idle, "{read:?}");
    }
}
