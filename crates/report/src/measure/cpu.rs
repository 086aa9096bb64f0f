//! CPU time of a cell's components over its load, from readings that the engine took while it ran.

use std::collections::BTreeMap;
use std::time::Duration;

use model::component::Component;
use model::history::{Event, Happening};
use model::identity::Incarnation;
use model::outcome::Outcome;
use model::request::Request;
use model::timeline::FaultKind;
use model::topology::Topology;
use model::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::measure::validity::worked;

/// How far from the moment that it is meant for a reading may have been taken. What lies between two readings is
/// told with the figure.
const AROUND: Duration = Duration::from_secs(1);

/// CPU time, user and system, over the measured load: from the first measured arrival until every request has
/// ended.
///
/// Each figure covers what lies between two readings of that component. The first is the one nearest to the first
/// measured arrival; a component that was launched later begins with its launch, at nothing. The second is the one
/// nearest to the end of the last request; of a component that was ended before, the last one before its end, so
/// that what it still used while it ended is in no figure. Where a reading is missing, there is no figure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CpuTime {
    /// Each component of which both readings were taken: `balancer`, `generator` or `generator_2`, incarnations.
    pub components: BTreeMap<Component, Usage>,
    /// CPU time of the balancer for a request, in microseconds: its usage over the number of requests that were due
    /// between its two readings and were begun, however they ended.
    pub balancer_us_per_request: Option<f64>,
    /// CPU time of all backends for a request, in microseconds: over the measured requests that were begun.
    #[serde(default)]
    pub backends_us_per_request: Option<f64>,
    /// CPU time of the balancer, whatever it did, for a client's TLS handshake, in microseconds: over the requests that
    /// were due between its readings and waited for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balancer_us_per_handshake: Option<f64>,
    /// CPU time of all backends, whatever they did, for a client's TLS handshake, in microseconds: over the measured
    /// requests that waited for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backends_us_per_handshake: Option<f64>,
    /// All incarnations of all backends that ran during the load, in seconds; `None` if one of them has no figure.
    pub backends_seconds: Option<f64>,
    /// All of several generators, in seconds; `None`: there is one, or one of them has no figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generators_seconds: Option<f64>,
    /// The part of the processors' time that processes used which are no part of the cell; `None`: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign: Option<f64>,
}

/// What one component used between two readings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// User and system time, in seconds.
    pub seconds: f64,
    /// Where it was read.
    pub source: String,
    /// The first reading, or the launch, in milliseconds from the first measured arrival.
    pub from_ms: f64,
    /// The second reading, likewise.
    pub to_ms: f64,
}

impl Usage {
    /// How long it covers, in milliseconds.
    pub fn covers_ms(&self) -> f64 {
        self.to_ms - self.from_ms
    }
}

/// The load, in time.
#[derive(Clone, Copy, Debug)]
struct LoadSpan {
    /// The first measured arrival.
    begin: Nanos,
    /// The last arrival.
    last_due: Nanos,
    /// When every request had ended.
    end: Nanos,
}

/// One reading.
#[derive(Clone, Copy, Debug)]
struct CpuReading<'a> {
    at: Nanos,
    seconds: f64,
    source: &'a str,
}

/// What the history says of one component.
#[derive(Clone, Debug, Default)]
struct Life<'a> {
    launched: Option<Nanos>,
    ended: Option<Nanos>,
    readings: Vec<CpuReading<'a>>,
}

impl CpuTime {
    /// Sums up the readings of a history whose load began at `origin`; `requests` are the client's records, those
    /// of the warm-up included, and `topology` is what stood in the cell, if the plan says it.
    pub fn of(
        topology: Option<&Topology>,
        history: &[Event],
        origin: Nanos,
        requests: &[&Request],
    ) -> CpuTime {
        let finished = |event: &&Event| matches!(event.what, Happening::LoadFinished { .. });
        let end = history.iter().find(finished).map(|event| event.at);
        let last_due = requests.iter().map(|request| request.due).max();
        let Some((end, last_due)) = end.zip(last_due) else {
            return CpuTime::default();
        };
        let load = LoadSpan { begin: origin, last_due, end };
        let lives = lives(history);
        let measured = |(of, life): (&Component, &Life<'_>)| Some((of.clone(), life.usage(load)?));
        let components: BTreeMap<Component, Usage> = lives.iter().filter_map(measured).collect();
        let is_known = |by: &Incarnation| topology.is_none_or(|it| it.backend(&by.backend).is_some());
        let is_backend = |component: &Component| component.life().is_some_and(is_known);
        let is_one_of_several = |component: &Component| matches!(component, Component::NumberedGenerator(_));
        // Services have lives as well, and are not in the topology's pools.
        let backends_seconds = sum(&lives, load, &components, is_backend);
        let of_balancer = |counts: fn(&Request) -> bool| {
            let usage = components.get(&Component::Balancer)?;
            let due = |request: &Request| request.due.millis_from(origin);
            let between = |r: &Request| usage.from_ms <= due(r) && due(r) <= usage.to_ms;
            per(usage.seconds, requests.iter().filter(|r| counts(r) && between(r)).count())
        };
        let of_backends = |counts: fn(&Request) -> bool| {
            let measured = requests.iter().filter(|request| request.due >= origin);
            per(backends_seconds?, measured.filter(|request| counts(request)).count())
        };
        CpuTime {
            balancer_us_per_request: of_balancer(begun),
            backends_us_per_request: of_backends(begun),
            balancer_us_per_handshake: of_balancer(shook_hands),
            backends_us_per_handshake: of_backends(shook_hands),
            backends_seconds,
            generators_seconds: sum(&lives, load, &components, is_one_of_several),
            foreign: foreign(history, origin, &lives, load, &components),
            components,
        }
    }

    /// What the generator used, or all of several, in seconds.
    pub fn generator_seconds(&self) -> Option<f64> {
        self.seconds(&Component::Generator).or(self.generators_seconds)
    }

    /// What a component used, in seconds.
    pub fn seconds(&self, component: &Component) -> Option<f64> {
        self.components.get(component).map(|usage| usage.seconds)
    }
}

impl<'a> Life<'a> {
    fn end_by(&mut self, at: Nanos) {
        self.ended = Some(self.ended.map_or(at, |earlier| earlier.min(at)));
    }

