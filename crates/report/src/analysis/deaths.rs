//! Processes that died by themselves while the load ran: a result, with what it cost.

use model::history::{BALANCER, Event, Happening};
use model::identity::BalancerName;
use model::identity::Incarnation;
use model::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::analysis::attribution::DroppedGroup;
use crate::analysis::evidence::under_load;
use crate::analysis::phases::Phase;
use crate::numbers::millis;

/// The death of a process that nobody had ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Death {
    /// Whose: the balancer's name, or an incarnation.
    pub who: String,
    /// When it was noticed, from the first measured arrival.
    pub at_ms: f64,
    /// How, in the system's words.
    pub status: String,
    /// Requests dropped by it.
    pub dropped: u64,
}

impl Death {
    /// The whole of it in one sentence.
    pub fn sentence(&self) -> String {
        let Death { who, at_ms, status, dropped } = self;
        let at = millis(*at_ms);
        let words = match signal(status) {
            Some(number) => format!("signal {number}"),
            None => status.clone(),
        };
        format!("{who} died by itself at {at} ({words}); {dropped} requests were dropped")
    }
}

/// The signal that ended a process; a shell, and the Docker engine, tell it as 128 and more.
fn signal(status: &str) -> Option<u32> {
    let first = |rest: &str| rest.split_whitespace().next()?.parse::<u32>().ok();
    match status.strip_prefix("signal: ") {
        Some(rest) => first(rest),
        None => {
            first(status.strip_prefix("exit status: ")?).filter(|code| *code > 128).map(|code| code - 128)
        }
    }
}

/// The deaths under load, in order. A cell that could not be run to its end accuses nobody: then rig, or what it runs on,
/// failed.
pub(crate) fn of(
    history: &[Event],
    balancer: BalancerName,
    origin: Nanos,
    dropped: &[DroppedGroup],
) -> Vec<Death> {
    if history.iter().any(|event| matches!(event.what, Happening::Failed { .. })) {
        return Vec::new();
    }
    let death = |event: &Event| {
        let Happening::Exited { component, status, expected: false } = &event.what else { return None };
        let of_the_balancer = component == BALANCER;
        let backend = component.parse::<Incarnation>().map(|incarnation| incarnation.backend);
        let backend = if of_the_balancer { component.clone() } else { backend.ok()? };
        let lost = dropped.iter().filter(|group| {
            group.source.phase == Phase::Died && group.source.backend.as_ref() == Some(&backend)
        });
        Some(Death {
            who: if of_the_balancer { balancer.to_string() } else { component.clone() },
            at_ms: event.at.millis_from(origin),
            status: status.clone(),
            dropped: lost.map(|group| group.count).sum(),
        })
    };
    under_load(history).iter().filter_map(death).collect()
}
