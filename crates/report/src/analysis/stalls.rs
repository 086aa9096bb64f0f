//! When the machine let a generator or a backend stand still, and what that did to a request.

use std::collections::BTreeMap;
use std::time::Duration;

use model::generators::LoadPart;
use model::history::{Event, Happening};
use model::identity::Incarnation;
use model::ledger::Execution;
use model::outcome::OutcomeKind;
use model::request::Request;
use model::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::analysis::evidence::Evidence;

/// A generator that takes something up later than this stood still meanwhile; less is a timer's and a turn's.
const STOOD: Duration = Duration::from_millis(1);
/// After the generator ran again, it has read by then what had arrived before.
const CAUGHT_UP: Duration = Duration::from_millis(10);

/// A time in which a process did not run, although it should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stall {
    from: Nanos,
    to: Nanos,
}

impl Stall {
    fn overlap(self, from: Nanos, to: Nanos) -> Duration {
        self.to.min(to).since(self.from.max(from))
    }
}

/// When the machine let its processes wait.
#[derive(Debug, Default)]
pub(crate) struct MachineStalls {
    /// Each generator's, by what it took up late, in order.
    generators: Vec<Vec<Stall>>,
    /// Each incarnation's, by its own word, in order; those that the scenario made are left out.
    backends: BTreeMap<Incarnation, Vec<Stall>>,
}

impl MachineStalls {
    pub(crate) fn of<'a>(
        history: &[Event],
        requests: impl IntoIterator<Item = &'a Request>,
        evidence: &Evidence,
        generators: u32,
    ) -> MachineStalls {
        // What is taken up at one instant was waiting since the first of it was due.
        let mut turns: Vec<BTreeMap<Nanos, Nanos>> =
            LoadPart::all(generators).map(|_| BTreeMap::new()).collect();
        for request in requests.into_iter().filter(|r| r.released.since(r.due) >= STOOD) {
            let turns = &mut turns[sender(request, generators)];
            let from = turns.entry(request.released).or_insert(request.due);
            *from = request.due.min(*from);
        }
        let mut backends: BTreeMap<Incarnation, Vec<Stall>> = BTreeMap::new();
        for event in history {
            let Happening::Stood { component, from, to } = &event.what else { continue };
            let Some(by) = component.life() else { continue };
            if !evidence.gone(&by.backend, *from, *to) {
                backends.entry(by.clone()).or_default().push(Stall { from: *from, to: *to });
            }
        }
        let stalls =
            |turns: BTreeMap<Nanos, Nanos>| turns.into_iter().map(|(to, from)| Stall { from, to }).collect();
        MachineStalls { generators: turns.into_iter().map(stalls).collect(), backends }
    }

    /// How many generators there are.
    pub(crate) fn generators(&self) -> u32 {
        u32::try_from(self.generators.len()).unwrap_or(u32::MAX)
    }

    /// When the generator stood still that sent a request.
    fn of_sender(&self, request: &Request) -> &[Stall] {
        self.generators.get(sender(request, self.generators())).map_or(&[], Vec::as_slice)
    }

    /// How late the generator was with a request when it began: it took it up late, or let it wait although nothing
    /// stood in the way.
    pub(crate) fn at_begin(request: &Request) -> Duration {
        request.released.since(request.due)
    }

    /// How late the generator was to see the end of a request whose backend had finished it at `finished`.
    pub(crate) fn at_end(&self, request: &Request, finished: Nanos) -> Duration {
        let stalls = self.of_sender(request);
        let before = stalls.partition_point(|stall| stall.to <= request.end);
        let last = before.checked_sub(1).and_then(|n| stalls.get(n));
        match last {
            Some(stall) if request.end.since(stall.to) <= CAUGHT_UP => stall.overlap(finished, request.end),
            _ => Duration::ZERO,
        }
    }

    /// How late the generator was with a request.
    pub(crate) fn of_generator(&self, request: &Request, executions: &[&Execution]) -> Duration {
        let finished = executions.iter().filter_map(|e| e.finished).max();
        // Of one that was due meanwhile, the stall is the lateness at its begin already.
        let seen = finished.map_or(Duration::ZERO, |finished| self.at_end(request, finished));
        Self::at_begin(request) + seen
    }

    /// How late the backends were with a request; `None`: they did not say. One that was lost before it reached any was kept
    /// waiting by whichever stood still meanwhile: else they would be judged by those alone that they were in time for.
    pub(crate) fn of_backends(&self, request: &Request, executions: &[&Execution]) -> Option<Duration> {
        if executions.is_empty() && request.outcome.kind() != OutcomeKind::Ok {
            let stood = |stalls: &Vec<Stall>| sum_of(stalls, request.due, request.end);
            return self.backends.values().map(stood).max();
        }
        let late = |execution: &&Execution| {
            let stalls = self.backends.get(&execution.by).map_or(&[][..], Vec::as_slice);
            let unread = request.sent.map(|sent| sum_of(stalls, sent, execution.received));
            let served = execution.late.map(|late| Duration::from_nanos(u64::try_from(late).unwrap_or(0)));
            Some(served? + unread.unwrap_or_default())
        };
        executions.iter().filter_map(late).max()
    }

    /// How long the machine let a request wait at its backends, or at any if it is not known to have reached one, and
    /// how long the generator stood, while it was under way.
    pub(crate) fn around(&self, request: &Request, executions: &[&Execution]) -> Duration {
        let (from, to) = (request.due, request.end);
        let reached = |by: &Incarnation| {
            executions.is_empty() || executions.iter().any(|execution| execution.by == *by)
        };
        let stalls = self.backends.iter().filter(|(by, _)| reached(by));
        let backends = stalls.map(|(_, stalls)| sum_of(stalls, from, to)).max();
        // Those of the generator may overlap each other.
        let generator = between(self.of_sender(request), from, to).map(|stall| stall.overlap(from, to)).max();
        backends.unwrap_or_default().max(generator.unwrap_or_default())
    }

    /// The longest time that a backend stood still under the load from `origin` on.
    pub(crate) fn longest(&self, origin: Nanos) -> Option<Standstill> {
        let all = self.backends.iter().flat_map(|(by, stalls)| stalls.iter().map(move |s| (by, s)));
        let longest = all.filter(|(_, s)| s.to > origin).max_by_key(|(_, s)| s.to.since(s.from))?;
        let (by, stall) = longest;
        Some(Standstill {
            component: by.clone(),
            at_ms: stall.from.millis_from(origin),
            ms: stall.to.millis_from(stall.from),
        })
    }
}

/// Which of so many generators sent a request, from 0.
pub(crate) fn sender(request: &Request, generators: u32) -> usize {
    LoadPart::of_request(request.id, request.user, generators).index as usize
}

/// Those of `stalls`, which are in order, that may overlap a span.
fn between(stalls: &[Stall], from: Nanos, to: Nanos) -> impl Iterator<Item = &Stall> {
    let first = stalls.partition_point(|stall| stall.to <= from);
    stalls[first..].iter().take_while(move |stall| stall.from < to)
}

fn sum_of(stalls: &[Stall], from: Nanos, to: Nanos) -> Duration {
    between(stalls, from, to).map(|stall| stall.overlap(from, to)).sum()
}

/// A backend that did not run, although the scenario did not stop it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standstill {
    /// Which.
    pub component: Incarnation,
    /// When it began, in milliseconds from the first measured request.
    pub at_ms: f64,
    /// How long it lasted, in milliseconds.
    pub ms: f64,
}
