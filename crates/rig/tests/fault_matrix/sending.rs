//! Sends a few requests, and says how they ended.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use agent::clock;
use model::generators::LoadPart;
use model::job::{GeneratorReport, LoadJob};
use model::outcome::{BodyCheck, Cause, Outcome, OutcomeKind, Stage};
use model::request::Request;
use model::traffic::{Method, Traffic};
use model::units::Span;

/// How often each fault is met on each way.
pub(crate) const TIMES: u64 = 6;
/// Far enough apart that what a server does after a response comes before the next request.
const APART: Duration = Duration::from_millis(50);
/// Longer than a balancer waits.
pub(crate) const TIMEOUT: Span = Span::millis(2_500);

/// A load of a few requests of one kind.
pub(crate) fn job(target: SocketAddr, method: Method, path: &str) -> LoadJob {
    let mut traffic: Traffic = crate::standing::plan(None).variants[0].traffic.clone();
    traffic.timeout = TIMEOUT;
    traffic.duration = Span(APART * TIMES as u32);
    traffic.mix[0].method = method;
    traffic.mix[0].path = path.to_owned();
    LoadJob {
        targets: vec![target],
        host: None,
        identity_header: None,
        origin: clock::now() + Duration::from_millis(20),
        traffic,
        seed: 1,
        part: LoadPart::WHOLE,
        records: std::path::PathBuf::new(),
        tls: None,
    }
}

/// What a run left behind.
pub(crate) struct Sent {
    pub(crate) report: GeneratorReport,
    pub(crate) records: Vec<Request>,
}

/// Sends the load in this process.
pub(crate) fn send(mut job: LoadJob) -> Sent {
    let directory = tempfile::tempdir().unwrap();
    job.records = directory.path().join("requests.ndjson");
    let options = tokio::runtime::LocalOptions::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(options).unwrap();
    let report = runtime
        .block_on(load::generate(job.clone(), |_| {}, std::future::pending(), std::future::pending()))
        .unwrap();
    Sent { report, records: read(&job.records) }
}

pub(crate) fn read(records: &std::path::Path) -> Vec<Request> {
    let text = std::fs::read_to_string(records).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How connections ended that the peer did not leave open.
pub(crate) fn ends(report: &GeneratorReport) -> String {
    [
        (report.announced_closes, "closed with notice"),
        (report.unannounced_closes, "closed without notice"),
        (report.surplus, "given up for surplus bytes"),
    ]
    .iter()
    .map(|(count, how)| match *count {
        0 => String::new(),
        // What comes after the last response may come when no process listens any more.
        count if count >= TIMES - 1 => format!("; each connection {how}"),
        count => format!("; {count} × {how}"),
    })
    .collect()
}

/// How they ended: `ok`, or `5 × ok, 1 × 502` where they differ.
pub(crate) fn words(records: &[Request]) -> String {
    let mut ended: BTreeMap<String, u64> = BTreeMap::new();
    for record in records {
        *ended.entry(word(record.outcome)).or_default() += 1;
    }
    match ended.len() {
        1 => ended.into_keys().next().unwrap(),
        _ => ended.iter().map(|(word, count)| format!("{count} × {word}")).collect::<Vec<_>>().join(", "),
    }
}

fn word(outcome: Outcome) -> String {
    let kind = outcome.kind();
    let stage = |stage| match stage {
        Stage::Connect | Stage::Tls | Stage::Send | Stage::FirstByte => "before byte",
        Stage::Head => "in head",
        Stage::Body => "in body",
    };
    match (kind, outcome) {
        (_, Outcome::Answered { body: BodyCheck::Mismatch, .. }) => "body mismatch".into(),
        (_, Outcome::Answered { status: 200, .. }) => "ok".into(),
        (_, Outcome::Answered { status, .. }) => status.to_string(),
        (OutcomeKind::Reset, Outcome::Failed { stage: at, .. }) => format!("reset {}", stage(at)),
        (OutcomeKind::Closed, Outcome::Failed { stage: at, .. }) => format!("closed {}", stage(at)),
        (kind, Outcome::Failed { cause: Cause::Errno(number), .. }) => {
            let name = model::errno::Errno(number).to_string();
            format!("{} ({})", named(kind), name.split(' ').next().unwrap())
        }
        (kind, _) => named(kind),
    }
}

fn named(kind: OutcomeKind) -> String {
    serde_json::to_value(kind).unwrap().as_str().unwrap().replace('_', " ")
}
