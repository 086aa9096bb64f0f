//! A backend with one place is the queue of a textbook: its times in system are those of the recursion
//! start = max(arrival, end before), end = start + service (Lindley 1952), and so those of M/D/1.

// Clippy excuses test functions, and not the helpers that they share.
#![allow(clippy::unwrap_used)]

use std::rc::Rc;
use std::time::Duration;

use agent::clock;
use agent::timer::Timer;
use backend::{Behaviour, STOOD};
use model::draw::{Decision, uniform};
use model::identity::Incarnation;
use model::job::{BackendJob, WAKE_QUANTUM};
use model::ledger::LedgerLine;
use model::topology::{Backend, Latency};
use model::units::{Bytes, Nanos, Span};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// The service time, always the same.
const SERVICE: Duration = Duration::from_millis(4);
/// Requests of one test.
const REQUESTS: u64 = 800;

/// One request: when it was received and finished, and by how much its service took too long.
struct Served {
    received: i64,
    finished: i64,
    late: i64,
}

/// Gaps between arrivals of a Poisson process at which the one place is busy for the share `load` of the time.
fn gaps(load: f64, seed: u64) -> impl Iterator<Item = Duration> {
    let mean = SERVICE.as_secs_f64() / load;
    (0..REQUESTS).map(move |n| {
        let u = uniform(seed, Decision::Gap, n);
        Duration::from_secs_f64(-mean * (1.0 - u).ln())
    })
}

/// What the ledger says of all requests, in the order in which they arrived.
async fn served_at(load: f64) -> Vec<Served> {
    let directory = tempfile::tempdir().unwrap();
    let ledger = directory.path().join("ledger.ndjson");
    let latency = Latency { from: Span(SERVICE), to: Span(SERVICE), tail: None };
    let job = BackendJob {
        incarnation: Incarnation::new("web-1", 1),
        listen: "127.0.0.1:0".parse().unwrap(),
        backend: Backend {
            id: "web-1".into(),
            latency,
            at_once: Some(1),
            queue: REQUESTS as u32,
            body: Bytes(64),
            ..Backend::default()
        },
        health_path: "/health".into(),
        unhealthy: false,
        seed: 3,
        ledger: ledger.clone(),
        tls: None,
        sessions: None,
    };
    let (listening, listens) = oneshot::channel();
    let heard = |address| listening.send(address).unwrap();
    let end = Rc::new(tokio::sync::Notify::new());
    let ends = end.clone();
    let backend = tokio::task::spawn_local(async move {
        backend::serve(job, Behaviour::default(), heard, ends.notified()).await
    });
    let address = listens.await.unwrap();
    let timer = Timer::new(WAKE_QUANTUM).unwrap();
    let mut due = clock::now();
    let mut asked = Vec::new();
    for (id, gap) in gaps(load, 1).enumerate() {
        due = due + gap;
        timer.sleep_until(due).await;
        asked.push(tokio::task::spawn_local(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request =
                format!("GET / HTTP/1.1\r\nhost: x\r\nx-rig-seq: {id}\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.unwrap();
        }));
    }
    for one in asked {
        one.await.unwrap();
    }
    end.notify_one();
    backend.await.unwrap().unwrap();
    let text = std::fs::read_to_string(&ledger).unwrap();
    let mut served = Vec::new();
    for line in text.lines() {
        match serde_json::from_str(line).unwrap() {
            LedgerLine::Received { at, .. } => served.push(Served { received: at.0, finished: 0, late: 0 }),
            LedgerLine::Finished { n, at: Nanos(finished), late } => {
                let one = &mut served[n as usize];
                (one.finished, one.late) = (finished, late.unwrap());
            }
            LedgerLine::Stood { .. } => {}
        }
    }
    served
}

/// Times in system by the recursion; `stood` says how much longer than its service one kept the place.
fn recursion(arrivals: impl Iterator<Item = i64>, stood: impl Fn(usize) -> i64) -> Vec<i64> {
    let mut free = i64::MIN;
    let one = |(n, arrival): (usize, i64)| {
        let end = free.max(arrival) + SERVICE.as_nanos() as i64;
        free = end + stood(n);
        end - arrival
    };
    arrivals.enumerate().map(one).collect()
}

fn mean_ms(times: &[i64]) -> f64 {
    times.iter().sum::<i64>() as f64 / times.len() as f64 / 1e6
}

/// The range of the mean time in system over many such tests, by the recursion alone: this is how far chance goes.
fn range_of_means(load: f64) -> (f64, f64) {
    let mut means: Vec<_> = (1000..3000)
        .map(|seed| {
            let mut at = 0;
            let arrivals = gaps(load, seed).map(|gap| {
                at += gap.as_nanos() as i64;
                at
            });
            mean_ms(&recursion(arrivals, |_| 0))
        })
        .collect();
    means.sort_by(f64::total_cmp);
    (means[1], means[means.len() - 2])
}

/// The mean time in system of M/D/1: the service, and by Pollaczek and Khinchine the wait ρs / 2(1 − ρ).
fn theory_ms(load: f64) -> f64 {
    SERVICE.as_secs_f64() * 1e3 * (1.0 + load / (2.0 * (1.0 - load)))
}

async fn is_a_queue(load: f64) {
    let served = served_at(load).await;
    assert_eq!(served.len() as u64, REQUESTS);
    // What the machine added at the end of each service is known, and is no part of the queue.
    let times: Vec<_> = served.iter().map(|one| one.finished - one.late - one.received).collect();
    let stood = |n: usize| if served[n].late < STOOD.as_nanos() as i64 { 0 } else { served[n].late };
    let measured = mean_ms(&times);
    let expected = mean_ms(&recursion(served.iter().map(|one| one.received), stood));
    assert!(
        (measured / expected - 1.0).abs() < 0.01,
        "{measured} ms in the system, the recursion says {expected}"
    );
    let ((least, most), theory) = (range_of_means(load), theory_ms(load));
    assert!(least < theory && theory < most, "{theory} is not within {least} to {most}");
    assert!(least < measured && measured < most, "{measured} ms is not within {least} to {most}");
}

#[tokio::test(flavor = "local")]
async fn at_a_load_of_70_percent() {
    is_a_queue(0.7).await;
}

#[tokio::test(flavor = "local")]
async fn at_a_load_of_90_percent() {
    is_a_queue(0.9).await;
}