    fn ran_during(&self, load: LoadSpan) -> bool {
        self.launched.is_some_and(|at| at < load.end) && self.ended.is_none_or(|at| at > load.begin)
    }

    fn usage(&self, load: LoadSpan) -> Option<Usage> {
        let last = self.closing(load)?;
        let first = match self.launched {
            Some(at) if at > load.begin => CpuReading { at, seconds: 0.0, ..last },
            _ => nearest(&self.readings, load.begin, load.begin - AROUND)?,
        };
        let seconds = last.seconds - first.seconds;
        // Counters of different sources don't count the same, and none runs backwards.
        let comparable = first.source == last.source && first.at < last.at && seconds >= 0.0;
        comparable.then(|| Usage {
            seconds,
            source: last.source.to_owned(),
            from_ms: first.at.millis_from(load.begin),
            to_ms: last.at.millis_from(load.begin),
        })
    }

    fn closing(&self, load: LoadSpan) -> Option<CpuReading<'a>> {
        match self.ended {
            Some(ended) if ended < load.end => {
                let before = self.readings.iter().filter(|reading| reading.at <= ended);
                before.max_by_key(|reading| reading.at).copied()
            }
            _ => nearest(&self.readings, load.end, load.last_due - AROUND),
        }
    }
}

/// The reading nearest to `at`, from `earliest` on and no later than [`AROUND`] after it.
fn nearest<'a>(readings: &[CpuReading<'a>], at: Nanos, earliest: Nanos) -> Option<CpuReading<'a>> {
    let near = readings.iter().filter(|reading| earliest <= reading.at && reading.at <= at + AROUND);
    near.min_by_key(|reading| reading.at.0.abs_diff(at.0)).copied()
}

fn lives(history: &[Event]) -> BTreeMap<Component, Life<'_>> {
    let mut lives: BTreeMap<Component, Life<'_>> = BTreeMap::new();
    for event in history {
        let at = event.at;
        match &event.what {
            Happening::Launched { component, .. } => {
                lives.entry(component.clone()).or_default().launched.get_or_insert(at);
            }
            Happening::CpuRead { component, seconds, source } => {
                let reading = CpuReading { at, seconds: *seconds, source };
                lives.entry(component.clone()).or_default().readings.push(reading);
            }
            // Their time is their balancer's.
            Happening::Exited { component: Component::Worker | Component::Predecessor, .. } => {}
            Happening::Exited { component, .. } => lives.entry(component.clone()).or_default().end_by(at),
            Happening::Terminated { incarnation, .. } => {
                lives.entry(incarnation.into()).or_default().end_by(at);
            }
            Happening::Faulted { incarnation, fault } => match fault {
                FaultKind::Crash | FaultKind::Term | FaultKind::HostLoss => {
                    lives.entry(incarnation.into()).or_default().end_by(at);
                }
                FaultKind::Freeze | FaultKind::Partition => {}
            },
            _ => {}
        }
    }
    lives
}

fn begun(request: &Request) -> bool {
    !matches!(request.outcome, Outcome::NotSent(_))
}

fn shook_hands(request: &Request) -> bool {
    request.on.is_some_and(|on| on.handshake.is_some())
}

/// Microseconds for each of `count`.
fn per(seconds: f64, count: usize) -> Option<f64> {
    (count > 0).then(|| seconds * 1e6 / count as f64)
}

/// What was worked on beside the cell's own components, all of which must have figures.
fn foreign(
    history: &[Event],
    origin: Nanos,
    lives: &BTreeMap<Component, Life<'_>>,
    load: LoadSpan,
    components: &BTreeMap<Component, Usage>,
) -> Option<f64> {
    let (worked, all) = worked(history, origin)?;
    // rig did not launch itself.
    let ran = |life: &Life<'_>| life.launched.is_none() || life.ran_during(load);
    let own = lives.iter().filter(|(_, life)| ran(life)).map(|(name, _)| Some(components.get(name)?.seconds));
    let own: f64 = own.collect::<Option<Vec<_>>>()?.iter().sum();
    Some(((worked - own) / all).max(0.0))
}

/// What those components used that ran during the load. A sum of some would pass for the sum of all.
fn sum(
    lives: &BTreeMap<Component, Life<'_>>,
    load: LoadSpan,
    components: &BTreeMap<Component, Usage>,
    of: impl Fn(&Component) -> bool,
) -> Option<f64> {
    let ran = |(component, life): &(&Component, &Life<'_>)| of(component) && life.ran_during(load);
    let each = lives.iter().filter(ran).map(|(of, _)| components.get(of).map(|usage| usage.seconds));
    let each: Vec<f64> = each.collect::<Option<_>>()?;
    (!each.is_empty()).then(|| each.iter().sum())
}
