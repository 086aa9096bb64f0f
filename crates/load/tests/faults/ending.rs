//! How a load ends before its schedule: interrupted, or because it was enough.

use std::sync::Arc;
use std::time::Duration;

use agent::clock;
use model::job::Frame;
use model::outcome::OutcomeKind;
use model::request::Request;
use model::units::Rate;
use tokio::sync::Notify;

use crate::fault_server::{FaultServer, Reply};
use crate::harness::{job, run_until};

#[tokio::test(flavor = "local")]
async fn an_interrupted_run_records_what_was_in_flight_waiting_and_to_come() {
    let arrived = Arc::new(Notify::new());
    let tell = arrived.clone();
    let server = FaultServer::start(move |_| {
        tell.notify_one();
        Reply::Hang(String::new())
    });
    // Three requests are due at once, and one an hour later is the last.
    let mut job = job(server.address, 3_600_000);
    job.traffic.rate = Rate(1.0);
    job.traffic.connections = 1;
    job.origin = job.origin - Duration::from_secs(3);
    let stop = async move { arrived.notified().await };
    let run = run_until(job, stop).await;
    assert_eq!(run.kinds(), [(OutcomeKind::Cancelled, 3_600)].into());
    assert!(run.records[0].sent.is_some(), "it was in flight");
    assert_eq!(run.records[1].sent, None, "it was waiting");
    assert_eq!(run.records.last().unwrap().sent, None, "it was to come");
}

#[tokio::test(flavor = "local")]
async fn a_load_that_was_enough_ends_in_order() {
    let arrived = Arc::new(Notify::new());
    let tell = arrived.clone();
    let server = FaultServer::start(move |_| {
        tell.notify_one();
        Reply::Say("HTTP/1.1 200 OK\r\nX-Version: v1\r\nContent-Length: 2\r\n\r\nok".into())
    });
    // An hour of load, of which a little suffices.
    let mut job = job(server.address, 3_600_000);
    job.identity_header = Some("x-version".to_owned());
    let directory = tempfile::tempdir().unwrap();
    job.records = directory.path().join("requests.ndjson");
    let mut shortened = None;
    let enough = async {
        for _ in 0..20 {
            arrived.notified().await;
        }
        clock::now() + Duration::from_millis(50)
    };
    let frames = |frame| {
        if let Frame::Shortened { requests, at } = frame {
            shortened = Some((requests, at));
        }
    };
    let report = load::generate(job.clone(), frames, std::future::pending(), enough).await.unwrap();
    let text = std::fs::read_to_string(&job.records).unwrap();
    let records: Vec<Request> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (requests, at) = shortened.unwrap();
    assert_eq!((report.scheduled, report.recorded, records.len() as u64), (requests, requests, requests));
    assert!((20..3_600_000).contains(&requests), "{requests}");
    for record in &records {
        assert_eq!((record.outcome.kind(), record.identity.as_deref()), (OutcomeKind::Ok, Some("v1")));
        assert!(record.due <= at, "nothing is due later");
    }
}
