//! Processes that died by themselves while the load ran: a result, with what it cost.

use model::component::{Component, ExitStatus};
use model::history::{Event, Happening};
use model::identity::BalancerName;
use model::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::analysis::attribution::DroppedGroup;
use crate::analysis::evidence::under_load;
use crate::analysis::phases::Phase;
use crate::numbers::millis;

/// The death of a process that neither rig nor the scenario ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Death {
    /// Whose: the balancer's name, a worker of it, or an incarnation.
    pub who: String,
    /// When it was noticed, from the first measured arrival.
    pub at_ms: f64,
    /// How.
    pub status: ExitStatus,
    /// Requests dropped by it.
    pub dropped: u64,
}

impl Death {
    /// The whole of it in one sentence.
    pub fn sentence(&self) -> String {
        let Death { who, at_ms, status, dropped } = self;
        let at = millis(*at_ms);
        let words = match status.signal() {
            Some(number) => format!("signal {number}"),
            None => status.to_string(),
        };
        format!("{who} died by itself at {at} ({words}); {dropped} requests were dropped")
    }
}

/// The deaths under load, in order. A cell that could not be run to its end has none: then rig, or what it runs on,
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
        let (source, who) = match component {
            Component::Balancer => (component.to_string(), balancer.to_string()),
            Component::Worker => (component.to_string(), format!("a worker of {balancer}")),
            Component::Predecessor => (component.to_string(), format!("the old process of {balancer}")),
            Component::Life(incarnation) => (incarnation.backend.clone(), incarnation.to_string()),
            Component::Generator
            | Component::NumberedGenerator(_)
            | Component::DnsServer
            | Component::Rig
            | Component::Unknown(_) => return None,
        };
        let lost = dropped.iter().filter(|group| {
            group.source.phase == Phase::Died && group.source.backend.as_ref() == Some(&source)
        });
        Some(Death {
            who,
            at_ms: event.at.millis_from(origin),
            status: status.clone(),
            dropped: lost.map(|group| group.count).sum(),
        })
    };
    let mut deaths: Vec<Death> = under_load(history).iter().filter_map(death).collect();
    // Which worker had a request is in no log: of several, the first stands for all.
    let workers = format!("a worker of {balancer}");
    let several = deaths.iter().filter(|death| death.who == workers).count();
    if several > 1 {
        let mut first = true;
        deaths.retain(|death| death.who != workers || std::mem::take(&mut first));
        let all = deaths.iter_mut().filter(|death| death.who == workers);
        all.for_each(|death| death.who = format!("{workers} (the first of {several})"));
    }
    deaths
}
