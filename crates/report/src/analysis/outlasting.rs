//! Requests that take longer than the time that a deploy left their backend: what they were drawn to take says so, so that no
//! lateness of the machine can be why they were lost.

use std::collections::BTreeMap;

use model::history::Happening;
use model::identity::Incarnation;
use model::plan::Variant;
use model::request::Request;
use model::service_time::service_time;
use model::timeline::Action;
use model::units::{Factor, Nanos};

use crate::analysis::Analysis;

/// What is needed to tell.
pub(crate) struct Outlasting<'a> {
    cell: &'a Analysis<'a>,
    seed: u64,
    /// When each incarnation got the signal that ends it.
    signals: BTreeMap<&'a Incarnation, Nanos>,
}

impl<'a> Outlasting<'a> {
    pub(crate) fn of(cell: &'a Analysis<'a>) -> Outlasting<'a> {
        let signals = cell.records.history.iter().filter_map(|event| match &event.what {
            Happening::Terminated { incarnation, .. } => Some((incarnation, event.at)),
            _ => None,
        });
        let seed = cell.plan.seed_of(cell.records.cell.repeat);
        Outlasting { cell, seed, signals: signals.collect() }
    }

    /// Whether `request` would have been at its backend when that was ended, had the machine taken no time at all.
    pub(crate) fn is_one(&self, request: &Request) -> bool {
        self.takes_longer(request).unwrap_or(false)
    }

    fn takes_longer(&self, request: &Request) -> Option<bool> {
        let variant = self.cell.variant?;
        let [execution] = self.cell.joined.get(request.id).executions else { return None };
        let signal = self.signals.get(&*execution.by)?;
        let backend = &execution.by.backend;
        // A service of the user's draws nothing, and one that was told to misbehave draws otherwise.
        if variant.topology.service_of(backend).is_some() || is_degraded(variant, backend) {
            return None;
        }
        let latency = variant.topology.backend(backend)?.latency;
        let class = variant.traffic.mix.iter().find(|class| class.name == request.class);
        let takes =
            service_time(self.seed, request.id, &latency, class.map_or(Factor(1.0), |class| class.cost));
        Some(execution.finished.is_none() && request.sent? + takes > *signal)
    }
}

fn is_degraded(variant: &Variant, backend: &str) -> bool {
    let degrades = |action: &Action| matches!(action, Action::Degrade(degrade) if degrade.backend == backend);
    variant.timeline.iter().any(|entry| degrades(&entry.action))
}
