//! A cell's records, built by hand: 400 requests per second over 20 s on three backends that take 100 ms, and
//! a rolling deploy from 4 s on. Everything is explained unless a test tampers with it.

use model::access_log::{Attempt, LogGap, Logged};
use model::catalog::BalancerKind;
use model::component::{Component, ExitStatus};
use model::history::{Event, Happening, Setting, WindowDerivation};
use model::identity::{CellId, Incarnation, RequestId};
use model::job::GeneratorReport;
use model::ledger::Execution;
use model::outcome::{BodyCheck, Cause, Outcome, Stage};
use model::records::CellRecords;
use model::request::{ConnectionUse, Request};
use model::timeline::{Drain, Strategy};
use model::traffic::Method;
use model::units::{Nanos, Share, Span};

pub(crate) use crate::plan::{environment, plan};

pub(crate) const CONTROL: &str = "without-drain";
pub(crate) const DRAINED: &str = "with-drain";
const REQUESTS: u64 = 8000;
pub(crate) const BACKENDS: [&str; 3] = ["web-1", "web-2", "web-3"];

/// So many milliseconds after the first measured request.
pub(crate) fn ms(ms: f64) -> Nanos {
    Nanos((ms * 1e6) as i64)
}

pub(crate) fn inc(backend: &str, generation: u32) -> Incarnation {
    Incarnation::new(backend, generation)
}

pub(crate) fn answered(status: u16) -> Outcome {
    let body = if status < 300 { BodyCheck::Verified } else { BodyCheck::Unstamped };
    Outcome::Answered { status, body, expected: None }
}

pub(crate) fn failed(stage: Stage, cause: Cause) -> Outcome {
    Outcome::Failed { stage, cause }
}

/// A request due at `due` milliseconds that took 100 ms, on a reused connection.
pub(crate) fn request(id: u64, due: f64, outcome: Outcome) -> Request {
    let complete = matches!(outcome, Outcome::Answered { .. });
    Request {
        id: RequestId(id),
        class: "get".into(),
        method: Method::Get,
        due: ms(due),
        released: ms(due + 0.1),
        sent: Some(ms(due + 0.2)),
        waited: 0,
        first_byte: complete.then(|| ms(due + 99.0)),
        end: ms(due + 100.0),
        on: Some(ConnectionUse {
            connection: 1,
            nth: 2,
            idle: 1_000_000,
            close_announced: false,
            handshake: None,
        }),
        bytes_out: 80,
        bytes_in: 200,
        served_by: None,
        identity: None,
        outcome,
        user: None,
        session: None,
    }
}

pub(crate) fn execution(id: u64, by: Incarnation, received: f64, finished: Option<f64>) -> Execution {
    Execution {
        id: RequestId(id),
        by: by.into(),
        received: ms(received),
        finished: finished.map(ms),
        late: None,
    }
}

pub(crate) fn logged(id: u64, status: u16, backends: &[&str]) -> Logged {
    let attempt = |backend: &&str| Attempt { backend: Some((*backend).into()), status: None };
    Logged {
        id: Some(RequestId(id)),
        at: Nanos(0),
        status,
        pool: None,
        attempts: backends.iter().map(attempt).collect(),
        flags: "".into(),
        queued: None,
        signs: vec![].into(),
        reason: None,
    }
}

/// Changes which attempts a line of the log tells of.
pub(crate) fn retell(line: &mut Logged, change: impl FnOnce(&mut Vec<Attempt>)) {
    let mut attempts = line.attempts.to_vec();
    change(&mut attempts);
    line.attempts = attempts.into();
}

pub(crate) fn event(at: f64, what: Happening) -> Event {
    Event { at: ms(at), what }
}

pub(crate) fn access_log(whole: bool) -> Happening {
    access_log_with(whole, vec![])
}

pub(crate) fn access_log_with(whole: bool, gaps: Vec<LogGap>) -> Happening {
    let (meanings, notices) = (Default::default(), Default::default());
    Happening::AccessLog { lines: REQUESTS, unreadable: 0, unwritten: 0, whole, gaps, meanings, notices }
}

pub(crate) fn load_finished() -> Happening {
    Happening::LoadFinished { generator: GeneratorReport::default() }
}

pub(crate) fn terminated(incarnation: Incarnation) -> Happening {
    Happening::Terminated { incarnation, signal: "SIGTERM".into() }
}

/// The component of that name.
pub(crate) fn part(name: &str) -> Component {
    let Ok(component) = name.parse();
    component
}

pub(crate) fn exited(component: &str) -> Happening {
    Happening::Exited { component: part(component), status: ExitStatus::of_code(0), expected: true }
}

/// When the replacement of backend `n` begins, and when its successor serves.
fn replacement_times(n: usize, drained: bool) -> (f64, f64) {
    let begin = 4000.0 + 2000.0 * n as f64;
    (begin, begin + if drained { 605.0 } else { 500.0 })
}

/// A cell whose generator said that it would send `scheduled` requests, and nothing else.
pub(crate) fn without_requests(variant: &str, scheduled: u64) -> CellRecords {
    let mut history = history(variant, variant == DRAINED);
    for event in &mut history {
        if let Happening::Scheduled { requests, .. } = &mut event.what {
            *requests = scheduled;
        }
    }
    CellRecords {
        cell: cell_id(variant),
        history,
        requests: vec![],
        executions: vec![],
        access: vec![],
        samples: vec![],
    }
}

