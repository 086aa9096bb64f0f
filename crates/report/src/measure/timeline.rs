//! Whether a cell's timeline happened: every entry came to its end, early enough for what it cost to be seen, and every
//! fault found something to harm. What is claimed about a cell in which it did not is unproven.

use std::collections::BTreeMap;
use std::time::Duration;

use model::history::{Event, Happening};
use model::plan::Variant;
use model::timeline::{Action, Entry, Fault};
use model::units::Nanos;

use crate::measure::validity::{Trust, Validity};
use crate::numbers::millis;

/// How long a machine may take to start a process or a container again. Measured with two processors, from the end of a
/// crash until the next life was ready, without its declared boot time: a backend 15 to 34 ms on a quiet machine and at most
/// 76 ms beside four busy processes, 443 ms beside builds and two of higher priority; a Redis at most 590 ms beside four of
/// those; a container 204 to 257 ms on a quiet machine and at most 538 ms beside eight of them. This is half as long again as
/// the slowest, and more: what takes longer is another fault than the one that was asked for.
const TO_START: Duration = Duration::from_secs(1);

/// When an entry began and ended.
#[derive(Clone, Copy, Default)]
struct Course {
    began: Option<Nanos>,
    ended: Option<Nanos>,
}

/// Trust in the timeline; `None`: the variant has none, or an earlier version did not record what began. A deploy that
/// did not end is told of by the trust in the deploy. `origin` is when the first measured request was due.
pub fn validity(variant: &Variant, history: &[Event], origin: Option<Nanos>) -> Option<Validity> {
    let mut courses: BTreeMap<&str, Course> = BTreeMap::new();
    for event in history {
        match &event.what {
            Happening::ActionStarted { entry } => courses.entry(entry).or_default().began = Some(event.at),
            Happening::ActionFinished { entry } => courses.entry(entry).or_default().ended = Some(event.at),
            _ => {}
        }
    }
    let (origin, _) = origin.zip(courses.first_key_value())?;
    let settled_by = origin + variant.traffic.duration.0 - variant.traffic.timeout.0;
    let mut validity = Validity::default();
    for entry in &variant.timeline {
        let course = courses.get(entry.name.as_str()).copied().unwrap_or_default();
        if let Some(problem) = problem(variant, entry, course, settled_by, history) {
            validity.lower(Trust::Invalid, problem);
        }
    }
    Some(validity)
}

fn problem(
    variant: &Variant,
    entry: &Entry,
    course: Course,
    settled_by: Nanos,
    history: &[Event],
) -> Option<String> {
    let name = &entry.name;
    let Course { began: Some(began), ended } = course else {
        return Some(format!("`{name}` of the timeline never began"));
    };
    let missed = history.iter().find_map(|event| match &event.what {
        Happening::FaultMissed { entry, reason, .. } if entry == name => Some(reason),
        _ => None,
    });
    if let Some(reason) = missed {
        return Some(format!("`{name}` of the timeline had no target: {reason}"));
    }
    if entry.action.is_a_rollout() || matches!(entry.action, Action::Roll(_)) {
        return None;
    }
    let Some(ended) = ended else {
        let done = match &entry.action {
            Action::Reload(reload) => format!(": {} of {} reloads were made", reloads(history), reload.times),
            _ => String::new(),
        };
        return Some(format!("`{name}` of the timeline did not end before the load did{done}"));
    };
    if let Action::Fault(fault) = &entry.action {
        let harmed = |event: &Event| {
            let whose = match &event.what {
                Happening::Faulted { incarnation, .. } => Some(&incarnation.backend),
                _ => None,
            };
            // The time of a fault is the runtime's own, and may lie a little before it was recorded that it began.
            whose == Some(&fault.backend) && event.at <= ended
        };
        if !history.iter().any(harmed) {
            let kind = fault.kind.name();
            return Some(format!(
                "`{name}` of the timeline had no target: no {} ran for its `{kind}`",
                fault.backend
            ));
        }
    }
    if let Action::Fault(fault) = &entry.action
        && let Some(longer) = lasted_longer(fault, variant, began, history)
    {
        return Some(format!("`{name}` of the timeline {longer}"));
    }
    let late = ended.millis_from(settled_by);
    (!entry.action.only_looks() && late > 0.0 && began <= ended).then(|| {
        let late = millis(late);
        format!(
            "`{name}` of the timeline ended {late} too late: less than one client timeout before the load did"
        )
    })
}

/// How much longer a fault was than the plan says and the start of a process can explain: then it was another fault, and
/// what it cost is the machine's as well.
fn lasted_longer(fault: &Fault, variant: &Variant, began: Nanos, history: &[Event]) -> Option<String> {
    let planned = fault.lasts?.0;
    let boot = variant.topology.backend(&fault.backend).map_or(Duration::ZERO, |backend| backend.boot.0);
    let healed = history.iter().find_map(|event| match &event.what {
        Happening::Healed { incarnation } if incarnation.backend == fault.backend => {
            (event.at > began).then_some(event.at)
        }
        _ => None,
    })?;
    let lasted = healed.since(began);
    (lasted > planned + boot + TO_START).then(|| {
        let [planned, lasted] = [planned, lasted].map(|span| millis(span.as_secs_f64() * 1e3));
        format!("lasted {lasted} instead of {planned}: {} could not be restarted sooner", fault.backend)
    })
}

fn reloads(history: &[Event]) -> usize {
    history.iter().filter(|event| matches!(event.what, Happening::BalancerReloaded)).count()
}
