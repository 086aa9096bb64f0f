//! Losses and latency of the measured requests, parted by their class and by what they did to a connection.

use std::collections::BTreeMap;
use std::time::Duration;

use model::outcome::OutcomeKind;
use model::request::Request;
use serde::{Deserialize, Serialize};

use crate::measure::latency::LatencySummary;

/// The measured requests, parted in four ways.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Strata {
    /// By class of the mix.
    pub classes: Vec<Stratum>,
    /// By whether the connection was new.
    pub connection: Vec<Stratum>,
    /// By place on the connection.
    pub nth: Vec<Stratum>,
    /// By how long the connection had been idle before, of those that were reused.
    pub idle: Vec<Stratum>,
}

/// Requests that have something in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stratum {
    /// What.
    pub name: String,
    /// How many.
    pub scheduled: u64,
    /// Of these, dropped.
    pub dropped: u64,
    /// Their latency, failures as infinite.
    pub latency_ms: LatencySummary,
}

/// Idle times, each with the first that is longer.
const IDLE: [(&str, Duration); 4] = [
    ("idle up to 10 ms", Duration::from_millis(10)),
    ("idle 10–100 ms", Duration::from_millis(100)),
    ("idle 0.1–1 s", Duration::from_secs(1)),
    ("idle 1–10 s", Duration::from_secs(10)),
];

impl Strata {
    /// Parts `measured`.
    pub fn of(measured: &[&Request], timeout_ms: f64) -> Strata {
        let idle_names: Vec<&str> = IDLE.map(|(name, _)| name).into_iter().chain([IDLE_LONGER]).collect();
        Strata {
            classes: parted(measured, timeout_ms, |request| Some(request.class.as_str())),
            connection: ordered(
                &[FRESH, REUSED, NONE],
                parted(measured, timeout_ms, |request| Some(connection(request))),
            ),
            nth: ordered(&[FIRST, FEW, TENS, MANY], parted(measured, timeout_ms, nth)),
            idle: ordered(&idle_names, parted(measured, timeout_ms, idle)),
        }
    }

    /// Whether some request was dropped.
    pub fn has_losses(&self) -> bool {
        self.classes.iter().any(|class| class.dropped > 0)
    }
}

const FRESH: &str = "new connection";
const REUSED: &str = "reused connection";
const NONE: &str = "no connection";
const FIRST: &str = "1st on its connection";
const FEW: &str = "2nd to 10th";
const TENS: &str = "11th to 100th";
const MANY: &str = "after the 100th";
const IDLE_LONGER: &str = "idle over 10 s";

fn connection(request: &Request) -> &'static str {
    match request.on {
        None => NONE,
        Some(on) if on.nth <= 1 => FRESH,
        Some(_) => REUSED,
    }
}

fn nth(request: &Request) -> Option<&str> {
    Some(match request.on?.nth {
        ..=1 => FIRST,
        2..=10 => FEW,
        11..=100 => TENS,
        101.. => MANY,
    })
}

fn idle(request: &Request) -> Option<&str> {
    let on = request.on.filter(|on| on.nth > 1)?;
    let idle = Duration::from_nanos(on.idle.try_into().unwrap_or(0));
    Some(IDLE.iter().find(|(_, longest)| idle <= *longest).map_or(IDLE_LONGER, |(name, _)| name))
}

/// The requests of each name.
fn parted<'a>(
    measured: &[&'a Request],
    timeout_ms: f64,
    name_of: impl Fn(&'a Request) -> Option<&'a str>,
) -> Vec<Stratum> {
    let mut parts: BTreeMap<&str, Vec<&Request>> = BTreeMap::new();
    for request in measured {
        if let Some(name) = name_of(request) {
            parts.entry(name).or_default().push(request);
        }
    }
    let stratum = |(name, requests): (&str, Vec<&Request>)| Stratum {
        name: name.to_owned(),
        scheduled: requests.len() as u64,
        dropped: requests.iter().filter(|r| OutcomeKind::is_dropped(r.outcome.kind())).count() as u64,
        latency_ms: LatencySummary::of(requests, timeout_ms),
    };
    parts.into_iter().map(stratum).collect()
}

/// `strata` in the order of `names`.
fn ordered(names: &[&str], mut strata: Vec<Stratum>) -> Vec<Stratum> {
    strata.sort_by_key(|stratum| names.iter().position(|name| *name == stratum.name));
    strata
}