fn cell_id(variant: &str) -> CellId {
    CellId { balancer: BalancerKind::Nginx.into(), variant: variant.into(), repeat: 1 }
}

/// The records of `variant`, whole and balanced.
pub(crate) fn cell(variant: &str) -> CellRecords {
    let drained = variant == DRAINED;
    let mut records = without_requests(variant, REQUESTS);
    for id in 0..REQUESTS {
        let due = id as f64 * 2.5;
        let (backend, generation, killed_at) = route(id, due, drained);
        let by = inc(backend, generation);
        let mut request = request(id, due, answered(200));
        let mut status = 200;
        let mut finished = Some(due + 99.0);
        match killed_at {
            Some(at) => {
                status = 502;
                finished = None;
                request.outcome = answered(502);
                request.end = ms(at + 0.5);
            }
            None => request.served_by = Some(by.clone().into()),
        }
        records.requests.push(request);
        records.executions.push(execution(id, by, due + 1.0, finished));
        records.access.push(logged(id, status, &[backend]));
    }
    records
}

/// Who gets a request, and when it dies with it.
fn route(id: u64, due: f64, drained: bool) -> (&'static str, u32, Option<f64>) {
    let serves = |n: usize| {
        let (out, ready) = replacement_times(n, drained);
        if due < out {
            Some(1)
        } else if due >= ready {
            Some(2)
        } else {
            None
        }
    };
    let serving: Vec<_> = (0..BACKENDS.len()).filter_map(|n| Some((n, serves(n)?))).collect();
    let (n, generation) = serving[id as usize % serving.len()];
    let killed_at = replacement_times(n, drained).0 + 1.0;
    let dies = !drained && generation == 1 && due + 99.0 > killed_at && due + 1.0 <= killed_at;
    (BACKENDS[n], generation, dies.then_some(killed_at))
}

fn history(variant: &str, drained: bool) -> Vec<Event> {
    let cell = cell_id(variant);
    let drain = if drained { Drain::Auto } else { Drain::Off };
    let mut events = vec![
        event(-900.0, Happening::CellStarted { cell, runtime: "process".into() }),
        event(
            -800.0,
            Happening::Balancer {
                kind: BalancerKind::Nginx,
                version: "1.22.1".into(),
                binary: "nginx".into(),
                listener: "127.0.0.1:8080".into(),
                published: None,
                settings: vec![Setting {
                    name: "retries".into(),
                    rendered: "proxy_next_upstream off".into(),
                }],
                in_flight_view: false,
                tells_health: false,
            },
        ),
        event(-100.0, Happening::Scheduled { requests: REQUESTS, origin: ms(0.0) }),
        event(4000.0, Happening::ActionStarted { entry: "rollout".into() }),
        event(
            4000.0,
            Happening::DeployStarted {
                entry: "rollout".into(),
                pool: "web".into(),
                strategy: Strategy::InPlace,
                drain,
                backends: BACKENDS.map(String::from).to_vec(),
            },
        ),
    ];
    for n in 0..BACKENDS.len() {
        replace(&mut events, n, drained);
    }
    let finished = Happening::DeployFinished { entry: "rollout".into(), replaced: 3 };
    events.push(event(9000.0, finished));
    events.push(event(9000.0, Happening::ActionFinished { entry: "rollout".into() }));
    let generator = GeneratorReport {
        scheduled: REQUESTS,
        recorded: REQUESTS,
        cpu_seconds: 0.4,
        max_rss_kib: 6000,
        connections: 120,
        unannounced_closes: 0,
        announced_closes: 3,
        busiest_second: Some(0.1),
        surplus: 0,
        parts: Vec::new(),
    };
    events.push(event(20_100.0, Happening::LoadFinished { generator }));
    events.push(event(20_200.0, access_log(true)));
    events.push(event(20_300.0, Happening::CellFinished));
    events
}

fn replace(events: &mut Vec<Event>, n: usize, drained: bool) {
    let (old, new) = (inc(BACKENDS[n], 1), inc(BACKENDS[n], 2));
    let (begin, ready) = replacement_times(n, drained);
    let mut push = |at: f64, what| events.push(event(at, what));
    push(begin, Happening::Replacing { old: old.clone(), new: new.clone() });
    let mut killed = begin + 1.0;
    if drained {
        killed = begin + 106.0;
        let derived = WindowDerivation { slowest: Span::millis(98), samples: 1600 };
        push(begin, Happening::DrainWindow { window: Span::millis(368), derived: Some(derived) });
        push(begin, Happening::Deregistering { incarnation: old.clone() });
        push(begin + 5.0, Happening::Deregistered { incarnation: old.clone(), proof: "flag".into() });
        let waited = Span::millis(100);
        push(begin + 105.0, Happening::Drained { incarnation: old.clone(), waited, proof: "idle".into() });
    }
    push(killed, terminated(old.clone()));
    push(killed + 1.0, exited(&old.to_string()));
    push(killed + 2.0, Happening::Launched { component: (&new).into(), pid: 7 });
    push(ready - 5.0, Happening::Ready { component: (&new).into(), proof: "stamp".into() });
    if drained {
        push(ready - 4.0, Happening::Registering { incarnation: new.clone() });
        push(ready, Happening::Registered { incarnation: new.clone(), proof: "flag".into() });
    }
    push(ready + 300.0, Happening::Confirmed { incarnation: new.clone(), share: Share(0.33), of: 120 });
    push(ready + 301.0, Happening::Replaced { old, new });
}
