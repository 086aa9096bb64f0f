//! Runs the generator in-process and checks what holds for every run.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use agent::clock;
use model::generators::LoadPart;
use model::job::{Frame, GeneratorReport, LoadJob};
use model::outcome::OutcomeKind;
use model::request::Request;
use model::traffic::{Cap, RequestClass, Traffic};
use model::units::{Rate, Share, Span};

/// A load of `requests` requests, 1 ms apart, one class of GETs, with no fresh connections.
pub(crate) fn job(target: SocketAddr, requests: u64) -> LoadJob {
    LoadJob {
        targets: vec![target],
        host: None,
        identity_header: None,
        origin: clock::now() + Duration::from_millis(20),
        traffic: Traffic {
            rate: Rate(1_000.0),
            duration: Span::millis(requests),
            warmup: Span::millis(0),
            timeout: Span::millis(20_000),
            connections: 64,
            connections_from: Cap::Scenario,
            fresh_connections: Share(0.0),
            mix: vec![RequestClass { name: "all".into(), ..RequestClass::default() }],
            ..Traffic::default()
        },
        seed: 1,
        part: LoadPart::WHOLE,
        records: std::path::PathBuf::new(),
        tls: None,
    }
}

/// What a run left behind.
pub(crate) struct Run {
    pub(crate) report: GeneratorReport,
    /// In the order of ids.
    pub(crate) records: Vec<Request>,
}

impl Run {
    pub(crate) fn kinds(&self) -> BTreeMap<OutcomeKind, u64> {
        let mut kinds = BTreeMap::new();
        for record in &self.records {
            *kinds.entry(record.outcome.kind()).or_default() += 1;
        }
        kinds
    }
}

/// Runs `job` to its end.
pub(crate) async fn run(job: LoadJob) -> Run {
    run_until(job, std::future::pending()).await
}

/// Runs `job` until its end or `stop`, and checks that its books balance.
pub(crate) async fn run_until(mut job: LoadJob, stop: impl Future<Output = ()>) -> Run {
    let directory = tempfile::tempdir().unwrap();
    job.records = directory.path().join("requests.ndjson");
    let mut frames = Vec::new();
    let report =
        load::generate(job.clone(), |frame| frames.push(frame), stop, std::future::pending()).await.unwrap();

    let text = std::fs::read_to_string(&job.records).unwrap();
    let mut records: Vec<Request> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    records.sort_by_key(|record| record.id);
    let schedule: Vec<load::Arrival> =
        load::Schedule::new(&job.traffic, job.origin, job.seed).of(job.part).collect();
    assert_eq!(records.len(), schedule.len(), "one record per scheduled request");
    for (record, arrival) in records.iter().zip(&schedule) {
        assert_eq!((record.id, record.due), (arrival.id, arrival.due));
        assert!(record.sent.is_none_or(|sent| sent >= record.due));
        assert!(record.first_byte.is_none_or(|first| record.sent.is_some_and(|sent| sent <= first)));
    }
    assert_eq!(report.scheduled, records.len() as u64);
    assert_eq!(report.recorded, records.len() as u64);
    assert_eq!(frames[0], Frame::Scheduled { requests: report.scheduled });
    let Some(Frame::Progress(last)) = frames.last() else {
        panic!("the last frame is a progress");
    };
    let dropped = records.iter().filter(|record| record.outcome.kind().is_dropped()).count();
    assert_eq!((last.ended, last.dropped), (report.scheduled, dropped as u64));
    Run { report, records }
}
