//! How often the balancer took a backend out of its rotation, and back, by its own view: during the whole load, whether a
//! fault was made or not.

use std::collections::BTreeMap;

use model::history::{Event, Happening};
use model::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::analysis::evidence::under_load;
use crate::numbers::millis;

/// What the balancer's view said of one backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ejections {
    /// How often it went down.
    pub downs: u64,
    /// How often it came back.
    pub ups: u64,
    /// For how long it was down, in milliseconds, until the load ended.
    pub down_ms: f64,
}

/// Those of each backend that had any. A deploy's own doing is none.
pub(crate) fn of(history: &[Event], load_end: Nanos) -> BTreeMap<String, Ejections> {
    let mut found: BTreeMap<String, Ejections> = BTreeMap::new();
    let mut since: BTreeMap<String, Nanos> = BTreeMap::new();
    for event in under_load(history) {
        match &event.what {
            Happening::SeenDown { backend, .. } => {
                found.entry(backend.clone()).or_default().downs += 1;
                since.entry(backend.clone()).or_insert(event.at);
            }
            Happening::SeenUp { backend, .. } => {
                // One that is up for the first time, such as an added backend, does not come back.
                if let Some(from) = since.remove(backend) {
                    let ejections = found.entry(backend.clone()).or_default();
                    ejections.ups += 1;
                    ejections.down_ms += event.at.millis_from(from);
                }
            }
            _ => {}
        }
    }
    for (backend, from) in since {
        found.entry(backend).or_default().down_ms += load_end.millis_from(from).max(0.0);
    }
    found
}

/// One line for all backends; `None`: there were none.
pub(crate) fn sentence(ejections: &BTreeMap<String, Ejections>) -> Option<String> {
    let one = |(backend, it): (&String, &Ejections)| {
        format!("{backend} out {}×, back {}×, {} in all", it.downs, it.ups, millis(it.down_ms))
    };
    // An earlier version counted those as well that came back from nowhere.
    let each: Vec<String> = ejections.iter().filter(|(_, it)| it.downs > 0).map(one).collect();
    (!each.is_empty())
        .then(|| format!("the balancer's view took backends out of rotation: {}", each.join("; ")))
}
